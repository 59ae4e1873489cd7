//! Finds and kills the processes that a call left behind. Only for machines without PID namespaces.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

/// A process that starts others during a search is found in the next round.
const ROUNDS: usize = 200;

/// The pids of processes that the host started and has not reaped. Any other child of the host that
/// leads a session of its own is an orphan of a finished call.
static STARTED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A process in `/proc`: its parent and its session.
struct Seen {
    parent: i32,
    session: i32,
}

/// Makes the host the parent of all orphans of the processes that it starts.
pub(super) fn become_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(getpid()))?)
}

/// The list of started processes, locked. While it is locked, no search for orphans runs.
pub(super) struct StartedProcesses(MutexGuard<'static, BTreeSet<i32>>);

impl StartedProcesses {
    /// Lists a process until the registration is dropped, after the host has reaped the process.
    pub(super) fn register(&mut self, pid: i32) -> Registration {
        self.0.insert(pid);
        Registration(pid)
    }
}

/// A listed process.
pub(super) struct Registration(i32);

impl Drop for Registration {
    fn drop(&mut self) {
        started().0.remove(&self.0);
    }
}

/// Locks the list.
pub(super) fn started() -> StartedProcesses {
    StartedProcesses(STARTED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Kills a living process and all its descendants.
pub(super) fn kill_tree(first: i32) {
    // While the first process lives, its descendants stay in the tree. Stopped processes cannot
    // start others.
    let mut stopped = HashSet::new();
    for _ in 0..ROUNDS {
        let below = below(first, &seen());
        let fresh: Vec<i32> = below
            .into_iter()
            .filter(|pid| stopped.insert(*pid))
            .collect();
        if fresh.is_empty() {
            break;
        }
        signal(fresh, Signal::STOP);
    }
    signal(stopped, Signal::KILL);
}

/// Kills the orphans whose parent is now the host. `spared` holds the `TMPDIR` of processes to
/// leave alone.
pub(super) fn kill_orphans(spared: &[OsString]) {
    let host = getpid().as_raw_nonzero().get();
    for _ in 0..ROUNDS {
        let orphans: Vec<i32> = {
            let started = started();
            let seen = seen();
            let own = seen.get(&host).map_or(0, |host| host.session);
            let orphan = |(pid, process): &(&i32, &Seen)| {
                // Other children of the host, such as those of a library, stay in the host's
                // session.
                process.parent == host
                    && process.session != own
                    && !started.0.contains(pid)
                    && !spared.iter().any(|folder| is_marked(**pid, folder))
            };
            let orphans = seen.iter().filter(orphan);
            orphans.flat_map(|(pid, _)| below(*pid, &seen)).collect()
        };
        if orphans.is_empty() {
            return;
        }
        signal(orphans.clone(), Signal::KILL);
        for pid in orphans.into_iter().filter_map(Pid::from_raw) {
            // Only children of the host can be reaped. The others become its children in the next
            // round.
            waitpid(Some(pid), WaitOptions::NOHANG).ok();
        }
        std::thread::yield_now();
    }
}

fn signal(pids: impl IntoIterator<Item = i32>, signal: Signal) {
    for pid in pids.into_iter().filter_map(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}

/// A process and all its descendants.
fn below(first: i32, seen: &HashMap<i32, Seen>) -> Vec<i32> {
    let mut found = vec![first];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let children = seen.iter().filter(|(_, process)| process.parent == parent);
        found.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn seen() -> HashMap<i32, Seen> {
    let read = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may contain any character. The fields after it: state, parent,
        // group, session.
        let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace().skip(1);
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        Some((pid, Seen { parent, session }))
    };
    processes().filter_map(read).collect()
}

/// Kills every process whose `TMPDIR` is this call's folder, until none is left.
///
/// Does not find a process that changed its environment.
pub(super) fn kill_marked(folder: &OsStr) {
    for _ in 0..10 {
        let mut found = false;
        let marked = processes().filter(|pid| is_marked(*pid, folder));
        for pid in marked.filter_map(Pid::from_raw) {
            found |= kill_process(pid, Signal::KILL).is_ok();
        }
        if !found {
            return;
        }
    }
}

fn is_marked(pid: i32, folder: &OsStr) -> bool {
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut assignments = environ.split(|byte| *byte == 0);
    assignments.any(|assignment| assignment.strip_prefix(b"TMPDIR=") == Some(folder.as_bytes()))
}
