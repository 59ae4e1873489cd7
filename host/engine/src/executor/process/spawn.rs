//! Starts a process as pid 1 of a PID namespace of its own, so that its end is the end of all it started.
//!
//! Double forks, `setsid` and daemons change nothing: when pid 1 is gone, the kernel kills the rest. The namespace has
//! a `/proc` of its own. Where the kernel refuses (no root, no user namespaces) `leftover` says what is done instead.
#![expect(
    unsafe_code,
    reason = "clone(2) with namespaces has no safe wrapper that also hands back a pidfd"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_char, c_int, c_long, c_void};
use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::child::{Mount, Plan, Step, child};
use super::filter::Filter;
use super::{Ending, Usage, exhausted, orphan_reaper};

/// How a process is kept together with all that it starts, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containment {
    /// Pid 1 of a PID namespace, which has mounts of its own.
    Namespace {
        /// A user namespace comes with it, because Kael is not root.
        user: bool,
        /// What a confined process may not write can be mounted read-only.
        read_only: bool,
    },
    /// A control group, ended as a whole.
    Group,
    /// What it starts comes back to it, and then to the host, which ends it.
    Subreaper,
    /// The leader of a session. What calls `setsid` is looked for by its environment.
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
    pub(crate) containment: Containment,
    /// What it writes to, to join its groups.
    pub(crate) groups: Vec<OwnedFd>,
    /// Resources by their numbers, and what is allowed.
    pub(crate) limits: Vec<(c_int, libc::rlimit64)>,
    /// None where it may write whatever its user may.
    pub(crate) confined: Option<Confined>,
}

/// What a confined process may write.
pub(crate) struct Confined {
    /// A Landlock ruleset; none where the kernel has no Landlock.
    pub(crate) ruleset: Option<OwnedFd>,
    /// Files and folders.
    pub(crate) writable: Vec<Kept>,
    /// Seen as `/dev/shm`, too.
    pub(crate) temporary: Option<Kept>,
    /// Bytes of System V memory that all of the call may have together.
    pub(crate) shared_memory: u64,
}

/// A file or folder that stays writable, as it was when it was judged.
pub(crate) struct Kept {
    /// Without symbolic links.
    pub(crate) path: CString,
    /// Its device and inode.
    pub(crate) identity: (u64, u64),
}

/// Why a child did not become the program.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
struct StepFailed {
    step: &'static str,
    source: io::Error,
}

/// The number of the error that the kernel gave.
pub(super) fn errno(error: &io::Error) -> Option<i32> {
    let inner = || error.get_ref()?.downcast_ref::<StepFailed>();
    let number = error.raw_os_error();
    number.or_else(|| inner()?.source.raw_os_error())
}

/// A process that was started. Dropping it ends the process.
pub(crate) struct Started {
    pub(crate) pidfd: OwnedFd,
    /// As Kael sees it; also the process group.
    pub(crate) pid: i32,
    /// Its mounts, kept from being taken apart: the kernel would do that before it tells of the process's end, and it
    /// waits for all processors meanwhile. Whoever has time for that drops it.
    pub(crate) mounts: Option<OwnedFd>,
    /// It was reaped: its pid may be another's by now.
    reaped: bool,
    /// `sweep` knows of it.
    pub(super) noted: bool,
}

impl Started {
    /// Ends it and all of its group, at once.
    pub(crate) fn kill(&self) {
        super::kill(&self.pidfd);
        super::signal_group(self.pid, Signal::KILL);
    }

    /// Waits for its end and takes its status.
    pub(crate) fn reap(&mut self) -> (Ending, Usage) {
        self.reaped = true;
        reap(&self.pidfd)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            self.reap();
        }
        if self.noted {
            orphan_reaper::unregister(self.pid);
        }
    }
}

