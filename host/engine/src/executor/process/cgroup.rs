//! Control groups: limit the number of processes of a call, and kill all of them.
//!
//! Finds both versions of control groups through `/proc/self/mountinfo`. Each call gets a group of
//! its own, beside or below the host's group, and removes it at its end.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::exhausted;
use crate::executor::prewarm::Prewarmed;

/// The folders in which Kael can make groups.
#[derive(Debug, Default, Clone)]
pub(super) struct Places {
    /// Groups that limit the number of processes.
    pub(super) pids: Option<PathBuf>,
    /// Groups whose processes can be killed at once. A limit of zero processes also works: then
    /// nothing in the group can start a process that the kill misses. So this is the folder `pids`
    /// if that exists.
    pub(super) kill: Option<PathBuf>,
    /// Why no folder limits processes.
    pub(super) why: String,
}

/// Lists the processes of a group. Writing a pid to it moves the process into the group.
const MEMBERS: &str = "cgroup.procs";

/// Kills all processes of a group (version 2 only).
const KILL: &str = "cgroup.kill";

/// The group of one call. Dropping it removes the group.
#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    /// The number of refused forks, read before the group was killed.
    refused: OnceLock<u64>,
}

impl Places {
    /// Finds the folders, and remembers them once that succeeds.
    ///
    /// # Errors
    /// When a resource is used up, so that the search could not finish.
    pub(super) fn get() -> io::Result<&'static Self> {
        static PLACES: OnceLock<Places> = OnceLock::new();
        if let Some(known) = PLACES.get() {
            return Ok(known);
        }
        let read = |path| match fs::read_to_string(path) {
            Err(error) if exhausted::is_short_of_descriptors(&error) => Err(error),
            text => Ok(text.unwrap_or_default()),
        };
        let (mounts, own) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
        let found = Self::find(&candidates(&mounts, &own))?;
        Ok(PLACES.get_or_init(|| found))
    }

    /// Tries each candidate by making and removing a group.
    fn find(candidates: &[PathBuf]) -> io::Result<Self> {
        let mut places = Self {
            why: "no hierarchy with the pids controller is mounted".to_owned(),
            ..Self::default()
        };
        for place in candidates {
            remove_stale(place);
            let group = match Group::new(place) {
                Ok(group) => group,
                Err(error) if exhausted::is_short_of_descriptors(&error) => {
                    return Err(error);
                }
                Err(error) => {
                    places.why = format!("{}: {error}", place.display());
                    continue;
                }
            };
            if places.pids.is_none() {
                match group.allow(100) {
                    Ok(()) => places.pids = Some(place.clone()),
                    Err(error) if exhausted::is_short_of_descriptors(&error) => return Err(error),
                    Err(_) => {}
                }
            }
            if places.kill.is_none() && group.folder.join(KILL).exists() {
                places.kill = Some(place.clone());
            }
        }
        // Joining one group is faster than joining two.
        places.kill = places.pids.clone().or(places.kill);
        Ok(places)
    }
}

/// The group for the next call, and the file to join it.
static NEXT: Prewarmed<(Group, OwnedFd)> = Prewarmed::new();

/// Makes the group for the next call.
pub(super) fn make_ahead() {
    drop(NEXT.make(|| Group::with_door(Places::get().ok()?.kill.as_ref()?).ok()));
}

/// Removes that group.
pub(super) fn clear_ahead() {
    drop(NEXT.clear());
}

impl Group {
    /// An empty group with this limit of processes and threads, and its file: a process with one
    /// thread joins by writing `0` to it.
    pub(super) fn ready(place: &Path, processes: Option<u64>) -> io::Result<(Self, OwnedFd)> {
        // All groups are in one folder. Another host that does not see this host's process takes
        // the group for a leftover of a killed host and removes it.
        let next = NEXT.take();
        let (group, door) = match next.filter(|(group, _)| group.folder.is_dir()) {
            Some(next) => next,
            None => Self::with_door(place)?,
        };
        if let Some(processes) = processes {
            group.allow(processes)?;
        }
        Ok((group, door))
    }

    fn with_door(place: &Path) -> io::Result<(Self, OwnedFd)> {
        let group = Self::new(place)?;
        let door = group.door()?;
        Ok((group, door))
    }

