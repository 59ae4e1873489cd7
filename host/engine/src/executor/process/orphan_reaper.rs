//! Finds what a process started when the kernel does not keep it together. Only for machines without PID namespaces.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::spawn::Started;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

/// A process that starts others while it is looked for is met again in the next round.
const ROUNDS: usize = 200;

/// The pids of what the host started and still has to reap. Whatever else became its child and leads a session of its own
/// belonged to a call that is over.
static STARTED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A line of `/proc`: who started a process, and in which session it is.
struct Seen {
    parent: i32,
    session: i32,
}

/// From now on orphans of what the host starts are the host's children.
pub(super) fn become_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(getpid()))?)
}

/// Notes what is started before anybody can take it for an orphan.
pub(super) fn register(start: impl FnOnce() -> io::Result<Started>) -> io::Result<Started> {
    let mut noted = started();
    let mut fresh = start()?;
    noted.insert(fresh.pid);
    fresh.noted = true;
    Ok(fresh)
}

/// Forgets the pid of what was reaped.
pub(super) fn unregister(pid: i32) {
    started().remove(&pid);
}

fn started() -> MutexGuard<'static, BTreeSet<i32>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends everything below a process that is still there.
pub(super) fn kill_tree(first: i32) {
    // While it lives, nothing below it can leave the tree. Stopped, nothing in it can start more.
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

/// Ends what came to the host when the first process of its call was gone. `spared` is the `TMPDIR` of processes that are
/// not ended so.
pub(super) fn kill_orphans(spared: &[OsString]) {
    let host = getpid().as_raw_nonzero().get();
    for _ in 0..ROUNDS {
        let orphans: Vec<i32> = {
            let started = started();
            let seen = seen();
            let own = seen.get(&host).map_or(0, |host| host.session);
            let orphan = |(pid, process): &(&i32, &Seen)| {
                // What the host starts by other means stays in its own session.
                process.parent == host
                    && process.session != own
                    && !started.contains(pid)
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
            // Only the host's own children can be taken; the others come to it next.
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

/// A process and all that descends from it.
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
        // The name in brackets may hold anything. Behind it: state, parent, group, session.
        let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace().skip(1);
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        Some((pid, Seen { parent, session }))
    };
    processes().filter_map(read).collect()
}

/// Kills every process whose `TMPDIR` is this call's own, until there is none left.
///
/// A process that gave itself another environment is not found.
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
