//! The seccomp filter for actions. The host builds it once, and each child installs it.
//!
//! It refuses system calls that reach other processes, leave or multiply namespaces, hold up
//! processes that open a file, read the machine's network traffic, or leave something behind that
//! belongs to no process. It allows all others.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libc::sock_filter;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::kernel_features;

/// Refused with any arguments.
const REFUSED: [i64; 31] = [
    // Other processes: their memory, registers and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Namespaces and mounts.
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_by_handle_at,
    // Keys outlive the processes that made them.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Parts of the kernel that ordinary programs do not need, and where most of its holes were
    // found.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
];

/// Refused unless the call has its own IPC namespace: the kernel would keep these objects after the
/// call.
const LASTING: [i64; 4] = [
    libc::SYS_shmget,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
];

/// The namespaces that `clone` can make. `unshare` can make one more.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
const TIME_NAMESPACE: i32 = 0x80;

/// The socket families that actions may use: local ones, those of the internet, and netlink, which
/// reads interfaces and routes.
const FAMILIES: [i32; 4] = [
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];
/// The type of a socket, without its flags.
const SOCKET_TYPE: u64 = 0xf;
/// With an internet family, another way to ask for a packet socket.
const SOCK_PACKET: i32 = 10;

/// libc does not define it on all architectures. The number is the same on all.
const SYS_CLONE3: i64 = 435;
/// System calls of the x32 interface have this bit.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

// Instructions of classic BPF, see linux/filter.h.
const LOAD_WORD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// What the filter does with a system call.
enum Verdict {
    Allow,
    Refuse,
    /// Answers as if the kernel did not have it.
    Unknown,
    /// Decides by the arguments.
    Ask(Vec<SeccompRule>),
}

/// The filter as the kernel's program.
pub(super) struct Filter {
    /// For a call with its own IPC namespace.
    pub(super) own_ipc: Vec<sock_filter>,
    /// For a call without one.
    pub(super) shared_ipc: Vec<sock_filter>,
}

static FILTER: LazyLock<Result<Filter, String>> = LazyLock::new(|| {
    if !kernel_features::has_filters() {
        return Err("the kernel offers no filters of system calls".to_owned());
    }
    Filter::build().map_err(|error| error.to_string())
});

impl Filter {
    /// The filter of this process. An error says why the kernel has none.
    pub(super) fn get() -> Result<&'static Self, &'static str> {
        FILTER.as_ref().map_err(String::as_str)
    }

    fn build() -> Result<Self, BackendError> {
        let mut verdicts = verdicts()?;
        let own_ipc = program(&verdicts)?;
        verdicts.extend(LASTING.map(|call| (call, Verdict::Refuse)));
        let shared_ipc = program(&verdicts)?;
        Ok(Self {
            own_ipc,
            shared_ipc,
        })
    }
}

/// By the number of the system call. All others are allowed.
type Verdicts = BTreeMap<i64, Verdict>;

fn verdicts() -> Result<Verdicts, BackendError> {
    let refused = REFUSED.into_iter().map(|call| (call, Verdict::Refuse));
    let mut verdicts: Verdicts = refused.collect();
    // Its flags are in memory, which filters cannot read. Without clone3 the C library uses
    // `clone`.
    verdicts.insert(SYS_CLONE3, Verdict::Unknown);
    let mut ask = |call, rules| verdicts.insert(call, Verdict::Ask(rules));
    let has = |flag: &i32| {
        let flag = u64::from(flag.cast_unsigned());
        rule(&[(0, SeccompCmpOp::MaskedEq(flag), flag)])
    };
    let clone = NAMESPACES.iter().map(has).collect::<Result<_, _>>()?;
    ask(libc::SYS_clone, clone);
    let unshare = NAMESPACES.iter().chain([&TIME_NAMESPACE]).map(has);
    ask(libc::SYS_unshare, unshare.collect::<Result<_, _>>()?);
    let lease = (1, SeccompCmpOp::Eq, libc::F_SETLEASE as u64);
    ask(libc::SYS_fcntl, vec![rule(&[lease])?]);
    let others = FAMILIES.map(|family| (0, SeccompCmpOp::Ne, family as u64));
    let mut sockets = vec![rule(&others)?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in [libc::SOCK_RAW, SOCK_PACKET] {
            sockets.push(rule(&[
                (0, SeccompCmpOp::Eq, family as u64),
                (1, SeccompCmpOp::MaskedEq(SOCKET_TYPE), kind as u64),
            ])?);
        }
    }
    ask(libc::SYS_socket, sockets);
    Ok(verdicts)
}

