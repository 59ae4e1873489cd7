//! Starts a process as pid 1 of a PID namespace of its own, so that its end is the end of all it started.
//!
//! Double forks, `setsid` and daemons change nothing: when pid 1 is gone, the kernel kills the rest. The namespace has
//! a `/proc` of its own. Where the kernel refuses (no root, no user namespaces) the process leads a session instead.
#![expect(
    unsafe_code,
    reason = "clone(2) with namespaces has no safe wrapper that also hands back a pidfd"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_char, c_int, c_void};
use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Ending;

/// How a process is kept together with all that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Containment {
    /// Pid 1 of a PID namespace.
    Namespace {
        /// A user namespace comes with it, because Kael is not root.
        user: bool,
    },
    /// The leader of a session. What calls `setsid` escapes; see `sweep`.
    Session,
}

/// A program, ready to be started.
pub(crate) struct Program {
    pub(crate) path: CString,
    pub(crate) args: Vec<CString>,
    /// `NAME=value`, all that the process will see.
    pub(crate) env: Vec<CString>,
    pub(crate) folder: CString,
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// A process that was started. Dropping it ends the process.
pub(crate) struct Started {
    pub(crate) pidfd: OwnedFd,
    /// As Kael sees it; also the process group.
    pub(crate) pid: i32,
    /// It was reaped: its pid may be another's by now.
    reaped: bool,
}

impl Started {
    /// Ends it and all of its group, at once.
    pub(crate) fn kill(&self) {
        super::kill(&self.pidfd);
        super::signal_group(self.pid, Signal::KILL);
    }

    /// Waits for its end and takes its status.
    pub(crate) fn reap(&mut self) -> Ending {
        self.reaped = true;
        super::reap(&self.pidfd)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        self.kill();
        if let Ok(pidfd) = self.pidfd.try_clone() {
            // It is dying; waiting for that is not the caller's business.
            let reap = move || super::reap(&pidfd);
            std::thread::Builder::new()
                .name("kael-reaper".to_owned())
                .spawn(reap)
                .ok();
        }
    }
}

/// What the child needs between `clone` and `execve`, made before, because it may not allocate.
struct Plan {
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    folder: *const c_char,
    stdio: [RawFd; 3],
    host: RawFd,
    containment: Containment,
    uid_map: CString,
    gid_map: CString,
    /// The errno of the step that failed, and which it was.
    errno: AtomicI32,
    step: AtomicI32,
}

/// Starts the program. Must be called from a thread that lives as long as the host and blocks every signal: the
/// process is killed when that thread ends, and shares the host's memory until it executes the program.
pub(crate) fn spawn(
    program: &Program,
    containment: Containment,
    host: &OwnedFd,
) -> io::Result<Started> {
    let argv = pointers(&program.args);
    let envp = pointers(&program.env);
    // SAFETY: these calls have no preconditions.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let map = |id: u32| CString::new(format!("{id} {id} 1\n")).unwrap_or_default();
    let plan = Plan {
        path: program.path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        folder: program.folder.as_ptr(),
        stdio: [
            program.stdin.as_raw_fd(),
            program.stdout.as_raw_fd(),
            program.stderr.as_raw_fd(),
        ],
        host: host.as_raw_fd(),
        containment,
        uid_map: map(uid),
        gid_map: map(gid),
        errno: AtomicI32::new(0),
        step: AtomicI32::new(0),
    };
    let mut flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    if let Containment::Namespace { user } = containment {
        flags |= libc::CLONE_NEWPID | libc::CLONE_NEWNS;
        if user {
            flags |= libc::CLONE_NEWUSER;
        }
    }
    let mut stack = vec![0_u128; 4096];
    let mut pidfd: c_int = -1;
    // SAFETY: the child runs `child` on a stack of its own (its top is the end of `stack`, aligned to 16) while
    // CLONE_VFORK keeps this thread waiting until it has executed the program or exited, so that `plan` and `stack`
    // outlive its use of them. CLONE_PIDFD writes to the address given as parent_tid.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.len());
        libc::clone(
            child,
            top.cast::<c_void>(),
            flags,
            (&raw const plan).cast_mut().cast::<c_void>(),
            &raw mut pidfd,
        )
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel opened this descriptor for us and nothing else knows of it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let mut started = Started {
        pidfd,
        pid,
        reaped: false,
    };
    match plan.errno.load(Ordering::Acquire) {
        0 => Ok(started),
        errno => {
            started.reap();
            let problem = io::Error::from_raw_os_error(errno);
            let step = Step::name(plan.step.load(Ordering::Acquire));
            Err(io::Error::new(problem.kind(), format!("{step}: {problem}")))
        }
    }
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts
        .iter()
        .map(|text| text.as_ptr())
        .chain([ptr::null()])
        .collect()
}

/// The steps of the child that can fail.
struct Step;

impl Step {
    const USER: i32 = 1;
    const PROC: i32 = 2;
    const STDIO: i32 = 3;
    const FOLDER: i32 = 4;
    const EXEC: i32 = 5;