/// Starts the program. Must be called from a thread that lives as long as the host and blocks every signal: the
/// process is killed when that thread ends, and shares the host's memory until it executes the program.
pub(crate) fn spawn(program: &Program, host: &OwnedFd) -> io::Result<Started> {
    let argv = pointers(&program.args);
    let envp = pointers(&program.env);
    let confined = program.confined.as_ref();
    let mounts = confined.map(mounts).unwrap_or_default();
    start(&Plan {
        path: program.path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        folder: program.folder.as_ptr(),
        stdio: [
            program.stdin.as_raw_fd(),
            program.stdout.as_raw_fd(),
            program.stderr.as_raw_fd(),
        ],
        groups: program.groups.iter().map(|fd| fd.as_raw_fd()).collect(),
        limits: program.limits.clone(),
        confined: confined.is_some(),
        ipc_bounds: ipc_bounds(confined.map_or(0, |confined| confined.shared_memory)),
        filters: confined.and_then(|_| filters()).unwrap_or(NO_FILTERS),
        ruleset: confined
            .and_then(|confined| confined.ruleset.as_ref())
            .map_or(-1, |fd| fd.as_raw_fd()),
        mounts,
        ..Plan::new(program.containment, host)
    })
}

/// Whether a process can be contained like that; it ends before it executes anything.
pub(crate) fn probe(containment: Containment, host: &OwnedFd) -> io::Result<()> {
    let plan = Plan {
        confined: true,
        ..Plan::new(containment, host)
    };
    start(&plan).map(|mut started| {
        started.reap();
    })
}

fn mounts(confined: &Confined) -> Vec<Mount> {
    let at = |from: &Kept, to: *const c_char| Mount {
        from: from.path.as_ptr(),
        identity: from.identity,
        to,
        place: AtomicI32::new(-1),
        tree: AtomicI32::new(-1),
    };
    let temporary = confined.temporary.iter();
    // What lies in it would be covered.
    let lies_there = |kept: &Kept| kept.path.to_bytes().starts_with(b"/dev/shm");
    let covers = temporary.clone().chain(&confined.writable).any(lies_there);
    let shared = temporary
        .clone()
        .filter(|_| !covers)
        .map(|kept| at(kept, c"/dev/shm".as_ptr()));
    let own = temporary.chain(&confined.writable);
    own.map(|kept| at(kept, ptr::null()))
        .chain(shared)
        .collect()
}

const NO_FILTERS: [libc::sock_fprog; 2] = [libc::sock_fprog {
    len: 0,
    filter: ptr::null_mut(),
}; 2];

/// The filters for a process whose IPC namespace is its own and bounded, and for any other.
fn filters() -> Option<[libc::sock_fprog; 2]> {
    let filter = Filter::get().ok()?;
    // The kernel reads them and changes nothing.
    let program = |steps: &[libc::sock_filter]| libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_ptr().cast_mut(),
    };
    Some([program(&filter.own_ipc), program(&filter.shared_ipc)])
}

/// What an IPC namespace may hold: System V memory in pages, sets of semaphores as kernels before
/// 3.19 allowed, message queues. Without these a call could have memory of the kernel without end.
fn ipc_bounds(shared_memory: u64) -> [(&'static CStr, CString); 3] {
    let text = |text: String| CString::new(text).unwrap_or_default();
    let pages = shared_memory / rustix::param::page_size() as u64;
    [
        (c"/proc/sys/kernel/shmall", text(pages.to_string())),
        (c"/proc/sys/kernel/sem", text("250 32000 32 128".to_owned())),
        (c"/proc/sys/kernel/msgmni", text("128".to_owned())),
    ]
}

/// A kernel may be built without IPC namespaces, or allow none; then they are no reason to have no
/// others.
fn has_ipc_namespaces() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        std::path::Path::new("/proc/self/ns/ipc").exists() && !exhausted::is_forbidden("ipc")
    })
}

