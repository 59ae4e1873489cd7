//! The thread that starts every process: it lives as long as the host, so that `PR_SET_PDEATHSIG` ties them to it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use rustix::process::{PidfdFlags, getpid, pidfd_open};
use tokio::sync::oneshot;

use super::spawn::{self, Containment, Program, Started};

struct Order {
    program: Program,
    contained: bool,
    reply: oneshot::Sender<io::Result<(Started, Containment)>>,
}

/// Starts a program, contained as well as this machine allows, or as the leader of a session.
pub(super) async fn start(program: Program, contained: bool) -> io::Result<(Started, Containment)> {
    static LAUNCHER: OnceLock<Sender<Order>> = OnceLock::new();
    let (reply, answer) = oneshot::channel();
    let launcher = LAUNCHER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        let body = move || {
            spawn::block_signals();
            let host = pidfd_open(getpid(), PidfdFlags::empty());
            let mut allowed = None;
            for order in inbox {
                let started = match &host {
                    Ok(host) => launch(&order, host, &mut allowed),
                    Err(problem) => Err((*problem).into()),
                };
                // When nobody waits for it any more, dropping it ends it.
                order.reply.send(started).ok();
            }
        };
        // Without the thread no order is answered, and `start` says so.
        std::thread::Builder::new()
            .name("kael-launcher".to_owned())
            .spawn(body)
            .ok();
        orders
    });
    let gone = || io::Error::other("the thread that starts processes is gone");
    launcher
        .send(Order {
            program,
            contained,
            reply,
        })
        .map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

/// Tries the strongest containment first and remembers what this machine refuses.
fn launch(
    order: &Order,
    host: &OwnedFd,
    allowed: &mut Option<Containment>,
) -> io::Result<(Started, Containment)> {
    if !order.contained {
        return spawn::spawn(&order.program, Containment::Session, host)
            .map(|s| (s, Containment::Session));
    }
    if let Some(containment) = *allowed {
        return spawn::spawn(&order.program, containment, host)
            .map(|started| (started, containment));
    }
    let root = rustix::process::geteuid().is_root();
    let ladder = [
        Containment::Namespace { user: !root },
        Containment::Namespace { user: true },
        Containment::Session,
    ];
    let mut refused = false;
    let mut last = io::Error::other("no containment");
    for containment in ladder {
        match spawn::spawn(&order.program, containment, host) {
            Ok(started) => {
                if containment == Containment::Session {
                    tracing::info!(
                        "this machine refuses PID namespaces: {last}; processes are swept instead"
                    );
                }
                if refused || containment == ladder[0] {
                    *allowed = Some(containment);
                }
                return Ok((started, containment));
            }
            Err(problem) => {
                // What was refused once will be again; anything else may have passed by the next time.
                refused = matches!(
                    problem.kind(),
                    io::ErrorKind::PermissionDenied
                        | io::ErrorKind::InvalidInput
                        | io::ErrorKind::Unsupported
                );
                last = problem;
            }
        }
    }
    Err(last)
}
