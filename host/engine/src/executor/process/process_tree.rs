//! Keeps the processes of one call together, and ends all of them.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;

use super::cgroup::Group;
use super::containment::Containment;
use super::descriptors::Share;
use super::spawn::{self, Started};
use super::{Ending, Usage, orphan_reaper};
use crate::permit::Permit;

/// The control groups of one call.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Holds the call's processes together on machines without PID namespaces.
    pub(super) holding: Option<Group>,
    /// Counts the call's processes.
    pub(super) counting: Option<Group>,
}

/// What remains to be cleaned up after a call. Dropping it is slow: the kernel waits for all
/// processors before it removes a mount namespace, and a control group is a folder to delete.
#[derive(Debug, Default)]
pub struct DeferredCleanup {
    _mounts: Option<OwnedFd>,
    _owned: Owned,
}

/// What a call owns besides its processes. It is dropped after them, in this order.
#[derive(Debug, Default)]
pub(super) struct Owned {
    pub(super) groups: Groups,
    /// The `TMPDIR` of all its processes.
    pub(super) marker: Option<OsString>,
    /// Its share of the host's descriptors.
    pub(super) share: Option<Share>,
    pub(super) permit: Option<Permit>,
}

/// The first process of a call, and what holds the others. Dropping it ends all of them.
pub(super) struct ProcessTree(Option<Call>);

struct Call {
    started: Started,
    containment: Containment,
    owned: Owned,
}

/// How many calls are being ended on other threads.
static ENDING: AtomicUsize = AtomicUsize::new(0);

/// The `TMPDIR` of every call whose processes can only be found by it.
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

    /// Becomes readable when the first process has ended.
    pub(super) fn watch(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let call = self.0.as_ref().ok_or(io::ErrorKind::NotFound)?;
        spawn::watch(call.started.pidfd.try_clone()?)
    }

    /// The process group of the first process.
    pub(super) fn group(&self) -> Option<i32> {
        self.0.as_ref().map(|call| call.started.pid)
    }

    /// Kills all of them. The first may have ended already, but is not reaped yet.
    pub(super) fn kill(&self) {
        if let Some(call) = &self.0 {
            call.kill();
        }
    }

    /// Takes the status of the first process, after all have ended.
    pub(super) fn reap(mut self) -> (Ending, Usage, DeferredCleanup) {
        let Some(mut call) = self.0.take() else {
            let ending = Ending::Signaled(libc::SIGKILL);
            return (ending, Usage::default(), DeferredCleanup::default());
        };
        let (ending, usage) = call.started.reap();
        // Refused forks explain a failure only.
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
            // The kernel kills the others with the first.
            Containment::Namespace { .. } => self.started.kill(),
            Containment::Group => {
                if let Some(group) = &self.owned.groups.holding {
                    // A killed process takes a moment to disappear.
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
        // Processes that left every group became children of the host.
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
        // The processes are being killed. The caller need not wait until they are gone.
        ENDING.fetch_add(1, Ordering::AcqRel);
        let end = move || {
            call.kill();
            call.started.reap();
            drop(call);
            ENDING.fetch_sub(1, Ordering::AcqRel);
        };
        let thread = thread::Builder::new().name("kael-reaper".to_owned());
        if thread.spawn(end).is_err() {
            // The closure was dropped, and with it the call, which killed its first process.
            ENDING.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Waits until the processes of abandoned calls have ended, or until the time is over.
pub(super) fn finish(within: Duration) {
    let deadline = Instant::now() + within;
    while ENDING.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
}