/// True if all conditions on the arguments hold. Compares 32-bit words, because the kernel reads
/// only those in these calls.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, BackendError> {
    let condition = |(argument, how, value): &(u8, SeccompCmpOp, u64)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, how.clone(), *value)
    };
    SeccompRule::new(conditions.iter().map(condition).collect::<Result<_, _>>()?)
}

/// The whole program. On installation the kernel tries it with every number, so it decides by
/// bisection, in few steps.
fn program(verdicts: &Verdicts) -> Result<Vec<sock_filter>, BackendError> {
    let mut first = vec![
        // Ends programs of another architecture, whose numbers mean other calls.
        step(LOAD_WORD, 4, 0, 0),
        step(JUMP_IF_EQUAL, arch()?.1, 1, 0),
        step(RETURN, libc::SECCOMP_RET_KILL_PROCESS, 0, 0),
        // The number of the system call.
        step(LOAD_WORD, 0, 0, 0),
    ];
    #[cfg(target_arch = "x86_64")]
    first.extend([
        step(JUMP_IF_AT_LEAST, X32, 0, 1),
        step(RETURN, unknown(), 0, 0),
    ]);
    // Each part begins at a number and holds until the next part.
    let mut parts: Vec<(u32, Vec<sock_filter>)> = vec![(0, leaf(0, &Verdict::Allow)?)];
    for (call, verdict) in verdicts {
        let (from, leaf_of) = (*call as u32, leaf(*call, verdict)?);
        let before = parts.pop_if(|(last, _)| *last == from);
        // Merges neighbours with the same verdict.
        match (&before, parts.last()) {
            (Some(_), Some((_, last))) if is_same(last, &leaf_of) => {}
            _ => parts.push((from, leaf_of)),
        }
        parts.push((from + 1, leaf(0, &Verdict::Allow)?));
    }
    first.extend(tree(&parts));
    Ok(first)
}

fn is_same(a: &[sock_filter], b: &[sock_filter]) -> bool {
    matches!((a, b), ([a], [b]) if (a.code, a.k) == (b.code, b.k))
}

/// Finds the part of a number by bisection.
fn tree(parts: &[(u32, Vec<sock_filter>)]) -> Vec<sock_filter> {
    if let [(_, leaf)] = parts {
        return leaf.clone();
    }
    let (low, high) = parts.split_at(parts.len() / 2);
    let (middle, below) = (high[0].0, tree(low));
    // A conditional jump reaches at most 255 steps.
    let mut steps = match u8::try_from(below.len()) {
        Ok(length) => vec![step(JUMP_IF_AT_LEAST, middle, length, 0)],
        Err(_) => vec![
            step(JUMP_IF_AT_LEAST, middle, 0, 1),
            step(JUMP, below.len() as u32, 0, 0),
        ],
    };
    steps.extend(below);
    steps.extend(tree(high));
    steps
}

fn leaf(call: i64, verdict: &Verdict) -> Result<Vec<sock_filter>, BackendError> {
    let give = |action| Ok(vec![step(RETURN, action, 0, 0)]);
    match verdict {
        Verdict::Allow => give(libc::SECCOMP_RET_ALLOW),
        Verdict::Refuse => give(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        Verdict::Unknown => give(unknown()),
        Verdict::Ask(rules) => {
            let rules = BTreeMap::from([(call, rules.clone())]);
            let refuse = SeccompAction::Errno(libc::EPERM as u32);
            let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch()?.0)?;
            let compiled: BpfProgram = filter.try_into()?;
            let own = compiled.into_iter();
            Ok(own
                .map(|own| step(own.code, own.k, own.jt, own.jf))
                .collect())
        }
    }
}

fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn unknown() -> u32 {
    libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32
}

