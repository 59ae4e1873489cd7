//! Groups of processes as the kernel keeps them: how many there may be in one, and the end of all in one.
//!
//! Both versions of control groups are found through `/proc/self/mountinfo`. A group is made for one call, beside or below the
//! one that the host is in, and removed with it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where groups can be made on this machine.
#[derive(Debug, Default, Clone)]
pub(super) struct Places {
    /// For a limit on the number of processes.
    pub(super) pids: Option<PathBuf>,
    /// For ending all processes of a group at once.
    pub(super) kill: Option<PathBuf>,
    /// Why there is no place for a limit on processes.
    pub(super) why: String,
}

/// A group for one call.
#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
}

impl Places {
    /// Looks for them once.
    pub(super) fn get() -> &'static Self {
        static PLACES: OnceLock<Places> = OnceLock::new();
        PLACES.get_or_init(|| {
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
            Self::find(&candidates(&mounts, &own))
        })
    }

    /// Tries each candidate with a group that is removed again.
    fn find(candidates: &[PathBuf]) -> Self {
        let mut places = Self {
            why: "no hierarchy with the pids controller is mounted".to_owned(),
            ..Self::default()
        };
        for place in candidates {
            remove_stale(place);
            let group = match Group::new(place) {
                Ok(group) => group,
                Err(problem) => {
                    places.why = format!("{}: {problem}", place.display());
                    continue;
                }
            };
            if places.pids.is_none() && group.allow(100).is_ok() {
                places.pids = Some(place.clone());
            }
            if places.kill.is_none() && group.folder.join("cgroup.kill").exists() {
                places.kill = Some(place.clone());
            }
        }
        places
    }
}

impl Group {
    /// Makes an empty group.
    pub(super) fn new(place: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = place.join(format!("kael-{}-{count}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self { folder })
    }

    /// Bounds the processes and threads in it.
    pub(super) fn allow(&self, processes: u64) -> io::Result<()> {
        // Control files are there already; a group without the controller has none.
        let file = fs::File::options()
            .write(true)
            .open(self.folder.join("pids.max"))?;
        io::Write::write_all(&mut &file, processes.to_string().as_bytes())
    }

    /// How often a process was refused because there were too many.
    pub(super) fn refused(&self) -> u64 {
        let events = fs::read_to_string(self.folder.join("pids.events")).unwrap_or_default();
        let max = events.lines().find_map(|line| line.strip_prefix("max "));
        max.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }

    /// A process that writes `0` to it joins the group.
    pub(super) fn door(&self) -> io::Result<OwnedFd> {
        let file = fs::File::options()
            .write(true)
            .open(self.folder.join("cgroup.procs"))?;
        Ok(file.into())
    }

    /// Kills every process in it, forks under way included.
    pub(super) fn kill(&self) {
        fs::write(self.folder.join("cgroup.kill"), "1").ok();
    }

    /// Whether a process is left in it.
    pub(super) fn is_populated(&self) -> bool {
        fs::read_to_string(self.folder.join("cgroup.events"))
            .is_ok_and(|events| events.contains("populated 1"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its last process may have been reaped a moment ago.
        for _ in 0..20 {
            match fs::remove_dir(&self.folder) {
                Err(problem) if problem.kind() == io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                _ => return,
            }
        }
    }
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
    use super::*;

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
