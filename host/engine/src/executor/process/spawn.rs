//! Starts a process as pid 1 of its own PID namespace: when it ends, the kernel kills everything
//! that it started.
//!
//! Double forks, `setsid` and daemons do not escape that. The namespace has its own `/proc`. Where
//! the kernel refuses it (not root, no user namespaces), `process_tree` uses other means.
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

use libc::{c_char, c_int, c_void};
use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::child::{self, Mount, Plan, Step, child};
use super::containment::Containment;
use super::filter::Filter;
use super::kernel_features::filter_flags;
use super::landlock_rules;
use super::orphan_reaper::{self, Registration};
use super::step_error::StepFailed;
use super::{Ending, Usage, exhausted};

/// A program and everything that it starts with.
pub(crate) struct Program {
    pub(crate) path: CString,
    pub(crate) args: Vec<CString>,
    /// `NAME=value`: the whole environment.
    pub(crate) env: Vec<CString>,
    pub(crate) folder: CString,
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    pub(crate) containment: Containment,
    /// Files to which the child writes `0` to join its control groups.
    pub(crate) groups: Vec<OwnedFd>,
    /// Resource limits, by number.
    pub(crate) limits: Vec<(c_int, libc::rlimit64)>,
    /// None: the process may write the paths that its user may write.
    pub(crate) confined: Option<Confined>,
}

/// What a confined process may write and read.
pub(crate) struct Confined {
    /// A Landlock ruleset. None if the kernel has no Landlock.
    pub(crate) ruleset: Option<OwnedFd>,
    /// Whether the ruleset restricts reading, so that the process needs a rule for its own `/proc`.
    pub(crate) reads_own_proc: bool,
    /// Files and folders.
    pub(crate) writable: Vec<Kept>,
    /// The temporary folder, which also appears as `/dev/shm`.
    pub(crate) temporary: Option<Kept>,
    /// Files and folders that it does not see, where it has a namespace.
    pub(crate) hidden: Vec<Hidden>,
    /// Bytes of System V shared memory for the whole call.
    pub(crate) shared_memory: u64,
}

/// A path that stays writable, as the host checked it.
pub(crate) struct Kept {
    /// Without symbolic links.
    pub(crate) path: CString,
    /// Its device and inode.
    pub(crate) identity: (u64, u64),
}

/// A path in whose place a process finds nothing.
pub(crate) struct Hidden {
    /// Without symbolic links.
    pub(crate) path: CString,
    pub(crate) is_folder: bool,
}

/// A running process. Dropping it kills it.
pub(crate) struct Started {
    pub(crate) pidfd: OwnedFd,
    /// Its pid outside the namespace. Also its process group.
    pub(crate) pid: i32,
    /// Keeps its mount namespace alive. Without this, the kernel would remove the mounts before it
    /// reports the end of the process, and would wait for all processors. The clean-up drops it
    /// later.
    pub(crate) mounts: Option<OwnedFd>,
    /// Whether it was reaped. Then its pid may belong to another process.
    reaped: bool,
    /// Keeps `orphan_reaper` from taking it for an orphan.
    registration: Option<Registration>,
}

impl Started {
    /// Kills it and its process group.
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
    }
}

/// Starts the program, and lists it before a search for orphans can find it.
///
/// The calling thread must fulfil the conditions of `spawn`.
pub(super) fn spawn_registered(program: &Program, host: &OwnedFd) -> io::Result<Started> {
    let mut started = orphan_reaper::started();
    let mut fresh = spawn(program, host)?;
    fresh.registration = Some(started.register(fresh.pid));
    Ok(fresh)
}

/// Starts the program. The calling thread must live as long as the host and block every signal: the
/// process is killed when the thread ends, and it shares the host's memory until it executes the
/// program.
fn spawn(program: &Program, host: &OwnedFd) -> io::Result<Started> {
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
        proc_rights: match confined {
            Some(confined) if confined.reads_own_proc => landlock_rules::reading().bits(),
            _ => 0,
        },
        hidden: confined.map(hidden).unwrap_or_default(),
        mounts,
        ..Plan::new(program.containment, host)
    })
}

/// Whether the kernel allows this containment. The child ends without executing anything.
pub(crate) fn probe(containment: Containment, host: &OwnedFd) -> io::Result<()> {
    let plan = Plan {
        confined: true,
        ..Plan::new(containment, host)
    };
    start(&plan).map(|mut started| {
        started.reap();
    })
}

fn hidden(confined: &Confined) -> Vec<child::Hidden> {
    let hidden = confined.hidden.iter().map(|hidden| child::Hidden {
        path: hidden.path.as_ptr(),
        is_folder: hidden.is_folder,
    });
    hidden.collect()
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
    // A mount over `/dev/shm` would hide paths below it.
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

/// One filter for a process with its own bounded IPC namespace, and one for other processes.
fn filters() -> Option<[libc::sock_fprog; 2]> {
    let filter = Filter::get().ok()?;
    // The kernel only reads the filters.
    let program = |steps: &[libc::sock_filter]| libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_ptr().cast_mut(),
    };
    Some([program(&filter.own_ipc), program(&filter.shared_ipc)])
}

/// The limits of an IPC namespace: pages of System V memory, semaphores (as in kernels before
/// 3.19), and message queues. Without them a call could use unlimited kernel memory.
fn ipc_bounds(shared_memory: u64) -> [(&'static CStr, CString); 3] {
    let text = |text: String| CString::new(text).unwrap_or_default();
    let pages = shared_memory / rustix::param::page_size() as u64;
    [
        (c"/proc/sys/kernel/shmall", text(pages.to_string())),
        (c"/proc/sys/kernel/sem", text("250 32000 32 128".to_owned())),
        (c"/proc/sys/kernel/msgmni", text("128".to_owned())),
    ]
}

/// A kernel may have no IPC namespaces, or allow none. The other namespaces work without them.
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
            proc_rights: 0,
            hidden: Vec::new(),
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
    // SAFETY: the child runs `child` on its own stack (its top is the end of `stack`, aligned to
    // 16). CLONE_VFORK keeps this thread waiting until the child has executed the program or
    // exited, so `plan` and `stack` outlive its use of them. CLONE_PIDFD writes to the address
    // given as parent_tid.
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
    // SAFETY: the kernel opened this descriptor for us, and no other code knows it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let mut started = Started {
        pidfd,
        pid,
        mounts: None,
        reaped: false,
        registration: None,
    };
    match plan.errno.load(Ordering::Acquire) {
        0 => {
            if !plan.path.is_null() && matches!(plan.containment, Containment::Namespace { .. }) {
                // The process may have ended already. Then there is nothing to keep.
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

/// Waits for the end of a process. Returns its status, and what it used with the children that it
/// waited for.
fn reap(pidfd: &OwnedFd) -> (Ending, Usage) {
    // SAFETY: both are plain data, for which zeroes are values.
    let (mut info, mut usage): (libc::siginfo_t, libc::rusage) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    loop {
        // SAFETY: the system call has a fifth argument, which libc's wrapper lacks. It writes to
        // the two locals.
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

/// A pidfd that becomes readable when its process has ended.
pub(crate) fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` gives the same open descriptor for as long as it lives.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }.map_err(io::Error::from)
}

/// Blocks every signal in this thread.
pub(crate) fn block_signals() {
    // SAFETY: sigfillset initialises the set, and changing this thread's own mask has no other
    // effect.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, ptr::null_mut());
    }
}