/// The architecture of this machine, and its number in the kernel (AUDIT_ARCH_* of linux/audit.h).
fn arch() -> Result<(TargetArch, u32), BackendError> {
    let arch = std::env::consts::ARCH.try_into()?;
    let number = match arch {
        TargetArch::x86_64 => 0xc000_003e,
        TargetArch::aarch64 => 0xc000_00b7,
        TargetArch::riscv64 => 0xc000_00f3,
    };
    Ok((arch, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel does. Returns its answer and the number of steps.
    fn run(program: &[sock_filter], call: i64, arguments: [u64; 2]) -> (u32, usize) {
        let (mut at, mut value, mut steps) = (0, 0_u32, 0);
        loop {
            let step = &program[at];
            steps += 1;
            at += 1;
            let mut jump = |holds: bool| at += usize::from(if holds { step.jt } else { step.jf });
            match step.code {
                LOAD_WORD => {
                    value = match step.k {
                        0 => call as u32,
                        4 => arch().expect("known").1,
                        offset => {
                            let at = (offset - 16) as usize;
                            (arguments[at / 8] >> (8 * (at % 8))) as u32
                        }
                    }
                }
                0x54 => value &= step.k,
                JUMP => at += step.k as usize,
                JUMP_IF_EQUAL => jump(value == step.k),
                JUMP_IF_AT_LEAST => jump(value >= step.k),
                RETURN => return (step.k, steps),
                code => panic!("instruction {code:#x}"),
            }
        }
    }

    #[test]
    fn every_system_call_is_judged_in_few_steps() {
        let filter = Filter::build().expect("a filter");
        let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        let allowed = libc::SECCOMP_RET_ALLOW;
        let asked = [
            libc::SYS_clone,
            libc::SYS_unshare,
            libc::SYS_fcntl,
            libc::SYS_socket,
        ];
        for call in (0..600).filter(|call| !asked.contains(call)) {
            for (program, lasts) in [(&filter.own_ipc, false), (&filter.shared_ipc, true)] {
                let expected = match call {
                    SYS_CLONE3 => unknown(),
                    call if REFUSED.contains(&call) => refused,
                    call if lasts && LASTING.contains(&call) => refused,
                    _ => allowed,
                };
                let (answer, steps) = run(program, call, [0; 2]);
                assert_eq!(answer, expected, "{call}");
                assert!(steps <= 14, "{call}: {steps}");
            }
        }
        let program = &filter.own_ipc;
        let answer = |call, arguments| run(program, call, arguments).0;
        let thread = libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND;
        assert_eq!(answer(libc::SYS_clone, [thread as u64, 0]), allowed);
        for flag in NAMESPACES {
            let flags = u64::from((flag | thread).cast_unsigned());
            assert_eq!(answer(libc::SYS_clone, [flags, 0]), refused);
            assert_eq!(answer(libc::SYS_unshare, [flags, 0]), refused);
        }
        assert_eq!(answer(libc::SYS_unshare, [0x80, 0]), refused);
        assert_eq!(
            answer(libc::SYS_unshare, [libc::CLONE_FS as u64, 0]),
            allowed
        );
        assert_eq!(
            answer(libc::SYS_fcntl, [3, libc::F_SETLEASE as u64]),
            refused
        );
        assert_eq!(answer(libc::SYS_fcntl, [3, libc::F_SETLK as u64]), allowed);
        let socket =
            |family: i32, kind: i32| answer(libc::SYS_socket, [family as u64, kind as u64]);
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        for family in FAMILIES {
            assert_eq!(socket(family, libc::SOCK_STREAM | flags), allowed);
        }
        assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW), allowed);
        assert_eq!(socket(libc::AF_INET, libc::SOCK_DGRAM), allowed);
        for (family, kind) in [
            (libc::AF_INET, libc::SOCK_RAW | flags),
            (libc::AF_INET6, libc::SOCK_RAW),
            (libc::AF_INET, SOCK_PACKET),
            (libc::AF_PACKET, libc::SOCK_DGRAM),
            (libc::AF_VSOCK, libc::SOCK_STREAM),
            (-1, libc::SOCK_STREAM),
        ] {
            assert_eq!(socket(family, kind), refused, "{family} {kind}");
        }
        #[cfg(target_arch = "x86_64")]
        assert_eq!(answer(i64::from(X32) | libc::SYS_ptrace, [0; 2]), unknown());
    }
}
