//! The thread that starts every process: it lives as long as the host, so that `PR_SET_PDEATHSIG` ties them to it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use rustix::process::{PidfdFlags, getpid, pidfd_open};
use tokio::sync::oneshot;

use super::orphan_reaper;
use super::spawn::{self, Containment, Program, Started};

enum Order {
    Start(Box<Program>, oneshot::Sender<io::Result<Started>>),
    Probe(oneshot::Sender<Found>),
}

/// The strongest PID namespace that this machine allows, or `Session`; and why not a stronger one.
type Found = (Containment, String);

/// What is known for good.
static KNOWN: OnceLock<Found> = OnceLock::new();

/// Starts a program.
pub(super) async fn start(program: Program) -> io::Result<Started> {
    let (reply, answer) = oneshot::channel();
    send(Order::Start(Box::new(program), reply))?;
    answer.await.map_err(|_| gone())?
}

/// Asks what PID namespace there is, once.
pub(super) async fn namespace() -> Found {
    if let Some(known) = KNOWN.get() {
        return known.clone();
    }
    let (reply, answer) = oneshot::channel();
    let none = |problem: io::Error| (Containment::Session, problem.to_string());
    match send(Order::Probe(reply)) {
        Ok(()) => answer.await.unwrap_or_else(|_| none(gone())),
        Err(problem) => none(problem),
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts processes is gone")
}

fn send(order: Order) -> io::Result<()> {
    static LAUNCHER: OnceLock<Sender<Order>> = OnceLock::new();
    let launcher = LAUNCHER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        let body = move || {
            spawn::block_signals();
            let host = pidfd_open(getpid(), PidfdFlags::empty());
            for order in inbox {
                match (order, &host) {
                    // When nobody waits for it any more, dropping it ends it.
                    (Order::Start(program, reply), Ok(host)) => {
                        let start = || spawn::spawn(&program, host);
                        reply.send(orphan_reaper::note(start)).ok();
                    }
                    (Order::Probe(reply), Ok(host)) => {
                        reply.send(probe(host)).ok();
                    }
                    (Order::Start(_, reply), Err(problem)) => {
                        reply.send(Err((*problem).into())).ok();
                    }
                    (Order::Probe(reply), Err(problem)) => {
                        reply.send((Containment::Session, problem.to_string())).ok();
                    }
                }
            }
        };
        // Without the thread no order is answered, and that is said.
        std::thread::Builder::new()
            .name("kael-launcher".to_owned())
            .spawn(body)
            .ok();
        orders
    });
    launcher.send(order).map_err(|_| gone())
}

/// Tries the strongest first and remembers what this machine allows.
fn probe(host: &OwnedFd) -> Found {
    let root = rustix::process::geteuid().is_root();
    let with = |user, read_only| Containment::Namespace { user, read_only };
    let ladder = [
        with(!root, true),
        with(true, true),
        with(!root, false),
        with(true, false),
    ];
    let mut why = String::new();
    let mut lasting = true;
    for containment in ladder {
        match spawn::probe(containment, host) {
            Ok(()) => {
                return remember((containment, why), lasting);
            }
            Err(problem) => {
                // What was refused once will be again; anything else may have passed by the next time.
                lasting &= matches!(
                    problem.kind(),
                    io::ErrorKind::PermissionDenied
                        | io::ErrorKind::InvalidInput
                        | io::ErrorKind::Unsupported
                );
                if why.is_empty() {
                    why = match problem.raw_os_error() {
                        // In the kernel's words there would be no space left on a device.
                        Some(libc::ENOSPC) => "there may be no more namespaces".to_owned(),
                        _ => problem.to_string(),
                    };
                }
            }
        }
    }
    remember((Containment::Session, why), lasting)
}

fn remember(found: Found, lasting: bool) -> Found {
    if lasting {
        KNOWN.get_or_init(|| found.clone());
    }
    found
}