    /// Makes an empty group.
    fn new(place: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = place.join(format!("kael-{}-{count}", std::process::id()));
        fs::create_dir(&folder)?;
        let refused = OnceLock::new();
        Ok(Self { folder, refused })
    }

    /// Limits the processes and threads of the group.
    fn allow(&self, processes: u64) -> io::Result<()> {
        self.write("pids.max", &processes.to_string())
    }

    /// How many forks the group refused because there were too many processes.
    pub(super) fn refused(&self) -> u64 {
        *self.refused.get_or_init(|| {
            let events = fs::read_to_string(self.folder.join("pids.events")).unwrap_or_default();
            let max = events.lines().find_map(|line| line.strip_prefix("max "));
            max.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
        })
    }

    /// The file to which a process of one thread writes `0` to join the group.
    fn door(&self) -> io::Result<OwnedFd> {
        // `tasks` moves a single thread, for which the kernel need not wait for all processors.
        let door = match self.open("tasks") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.open(MEMBERS),
            tasks => tasks,
        };
        Ok(door?.into())
    }

    /// The control files exist already. A group without the controller has none.
    fn open(&self, name: &str) -> io::Result<File> {
        File::options().write(true).open(self.folder.join(name))
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        io::Write::write_all(&mut self.open(name)?, text.as_bytes())
    }

    /// Kills every process in the group and in the groups below it, including forks in progress.
    /// Returns whether a process may be left.
    pub(super) fn kill(&self) -> bool {
        if self.write(KILL, "1").is_ok() {
            let events = fs::read_to_string(self.folder.join("cgroup.events"));
            return !events.is_ok_and(|events| events.contains("populated 0"));
        }
        // An empty group has nothing to kill.
        if members(&self.folder).is_ok_and(|members| members.is_empty()) {
            return false;
        }
        self.refused();
        // With a limit of zero, the listed processes cannot start any more.
        self.allow(0).ok();
        let Ok(members) = members(&self.folder) else {
            return true;
        };
        if members.is_empty() {
            return false;
        }
        let open = |pid: &Pid| Some((*pid, pidfd_open(*pid, PidfdFlags::empty()).ok()?));
        let opened: Vec<_> = members.iter().filter_map(open).collect();
        // Reads the list again after opening the pidfds, so that a reused pid is not killed.
        let still = self::members(&self.folder).unwrap_or_default();
        for (pid, pidfd) in opened {
            if still.contains(&pid) {
                super::kill(&pidfd);
            }
        }
        true
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last process may have been reaped a moment ago.
        for _ in 0..20 {
            match remove(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                _ => return,
            }
        }
    }
}

/// The processes of a group, and of those below it.
fn members(folder: &Path) -> io::Result<Vec<Pid>> {
    let list = fs::read_to_string(folder.join(MEMBERS))?;
    let pids = list.lines().filter_map(|line| line.parse().ok());
    let mut members: Vec<Pid> = pids.filter_map(Pid::from_raw).collect();
    for below in below(folder)? {
        members.extend(self::members(&below)?);
    }
    Ok(members)
}

/// The groups that a process made below a group.
fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    // A folder without subfolders has two links. Checking that is faster than reading it.
    if fs::metadata(folder)?.nlink() == 2 {
        return Ok(Vec::new());
    }
    let mut below = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            below.push(entry.path());
        }
    }
    Ok(below)
}

/// Removes a group after the groups below it.
fn remove(folder: &Path) -> io::Result<()> {
    for below in below(folder)? {
        remove(&below)?;
    }
    fs::remove_dir(folder)
}

/// Removes the groups of hosts that were killed. A group with processes cannot be removed.
fn remove_stale(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let host = name.to_str().and_then(|name| {
            let (host, count) = name.strip_prefix("kael-")?.split_once('-')?;
            count.parse::<u32>().ok()?;
            host.parse::<u32>().ok()
        });
        if host.is_some_and(|host| !Path::new("/proc").join(host.to_string()).exists()) {
            fs::remove_dir(entry.path()).ok();
        }
    }
}

