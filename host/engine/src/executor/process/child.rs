//! The code of a new process between `clone` and `execve`: it sets up its namespaces, drops rights,
//! and executes the program.
#![expect(
    unsafe_code,
    reason = "between clone(2) with CLONE_VM and execve(2) nothing but system calls may happen, and few have safe wrappers"
)]

use std::ffi::{CStr, CString};
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_char, c_int, c_long, c_void};

use super::containment::Containment;

/// Prepared by the parent, because the child may not allocate.
pub(super) struct Plan {
    /// Null for a child that only tests the containment.
    pub(super) path: *const c_char,
    pub(super) argv: *const *const c_char,
    pub(super) envp: *const *const c_char,
    pub(super) folder: *const c_char,
    pub(super) stdio: [RawFd; 3],
    pub(super) host: RawFd,
    pub(super) containment: Containment,
    pub(super) uid_map: CString,
    pub(super) gid_map: CString,
    /// Files to which the child writes `0` to join its control groups.
    pub(super) groups: Vec<RawFd>,
    pub(super) limits: Vec<(c_int, libc::rlimit64)>,
    /// Whether to drop the capabilities that are not in `KEPT` and to mount everything outside of
    /// `mounts` read-only.
    pub(super) confined: bool,
    /// Whether it has an IPC namespace of its own.
    pub(super) own_ipc: bool,
    /// Limits of its IPC namespace: files below `/proc/sys/kernel`, and the texts to write to them.
    pub(super) ipc_bounds: [(&'static CStr, CString); 3],
    /// Filters of system calls: one for a process with a bounded IPC namespace of its own, one for
    /// other processes. Empty if the kernel has no filters or none is wanted.
    pub(super) filters: [libc::sock_fprog; 2],
    /// The flags for installing a filter.
    pub(super) filter_flags: c_long,
    /// A Landlock ruleset, or -1.
    pub(super) ruleset: RawFd,
    /// The rights of Landlock that it has on its own `/proc`. 0 if the ruleset restricts none of
    /// them.
    pub(super) proc_rights: u64,
    /// Paths in whose place there is nothing: folders are empty there, and files.
    pub(super) hidden: Vec<Hidden>,
    /// Paths that stay writable while everything else is mounted read-only.
    pub(super) mounts: Vec<Mount>,
    /// The errno of the failed step, and the number of the step.
    pub(super) errno: AtomicI32,
    pub(super) step: AtomicI32,
}

/// A file or folder that a confined process does not see.
pub(super) struct Hidden {
    /// Without symbolic links.
    pub(super) path: *const c_char,
    pub(super) is_folder: bool,
}

/// A file or folder that stays writable.
pub(super) struct Mount {
    pub(super) from: *const c_char,
    /// The device and inode that the host checked. `from` must still lead there, without a symbolic
    /// link.
    pub(super) identity: (u64, u64),
    /// Another path at which it also appears, if that path exists. Null: only its own path.
    pub(super) to: *const c_char,
    /// The open file or folder at `from`.
    pub(super) place: AtomicI32,
    pub(super) tree: AtomicI32,
}

/// The steps that can fail.
pub(super) struct Step;

impl Step {
    pub(super) const USER: i32 = 1;
    pub(super) const PROC: i32 = 2;
    pub(super) const READ_ONLY: i32 = 3;
    pub(super) const GROUP: i32 = 4;
    pub(super) const LIMITS: i32 = 5;
    pub(super) const CAPABILITIES: i32 = 6;
    pub(super) const LANDLOCK: i32 = 7;
    pub(super) const STDIO: i32 = 8;
    pub(super) const FOLDER: i32 = 9;
    pub(super) const FILTER: i32 = 10;
    pub(super) const EXEC: i32 = 11;
    pub(super) const HIDE: i32 = 12;

    pub(super) fn name(step: i32) -> &'static str {
        match step {
            Self::USER => "mapping the user",
            Self::PROC => "mounting /proc",
            Self::READ_ONLY => "mounting the file system read-only",
            Self::HIDE => "hiding Kael's own files",
            Self::GROUP => "joining its control group",
            Self::LIMITS => "setting its limits",
            Self::CAPABILITIES => "giving up capabilities",
            Self::LANDLOCK => "entering its Landlock domain",
            Self::STDIO => "wiring stdin, stdout and stderr",
            Self::FOLDER => "entering the folder",
            Self::FILTER => "installing its filter of system calls",
            _ => "executing the program",
        }
    }
}

/// The capabilities that an action keeps when Kael runs as root, by their numbers in
/// capabilities(7): files of all owners (0, 1, 3, 4), signals to its own processes (5), other users
/// (6, 7), low ports and ping (10, 13). Without the others it cannot raise its limits, mount, load
/// modules, trace, make devices or change the machine's settings.
const KEPT: u64 = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 10 | 1 << 13;

/// The capability for ping also lets a process read and forge network traffic, unless a filter
/// refuses raw sockets.
const RAW_SOCKETS: u64 = 1 << 13;

pub(super) extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its plan, which outlives this function. The code below makes only
    // system calls: it does not allocate, takes no lock, and changes no host memory except the
    // plan's atomics.
    unsafe {
        let plan = &*plan.cast::<Plan>();
        let fail = |step: i32| -> ! {
            plan.step.store(step, Ordering::Release);
            plan.errno
                .store(*libc::__errno_location(), Ordering::Release);
            libc::_exit(127)
        };
        // The host's signal handlers must not run here. All signals are blocked, and their handlers
        // are removed before they are unblocked.
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::setsid();
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // The host may have died before the previous step. Then its pidfd is readable.
        let mut host = libc::pollfd {
            fd: plan.host,
            events: libc::POLLIN,
            revents: 0,
        };
        if libc::poll(&raw mut host, 1, 0) > 0 {
            libc::_exit(127);
        }
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if plan.containment == Containment::Subreaper {
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        }
        for group in &plan.groups {
            // For the kernel, zero is the process that writes.
            if libc::write(*group, c"0".as_ptr().cast(), 1) != 1 {
                fail(Step::GROUP);
            }
        }
        // Whether its IPC objects are bounded and end with its own namespace.
        let mut bounded_ipc = false;
        if let Containment::Namespace { user, read_only } = plan.containment {
            if user
                && !(write(c"/proc/self/setgroups", c"deny")
                    && write(c"/proc/self/uid_map", &plan.uid_map)
                    && write(c"/proc/self/gid_map", &plan.gid_map))
            {
                fail(Step::USER);
            }
            if !own_proc() {
                fail(Step::PROC);
            }
            // The host cannot add this rule: before the mount there is another `/proc` at the path.
            if plan.ruleset >= 0 && plan.proc_rights != 0 && !allow_own_proc(plan) {
                fail(Step::LANDLOCK);
            }
            // In its own namespace these files are the namespace's. Some kernels let only the
            // machine's root change them.
            bounded_ipc = plan.confined
                && plan.own_ipc
                && plan.ipc_bounds.iter().all(|(file, text)| write(file, text));
            // First, so that what stays writable below has them hidden, too.
            if plan.confined && !hide(&plan.hidden) {
                fail(Step::HIDE);
            }
            if read_only && plan.confined && !all_read_only(&plan.mounts) {
                fail(Step::READ_ONLY);
            }
        }
        if plan.path.is_null() {
            libc::_exit(0);
        }
        for (target, fd) in plan.stdio.iter().enumerate() {
            // The host's descriptors are all above 2, because it was started with its own stdio
            // open.
            if libc::dup2(*fd, target as c_int) < 0 {
                fail(Step::STDIO);
            }
        }
        if libc::chdir(plan.folder) != 0 {
            fail(Step::FOLDER);
        }
        let kept = match plan.filters[0].len {
            0 => KEPT & !RAW_SOCKETS,
            _ => KEPT,
        };
        if plan.confined && libc::geteuid() == 0 && !give_up_capabilities(kept) {
            fail(Step::CAPABILITIES);
        }
        if plan.ruleset >= 0
            && libc::syscall(libc::SYS_landlock_restrict_self, plan.ruleset, 0_u32) != 0
        {
            fail(Step::LANDLOCK);
        }
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32);
        for (resource, limit) in &plan.limits {
            let limit: *const libc::rlimit64 = limit;
            let old = ptr::null_mut::<libc::rlimit64>();
            if libc::syscall(libc::SYS_prlimit64, 0, *resource, limit, old) != 0 {
                fail(Step::LIMITS);
            }
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        let filter = &plan.filters[usize::from(!bounded_ipc)];
        if filter.len > 0 {
            let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, plan.filter_flags);
            if libc::syscall(libc::SYS_seccomp, mode, flags, ptr::from_ref(filter)) != 0 {
                fail(Step::FILTER);
            }
        }
        libc::execve(plan.path, plan.argv, plan.envp);
        fail(Step::EXEC)
    }
}