impl Plan {
    fn new(containment: Containment, host: &OwnedFd) -> Self {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let map = |id: u32| CString::new(format!("{id} {id} 1\n")).unwrap_or_default();
        Self {
            path: ptr::null(),
            argv: ptr::null(),
            envp: ptr::null(),
            folder: ptr::null(),
            stdio: [-1; 3],
            host: host.as_raw_fd(),
            containment,
            uid_map: map(uid.as_raw()),
            gid_map: map(gid.as_raw()),
            groups: Vec::new(),
            limits: Vec::new(),
            confined: false,
            own_ipc: matches!(containment, Containment::Namespace { .. }) && has_ipc_namespaces(),
            ipc_bounds: ipc_bounds(0),
            filters: NO_FILTERS,
            filter_flags: filter_flags().unwrap_or_default(),
            ruleset: -1,
            mounts: Vec::new(),
            errno: AtomicI32::new(0),
            step: AtomicI32::new(0),
        }
    }
}

fn start(plan: &Plan) -> io::Result<Started> {
    let mut flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    if let Containment::Namespace { user, .. } = plan.containment {
        flags |= libc::CLONE_NEWPID | libc::CLONE_NEWNS;
        if user {
            flags |= libc::CLONE_NEWUSER;
        }
        if plan.own_ipc {
            flags |= libc::CLONE_NEWIPC;
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
            ptr::from_ref(plan).cast_mut().cast::<c_void>(),
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
        mounts: None,
        reaped: false,
        noted: false,
    };
    match plan.errno.load(Ordering::Acquire) {
        0 => {
            if !plan.path.is_null() && matches!(plan.containment, Containment::Namespace { .. }) {
                // It may have ended already; then there is nothing to keep.
                let (flags, mode) = (OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
                started.mounts = rustix::fs::open(format!("/proc/{pid}/ns/mnt"), flags, mode).ok();
            }
            Ok(started)
        }
        errno => {
            started.reap();
            let source = io::Error::from_raw_os_error(errno);
            let step = Step::name(plan.step.load(Ordering::Acquire));
            Err(io::Error::new(source.kind(), StepFailed { step, source }))
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

/// Waits for a process that is ending and takes its status, and what it used together with those it waited for.
fn reap(pidfd: &OwnedFd) -> (Ending, Usage) {
    // SAFETY: both are plain data, for which zeroes are values.
    let (mut info, mut usage): (libc::siginfo_t, libc::rusage) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    loop {
        // SAFETY: the system call, unlike its wrapper, has a fifth argument; it writes to the two that are handed to it.
        let done = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                pidfd.as_raw_fd(),
                &raw mut info,
                libc::WEXITED,
                &raw mut usage,
            )
        };
        if done == 0 {
            break;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return (Ending::Signaled(libc::SIGKILL), Usage::default());
        }
    }
    // SAFETY: waitid filled in the part for SIGCHLD.
    let status = unsafe { info.si_status() };
    let ending = if info.si_code == libc::CLD_EXITED {
        Ending::Exited(status)
    } else {
        Ending::Signaled(status)
    };
    (ending, Usage::of(&usage))
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

/// The version of Landlock that the kernel offers, from 1; asked by the system call. Nothing where it has none.
pub(crate) fn landlock_version() -> Option<i64> {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    static VERSION: OnceLock<i64> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
        let none = ptr::null::<c_void>();
        let flags = LANDLOCK_CREATE_RULESET_VERSION;
        // SAFETY: with this flag and no attributes the system call does nothing but answer.
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, flags) }
    });
    (*version > 0).then_some(*version)
}

/// Whether the kernel offers filters of system calls.
pub(super) fn has_filters() -> bool {
    filter_flags().is_some()
}

/// The flags with which filters are installed, if the kernel has any: without the first, kernels
/// before 5.16 make a process with a filter slower.
fn filter_flags() -> Option<c_long> {
    static FLAGS: OnceLock<Option<c_long>> = OnceLock::new();
    let knows = |flags: &c_long| {
        let (mode, none) = (libc::SECCOMP_SET_MODE_FILTER, ptr::null::<c_void>());
        // SAFETY: without a program the system call does nothing but fail; it fails so where it
        // knows the flags.
        let done = unsafe { libc::syscall(libc::SYS_seccomp, mode, *flags, none) };
        done != 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
    };
    let flags = [libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as c_long, 0];
    *FLAGS.get_or_init(|| flags.into_iter().find(knows))
}
