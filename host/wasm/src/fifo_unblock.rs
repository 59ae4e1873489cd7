//! Opens each FIFO of an abandoned call read-write once, so that blocked readers and writers
//! return. Otherwise their threads might wait for another process that never comes.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags};
use tokio::task::AbortHandle;

/// How deep to search the folders.
const MAX_DEPTH: usize = 64;

/// Searches the folders on another thread, after the call's task has ended.
pub(super) fn after(task: AbortHandle, folders: Vec<PathBuf>) {
    if folders.is_empty() {
        return;
    }
    let work = move || {
        // The task ends at its next tick. Before that it could open another FIFO.
        while !task.is_finished() {
            std::thread::sleep(Duration::from_millis(2));
        }
        for folder in folders.iter().flat_map(|folder| open(folder)) {
            release(&folder, 0);
        }
    };
    // If no thread can be started, the blocked threads stay blocked.
    std::thread::Builder::new()
        .name("kael-release".to_owned())
        .spawn(work)
        .ok();
}

/// Opens and closes both ends of every FIFO below a folder: blocked opens succeed, readers reach
/// the end, and writers get EPIPE. Does not follow links, because an action may have replaced a
/// folder with one.
fn release(folder: &OwnedFd, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    for entry in Dir::read_from(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(opened) = rustix::fs::openat(folder, name, flags, Mode::empty()) else {
            continue;
        };
        let stat = rustix::fs::fstat(&opened);
        match stat.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(FileType::Directory) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                if let Ok(inner) = rustix::fs::openat(&opened, ".", flags, Mode::empty()) {
                    drop(opened);
                    release(&inner, depth + 1);
                }
            }
            Ok(FileType::Fifo) => {
                // Linux opens both ends at once without waiting.
                let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let own = format!("/proc/self/fd/{}", opened.as_raw_fd());
                let both = rustix::fs::open(own, flags, Mode::empty());
                drop(both);
            }
            _ => {}
        }
    }
}

/// Opens a folder that the action could use.
fn open(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let plainly = ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(CWD, folder, flags, Mode::empty(), plainly)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::sync::mpsc;

    use rustix::fs::mknodat;

    use super::*;

    #[test]
    fn whoever_waits_at_a_fifo_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).expect("folders");
        std::os::unix::fs::symlink("..", below.join("link")).expect("a link");
        let fifo = below.join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
        let (done, wait) = mpsc::channel();
        let reader = fifo.clone();
        std::thread::spawn(move || {
            let mut text = String::new();
            fs::File::open(reader)
                .expect("opens")
                .read_to_string(&mut text)
                .expect("reads");
            done.send(text).ok();
        });
        let outcome = loop {
            // The thread may not be blocked yet.
            release(&open(folder.path()).expect("a folder"), 0);
            match wait.recv_timeout(Duration::from_millis(20)) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                outcome => break outcome,
            }
        };
        assert_eq!(outcome, Ok(String::new()));
    }
}