/// # Safety
/// As for `child`, and in a mount namespace of its own.
unsafe fn own_proc() -> bool {
    let private = libc::MS_REC | libc::MS_PRIVATE;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    let (root, proc, none) = (c"/".as_ptr(), c"proc".as_ptr(), ptr::null());
    // SAFETY: all are valid C strings or null.
    unsafe {
        libc::mount(none, root, none, private, ptr::null()) == 0
            && libc::mount(proc, c"/proc".as_ptr(), proc, flags, ptr::null()) == 0
    }
}

/// Adds a rule for the `/proc` of its own namespace to its ruleset, which no other process uses.
///
/// # Safety
/// As for `child`, and behind `own_proc`.
unsafe fn allow_own_proc(plan: &Plan) -> bool {
    /// `landlock_path_beneath_attr` of the kernel's interface, which is packed.
    #[repr(C, packed)]
    struct PathBeneath {
        allowed_access: u64,
        parent_fd: i32,
    }
    const LANDLOCK_RULE_PATH_BENEATH: c_int = 1;
    // SAFETY: the path is a valid C string, and the kernel only reads the rule, which has its layout
    // and outlives the call.
    unsafe {
        let proc = libc::open(c"/proc".as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        if proc < 0 {
            return false;
        }
        let rule = PathBeneath {
            allowed_access: plan.proc_rights,
            parent_fd: proc,
        };
        let added = libc::syscall(
            libc::SYS_landlock_add_rule,
            plan.ruleset,
            LANDLOCK_RULE_PATH_BENEATH,
            &raw const rule,
            0_u32,
        );
        // The descriptor closes with the others, before the program is executed.
        added == 0
    }
}

/// Mounts an empty folder over each hidden folder, and `/dev/null` over each hidden file. What has
/// been removed meanwhile needs no hiding.
///
/// # Safety
/// As for `child`, and in a mount namespace of its own.
unsafe fn hide(hidden: &[Hidden]) -> bool {
    let locked = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    let (tmpfs, null, none) = (c"tmpfs".as_ptr(), c"/dev/null".as_ptr(), ptr::null());
    // SAFETY: all are valid C strings or null.
    hidden.iter().all(|hidden| unsafe {
        let options = c"size=4k,nr_inodes=2,mode=555".as_ptr().cast();
        let done = match hidden.is_folder {
            true => libc::mount(tmpfs, hidden.path, tmpfs, locked, options),
            false => libc::mount(null, hidden.path, none, libc::MS_BIND, ptr::null()),
        };
        done == 0 || *libc::__errno_location() == libc::ENOENT
    })
}

/// Mounts everything read-only, and then puts clones of `mounts` back, which keep the flags that
/// they had. Landlock does not cover modes, owners, times and attributes; this does.
///
/// # Safety
/// As for `child`, and in a mount namespace of its own.
unsafe fn all_read_only(mounts: &[Mount]) -> bool {
    let clone = libc::OPEN_TREE_CLONE | libc::AT_RECURSIVE as u32;
    // SAFETY: the paths are valid C strings, and the attributes are a `mount_attr` with its size.
    unsafe {
        for mount in mounts {
            let Some(place) = open_judged(mount) else {
                return false;
            };
            let itself = clone | libc::AT_EMPTY_PATH as u32;
            let tree = libc::syscall(libc::SYS_open_tree, place, c"".as_ptr(), itself);
            if tree < 0 {
                return false;
            }
            mount.place.store(place, Ordering::Relaxed);
            mount.tree.store(tree as i32, Ordering::Relaxed);
        }
        let mut attributes: libc::mount_attr = std::mem::zeroed();
        attributes.attr_set = libc::MOUNT_ATTR_RDONLY;
        let root = c"/".as_ptr();
        let all = libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            root,
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        );
        if all != 0 {
            return false;
        }
        for mount in mounts {
            let tree = mount.tree.load(Ordering::Relaxed);
            let (at, to, flags) = match mount.to.is_null() {
                // Mounts over the opened place itself: the path may lead elsewhere by now.
                true => (
                    mount.place.load(Ordering::Relaxed),
                    c"".as_ptr(),
                    libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH,
                ),
                false => (libc::AT_FDCWD, mount.to, libc::MOVE_MOUNT_F_EMPTY_PATH),
            };
            let here: c_long =
                libc::syscall(libc::SYS_move_mount, tree, c"".as_ptr(), at, to, flags);
            if here != 0 && mount.to.is_null() {
                return false;
            }
        }
        true
    }
}

