//! What keeps the processes of one call together, and ends them all.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;

use super::cgroup::Group;
use super::descriptors::Share;
use super::spawn::{self, Containment, Started};
use super::{Ending, Usage, orphan_reaper};
use crate::permit::Permit;

/// The groups of one call.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Holds its processes together, where there is no PID namespace.
    pub(super) holding: Option<Group>,
    /// Counts them.
    pub(super) counting: Option<Group>,
}

/// What is left of a call that has ended. Dropping it takes its time: the kernel waits for all processors before a mount
/// namespace is gone, and a group is a folder.
#[derive(Debug, Default)]
pub struct DeferredCleanup {
    _mounts: Option<OwnedFd>,
    _owned: Owned,
}

/// What a call has beside its processes, and gives back when these are gone; in this order.
#[derive(Debug, Default)]
pub(super) struct Owned {
    pub(super) groups: Groups,
    /// The `TMPDIR` of all its processes.
    pub(super) marker: Option<OsString>,
    /// Of the descriptors of this process.
    pub(super) share: Option<Share>,
    pub(super) permit: Option<Permit>,
}

/// The first process of a call with what holds the others. Dropping it ends them all.
pub(super) struct ProcessTree(Option<Call>);

struct Call {
    started: Started,
    containment: Containment,
    owned: Owned,
}

/// Calls whose processes are being ended.
static ENDING: AtomicUsize = AtomicUsize::new(0);

/// The `TMPDIR` of every call that is known by nothing else.
static MARKED: Mutex<Vec<OsString>> = Mutex::new(Vec::new());

fn marked<T>(change: impl FnOnce(&mut Vec<OsString>) -> T) -> T {
    change(&mut MARKED.lock().unwrap_or_else(PoisonError::into_inner))
}

impl ProcessTree {
    pub(super) fn new(started: Started, containment: Containment, owned: Owned) -> Self {
        if containment == Containment::Session {
            marked(|known| known.extend(owned.marker.clone()));
        }
        Self(Some(Call {
            started,
            containment,
            owned,
        }))
    }

    /// Readable when the first process has ended.
    pub(super) fn watch(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let call = self.0.as_ref().ok_or(io::ErrorKind::NotFound)?;
        spawn::watch(call.started.pidfd.try_clone()?)
    }

    /// The process group of the first.
    pub(super) fn group(&self) -> Option<i32> {
        self.0.as_ref().map(|call| call.started.pid)
    }

    /// Ends all of them; the first may have ended by itself and not be reaped yet.
    pub(super) fn kill(&self) {
        if let Some(call) = &self.0 {
            call.kill();
        }
    }

    /// Takes the status of the first, when all have ended.
    pub(super) fn reap(mut self) -> (Ending, Usage, DeferredCleanup) {
        let Some(mut call) = self.0.take() else {
            let ending = Ending::Signaled(libc::SIGKILL);
            return (ending, Usage::default(), DeferredCleanup::default());
        };
        let (ending, usage) = call.started.reap();
        // Nobody asks why a process succeeded.
        let refused = match ending {
            Ending::Exited(0) => 0,
            _ => {
                let groups = &call.owned.groups;
                let groups = [&groups.counting, &groups.holding];
                groups.into_iter().flatten().map(Group::refused).sum()
            }
        };
        let leftover = DeferredCleanup {
            _mounts: call.started.mounts.take(),
            _owned: Owned {
                groups: std::mem::take(&mut call.owned.groups),
                marker: None,
                share: call.owned.share.take(),
                permit: call.owned.permit.take(),
            },
        };
        (ending, Usage { refused, ..usage }, leftover)
    }
}

impl Call {
    fn kill(&self) {
        match self.containment {
            // The kernel ends the others with the first.
            Containment::Namespace { .. } => self.started.kill(),
            Containment::Group => {
                if let Some(group) = &self.owned.groups.holding {
                    // What is killed needs a moment to be gone.
                    for _ in 0..500 {
                        if !group.kill() {
                            break;
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                self.started.kill();
            }
            Containment::Subreaper => {
                orphan_reaper::kill_tree(self.started.pid);
                self.started.kill();
            }
            Containment::Session => {
                self.started.kill();
                if let Some(marker) = &self.owned.marker {
                    orphan_reaper::kill_marked(marker);
                }
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // What has no group left to be found in came to the host.
        if self.containment == Containment::Subreaper {
            orphan_reaper::kill_orphans(&marked(|known| known.clone()));
        }
        if self.containment == Containment::Session {
            marked(|known| known.retain(|known| Some(known) != self.owned.marker.as_ref()));
        }
    }
}

impl Drop for ProcessTree {
    fn drop(&mut self) {
        let Some(mut call) = self.0.take() else {
            return;
        };
        if matches!(call.containment, Containment::Namespace { .. }) {
            call.kill();
        }
        // It is dying; waiting for that is not the caller's business.
        ENDING.fetch_add(1, Ordering::AcqRel);
        let end = move || {
            call.kill();
            call.started.reap();
            drop(call);
            ENDING.fetch_sub(1, Ordering::AcqRel);
        };
        let thread = thread::Builder::new().name("kael-reaper".to_owned());
        if thread.spawn(end).is_err() {
            // The closure was dropped, and the call with it: that ended its first process.
            ENDING.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Waits until what abandoned calls started has ended, or the time is over.
pub(super) fn finish(within: Duration) {
    let deadline = Instant::now() + within;
    while ENDING.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
}