/// Folders in which Kael may be allowed to make groups: those of version 2 first, then those of
/// version 1 with the pids controller.
fn candidates(mounts: &str, own: &str) -> Vec<PathBuf> {
    let (mut second, mut first) = (Vec::new(), Vec::new());
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let (left, right): (Vec<&str>, Vec<&str>) =
            (left.split(' ').collect(), right.split(' ').collect());
        let (Some(root), Some(mount), Some(kind), Some(options)) =
            (left.get(3), left.get(4), right.first(), right.get(2))
        else {
            continue;
        };
        let path = |controller: &str| {
            own.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':');
                let controllers = parts.nth(1)?;
                let here = controllers.split(',').any(|known| known == controller);
                here.then(|| parts.next()).flatten()
            })
        };
        let below = |path: &str| {
            let path = path.strip_prefix(root.trim_end_matches('/'))?;
            // `/..` stands for a group that this process cannot see.
            let inside = !path.split('/').any(|part| part == "..");
            let path = path.trim_matches('/');
            // Joining an empty path would leave a slash at the end.
            let own = || match path {
                "" => PathBuf::from(mount),
                path => Path::new(mount).join(path),
            };
            inside.then(own)
        };
        match *kind {
            "cgroup2" => {
                if let Some(folder) = path("").and_then(below) {
                    // A group with processes hands no controller to its children. A sibling of it
                    // can have controllers.
                    if folder.as_path() != Path::new(mount)
                        && let Some(parent) = folder.parent()
                    {
                        second.push(parent.to_owned());
                    }
                    second.push(folder);
                }
            }
            "cgroup" if options.split(',').any(|option| option == "pids") => {
                first.extend(path("pids").and_then(below));
            }
            _ => {}
        }
    }
    second.extend(first);
    second
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[test]
    fn either_kind_of_group_ends_what_never_stops_forking() {
        let read = |file| fs::read_to_string(file).expect("a file of the kernel");
        for place in candidates(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup")) {
            // Without a folder in which this user may make groups, there is nothing to test.
            let Ok(group) = Group::new(&place) else {
                continue;
            };
            if group.allow(100).is_err() && !group.folder.join(KILL).exists() {
                continue;
            }
            let join = format!("echo 0 >{}/cgroup.procs", group.folder.display());
            // One process is in a group that it made itself.
            let inner = format!("{}/inner", group.folder.display());
            let leave =
                format!("mkdir {inner} && (echo 0 >{inner}/cgroup.procs; exec sleep 4711.7) &");
            let script =
                format!("{join} && {leave} while :; do (setsid sleep 0.05 &); sleep 0.01; done");
            let shell = Command::new("/bin/sh").args(["-c", &script]).spawn();
            let mut shell = shell.expect("a shell");
            let within = |holds: &dyn Fn() -> bool| {
                (0..2000).any(|_| {
                    std::thread::sleep(Duration::from_millis(1));
                    holds()
                })
            };
            let joined = || members(&group.folder).is_ok_and(|members| !members.is_empty());
            assert!(within(&joined), "it joins");
            std::thread::sleep(Duration::from_millis(100));
            let gone = within(&|| !group.kill());
            let empty = [group.folder.display().to_string(), inner]
                .map(|folder| fs::read_to_string(format!("{folder}/{MEMBERS}")))
                .iter()
                .all(|list| list.as_ref().is_ok_and(String::is_empty));
            shell.kill().ok();
            shell.wait().expect("it ended");
            assert!(gone && empty, "{}", place.display());
        }
    }

    #[test]
    fn both_versions_are_found_where_they_are_mounted() {
        let mounts = "38 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
                      39 31 0:37 / /sys/fs/cgroup/mem rw shared:3 - cgroup cgroup rw,memory\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw shared:7 - cgroup2 cgroup2 rw\n\
                      42 1 8:1 / / rw - ext4 /dev/sda rw\n";
        let own = "8:pids:/user\n4:memory:/x\n0::/\n";
        assert_eq!(
            candidates(mounts, own),
            ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids/user"].map(PathBuf::from)
        );
    }

    #[test]
    fn a_group_beside_the_hosts_own_comes_first() {
        let mounts = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let own = "0::/user.slice/app.slice/x.scope\n";
        assert_eq!(
            candidates(mounts, own),
            ["", "/x.scope"]
                .map(|end| PathBuf::from(format!("/sys/fs/cgroup/user.slice/app.slice{end}")))
        );
        // A container sees its own part of the hierarchy as the root.
        let mounts = "41 31 0:38 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            candidates(mounts, "0::/docker/1/own\n"),
            ["/sys/fs/cgroup", "/sys/fs/cgroup/own"].map(PathBuf::from)
        );
        assert!(candidates(mounts, "0::/elsewhere\n").is_empty());
    }
}