    fn name(step: i32) -> &'static str {
        match step {
            Self::USER => "mapping the user",
            Self::PROC => "mounting /proc",
            Self::STDIO => "wiring stdin, stdout and stderr",
            Self::FOLDER => "entering the folder",
            _ => "executing the program",
        }
    }
}

extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its plan, which outlives this function. Everything called below is a system call: no
    // allocation, no lock, nothing of the host's memory changed but the two atomics of the plan.
    unsafe {
        let plan = &*plan.cast::<Plan>();
        let fail = |step: i32| -> ! {
            plan.step.store(step, Ordering::Release);
            plan.errno
                .store(*libc::__errno_location(), Ordering::Release);
            libc::_exit(127)
        };
        // Handlers of the host must not run here: all signals are blocked, and none has a handler when they no longer are.
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::setsid();
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // The host may have died before that: then its pidfd is readable.
        let mut host = libc::pollfd {
            fd: plan.host,
            events: libc::POLLIN,
            revents: 0,
        };
        if libc::poll(&raw mut host, 1, 0) > 0 {
            libc::_exit(127);
        }
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if let Containment::Namespace { user } = plan.containment {
            if user
                && !(write(c"/proc/self/setgroups", c"deny")
                    && write(c"/proc/self/uid_map", &plan.uid_map)
                    && write(c"/proc/self/gid_map", &plan.gid_map))
            {
                fail(Step::USER);
            }
            let private = libc::MS_REC | libc::MS_PRIVATE;
            let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
            if libc::mount(
                ptr::null(),
                c"/".as_ptr(),
                ptr::null(),
                private,
                ptr::null(),
            ) != 0
                || libc::mount(
                    c"proc".as_ptr(),
                    c"/proc".as_ptr(),
                    c"proc".as_ptr(),
                    flags,
                    ptr::null(),
                ) != 0
            {
                fail(Step::PROC);
            }
        }
        for (target, fd) in plan.stdio.iter().enumerate() {
            // The host's descriptors are all above 2: it was started with its own stdio open.
            if libc::dup2(*fd, target as c_int) < 0 {
                fail(Step::STDIO);
            }
        }
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32);
        if libc::chdir(plan.folder) != 0 {
            fail(Step::FOLDER);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::execve(plan.path, plan.argv, plan.envp);
        fail(Step::EXEC)
    }
}

/// # Safety
/// As for `child`: only system calls.
unsafe fn write(path: &CStr, text: &CStr) -> bool {
    // SAFETY: both are valid C strings.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        let length = text.count_bytes();
        let done = fd >= 0 && libc::write(fd, text.as_ptr().cast(), length) == length.cast_signed();
        libc::close(fd);
        done
    }
}

/// A pidfd that can be waited for: it is readable when the process has ended.
pub(crate) fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` gives the same open descriptor for as long as it lives.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }.map_err(io::Error::from)
}

/// Blocks every signal in this thread.
pub(crate) fn block_signals() {
    // SAFETY: the set is initialised by sigfillset, and changing this thread's own mask has no other effect.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, ptr::null_mut());
    }
}
