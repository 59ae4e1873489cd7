//! Simulates a machine that lacks a part of the confinement, with a filter on system calls.

use crate::Kael;

/// Installs a seccomp filter that answers `landlock_create_ruleset` (444 on every architecture)
/// with ENOSYS, like a kernel without Landlock. Then executes the program in its arguments.
const WITHOUT_LANDLOCK: &str = "
import ctypes, os, struct, sys
load, equal, answer = 0x20, 0x15, 0x06
steps = [(load, 0, 0, 0), (equal, 0, 1, 444), (answer, 0, 0, 0x50000 | 38), (answer, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
class Filter(ctypes.Structure):
    _fields_ = [('steps', ctypes.c_ushort), ('code', ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
program = Filter(len(steps), ctypes.cast(code, ctypes.c_void_p))
if libc.prctl(22, 2, ctypes.byref(program), 0, 0):
    sys.exit('seccomp: ' + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
";

impl Kael {
    /// The same session, whose host is started by this program: these words, then the host's.
    #[must_use]
    pub fn wrapped(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// The same session on a kernel without Landlock. Needs Python and seccomp filters.
    #[must_use]
    pub fn without_landlock(self) -> Self {
        self.wrapped(&["python3", "-c", WITHOUT_LANDLOCK])
    }
}
