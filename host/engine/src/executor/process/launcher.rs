//! The thread that starts every process. It lives as long as the host, so `PR_SET_PDEATHSIG` ties
//! the processes to the host.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use rustix::process::{PidfdFlags, getpid, pidfd_open};
use tokio::sync::oneshot;

use super::containment::Containment;
use super::exhausted;
use super::process_tree::{Owned, ProcessTree};
use super::spawn::{self, Program};

enum Order {
    Start(
        Box<Program>,
        Owned,
        oneshot::Sender<io::Result<ProcessTree>>,
    ),
    Probe(oneshot::Sender<io::Result<Found>>),
}

/// The strongest PID namespace that this machine allows, or `Session`, and why it is not stronger.
type Found = (Containment, String);

/// Set once the answer is final.
static KNOWN: OnceLock<Found> = OnceLock::new();

/// Starts a program, which then owns `owned`. Dropping the future ends the program.
pub(super) async fn start(program: Program, owned: Owned) -> io::Result<ProcessTree> {
    let (reply, answer) = oneshot::channel();
    send(Order::Start(Box::new(program), owned, reply))?;
    answer.await.map_err(|_| gone())?
}

/// Finds the strongest PID namespace, once.
///
/// # Errors
/// When a resource is used up, so that the kernel cannot answer now.
pub(super) async fn namespace() -> io::Result<Found> {
    if let Some(known) = KNOWN.get() {
        return Ok(known.clone());
    }
    let (reply, answer) = oneshot::channel();
    send(Order::Probe(reply))?;
    answer.await.map_err(|_| gone())?
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
                    // The call was cancelled while it waited here. Dropping it closes its
                    // descriptors.
                    (Order::Start(_, _, reply), _) if reply.is_closed() => {}
                    (Order::Start(program, owned, reply), Ok(host)) => {
                        let started = spawn::spawn_registered(&program, host);
                        let hold = |started| ProcessTree::new(started, program.containment, owned);
                        // If the receiver is gone, dropping the process ends it.
                        reply.send(started.map(hold)).ok();
                    }
                    (Order::Probe(reply), Ok(host)) => {
                        reply.send(probe(host)).ok();
                    }
                    (Order::Start(_, _, reply), Err(error)) => {
                        reply.send(Err((*error).into())).ok();
                    }
                    (Order::Probe(reply), Err(error)) => {
                        reply.send(Err((*error).into())).ok();
                    }
                }
            }
        };
        // Without the thread every order fails with a message.
        std::thread::Builder::new()
            .name("kael-launcher".to_owned())
            .spawn(body)
            .ok();
        orders
    });
    launcher.send(order).map_err(|_| gone())
}

/// Tries the strongest first, and remembers the answer. If a resource is used up, the result is an
/// error and not a weaker namespace: an action may have used it up to get a weaker one.
fn probe(host: &OwnedFd) -> io::Result<Found> {
    let root = rustix::process::geteuid().is_root();
    let with = |user, read_only| Containment::Namespace { user, read_only };
    let ladder = [
        with(!root, true),
        with(true, true),
        with(!root, false),
        with(true, false),
    ];
    let mut why = String::new();
    for containment in ladder {
        let user = matches!(containment, Containment::Namespace { user: true, .. });
        match spawn::probe(containment, host) {
            Ok(()) => return Ok(remember((containment, why))),
            Err(error) if exhausted::is_used_up(&error, user) => {
                return Err(exhausted::describe(error));
            }
            Err(error) if why.is_empty() => why = exhausted::describe(error).to_string(),
            Err(_) => {}
        }
    }
    Ok(remember((Containment::Session, why)))
}

fn remember(found: Found) -> Found {
    KNOWN.get_or_init(|| found).clone()
}