/// Opens a writable path in this mount namespace: only if it is the file or folder that the host
/// checked, and not through a symbolic link.
///
/// # Safety
/// As for `child`.
unsafe fn open_judged(mount: &Mount) -> Option<c_int> {
    // SAFETY: the path is a valid C string, and `open_how` and `stat` are plain data for which
    // zeroes are values.
    unsafe {
        let mut how: libc::open_how = std::mem::zeroed();
        how.flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
        how.resolve = libc::RESOLVE_NO_SYMLINKS;
        let size = size_of::<libc::open_how>();
        let place = libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            mount.from,
            &raw const how,
            size,
        );
        let place = c_int::try_from(place).ok().filter(|place| *place >= 0)?;
        let mut stat: libc::stat = std::mem::zeroed();
        if libc::fstat(place, &raw mut stat) != 0 {
            return None;
        }
        if (stat.st_dev, stat.st_ino) != mount.identity {
            *libc::__errno_location() = libc::ESTALE;
            return None;
        }
        Some(place)
    }
}

/// # Safety
/// As for `child`.
unsafe fn give_up_capabilities(keep: u64) -> bool {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: c_int,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    // _LINUX_CAPABILITY_VERSION_3: two words of 32 capabilities each.
    let mut header = Header {
        version: 0x2008_0522,
        pid: 0,
    };
    let word = |kept: u32| Data {
        effective: kept,
        permitted: kept,
        inheritable: 0,
    };
    let none = Data {
        effective: 0,
        permitted: 0,
        inheritable: 0,
    };
    let mut had = [none; 2];
    // SAFETY: the two structures are those of capset(2), which reads them.
    unsafe {
        for capability in 0..64 {
            if keep & (1 << capability) == 0 {
                // Some capabilities are unknown to the kernel or were never held. Dropping those
                // may fail.
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
        }
        if libc::syscall(libc::SYS_capget, &raw mut header, &raw mut had) != 0 {
            return false;
        }
        // A container's root may have fewer than these.
        let data = [word(had[0].permitted & keep as u32), word(0)];
        libc::syscall(libc::SYS_capset, &raw const header, &raw const data) == 0
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
