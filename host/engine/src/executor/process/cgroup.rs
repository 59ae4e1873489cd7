//! Groups of processes as the kernel keeps them: how many there may be in one, and the end of all in one.
//!
//! Both versions of control groups are found through `/proc/self/mountinfo`. A group is made for one call, beside or below the one
//! that the host is in, and removed with it.

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

/// Where groups can be made on this machine.
#[derive(Debug, Default, Clone)]
pub(super) struct Places {
    /// For a limit on the number of processes.
    pub(super) pids: Option<PathBuf>,
    /// For ending all processes of a group at once. A limit on their number does it, too: with none allowed, what is there
    /// starts nothing that is not seen. So this is where `pids` is, if that is anywhere.
    pub(super) kill: Option<PathBuf>,
    /// Why there is no place for a limit on processes.
    pub(super) why: String,
}

/// Lists the processes of a group; what writes to it joins.
const MEMBERS: &str = "cgroup.procs";

/// Ends all of them, in version 2.
const KILL: &str = "cgroup.kill";

/// A group for one call. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    /// What was refused before its end began.
    refused: OnceLock<u64>,
}

impl Places {
    /// Looks for them, until that was possible once.
    ///
    /// # Errors
    /// When something is used up, so that nothing is known yet.
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

    /// Tries each candidate with a group that is removed again.
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
        // One group is sooner joined than two.
        places.kill = places.pids.clone().or(places.kill);
        Ok(places)
    }
}

/// The next call's, and how it is joined.
static NEXT: Prewarmed<(Group, OwnedFd)> = Prewarmed::new();

/// Makes the next call's.
pub(super) fn make_ahead() {
    drop(NEXT.make(|| Group::with_door(Places::get().ok()?.kill.as_ref()?).ok()));
}

/// Removes it.
pub(super) fn clear_ahead() {
    drop(NEXT.clear());
}

impl Group {
    /// An empty group that allows so many processes and threads, and what a process of one thread writes `0` to, to join it.
    pub(super) fn ready(place: &Path, processes: Option<u64>) -> io::Result<(Self, OwnedFd)> {
        // All of them are in one place. Another host that does not see this one's process takes a group for one of a host that was killed.
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

    /// Bounds the processes and threads in it.
    fn allow(&self, processes: u64) -> io::Result<()> {
        self.write("pids.max", &processes.to_string())
    }

    /// How often a process was refused because there were too many.
    pub(super) fn refused(&self) -> u64 {
        *self.refused.get_or_init(|| {
            let events = fs::read_to_string(self.folder.join("pids.events")).unwrap_or_default();
            let max = events.lines().find_map(|line| line.strip_prefix("max "));
            max.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
        })
    }

    /// A process of one thread that writes `0` to it joins the group.
    fn door(&self) -> io::Result<OwnedFd> {
        // Where threads can be moved one by one, the kernel need not wait for all processors to move one.
        let door = match self.open("tasks") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.open(MEMBERS),
            tasks => tasks,
        };
        Ok(door?.into())
    }

    /// Control files are there already; a group without the controller has none.
    fn open(&self, name: &str) -> io::Result<File> {
        File::options().write(true).open(self.folder.join(name))
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        io::Write::write_all(&mut self.open(name)?, text.as_bytes())
    }

    /// Kills every process in it and in what was made below it, forks under way included. Says whether there may be one
    /// left.
    pub(super) fn kill(&self) -> bool {
        if self.write(KILL, "1").is_ok() {
            let events = fs::read_to_string(self.folder.join("cgroup.events"));
            return !events.is_ok_and(|events| events.contains("populated 0"));
        }
        // Who is not there starts nothing.
        if members(&self.folder).is_ok_and(|members| members.is_empty()) {
            return false;
        }
        self.refused();
        // Nothing that is not seen now can be started.
        self.allow(0).ok();
        let Ok(members) = members(&self.folder) else {
            return true;
        };
        if members.is_empty() {
            return false;
        }
        let open = |pid: &Pid| Some((*pid, pidfd_open(*pid, PidfdFlags::empty()).ok()?));
        let opened: Vec<_> = members.iter().filter_map(open).collect();
        // Whoever is still listed is who was opened, and not another with its number.
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
        // Its last process may have been reaped a moment ago.
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

/// The groups that somebody made below a group.
fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    // Two links are its own: a look at them saves reading it.
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

/// Removes a group, and first those below it.
fn remove(folder: &Path) -> io::Result<()> {
    for below in below(folder)? {
        remove(&below)?;
    }
    fs::remove_dir(folder)
}

/// Removes groups of hosts that were killed. One that still has processes cannot be removed.
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

/// The folders in which this process may be allowed to make groups: of version 2 first, then of the first version's
/// hierarchy with the pids controller.
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
            // `/..` stands for a group outside of what this process may see.
            let inside = !path.split('/').any(|part| part == "..");
            let path = path.trim_matches('/');
            // Joined with nothing, a path would end with a slash.
            let own = || match path {
                "" => PathBuf::from(mount),
                path => Path::new(mount).join(path),
            };
            inside.then(own)
        };
        match *kind {
            "cgroup2" => {
                if let Some(folder) = path("").and_then(below) {
                    // A group that holds processes hands no controller on; one beside it can have them.
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
            // Where this user may make none, there is none to test.
            let Ok(group) = Group::new(&place) else {
                continue;
            };
            if group.allow(100).is_err() && !group.folder.join(KILL).exists() {
                continue;
            }
            let join = format!("echo 0 >{}/cgroup.procs", group.folder.display());
            // One of them is in a group that it made itself.
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
        // A container sees its own part of the hierarchy as the root of it.
        let mounts = "41 31 0:38 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            candidates(mounts, "0::/docker/1/own\n"),
            ["/sys/fs/cgroup", "/sys/fs/cgroup/own"].map(PathBuf::from)
        );
        assert!(candidates(mounts, "0::/elsewhere\n").is_empty());
    }
}
