//! Frees what an abandoned call has left waiting: opening or reading a FIFO of a granted folder waits in a thread of the
//! host, for somebody at its other end who may never come.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags};
use tokio::task::AbortHandle;

/// Levels of folders that are looked through.
const MAX_DEPTH: usize = 64;

/// Does so once the call's task is gone, in a thread of its own.
pub(super) fn after(task: AbortHandle, folders: Vec<PathBuf>) {
    if folders.is_empty() {
        return;
    }
    let work = move || {
        // It ends at its next tick. Before that it could open another.
        while !task.is_finished() {
            std::thread::sleep(Duration::from_millis(2));
        }
        for folder in folders.iter().flat_map(|folder| open(folder)) {
            release(&folder, 0);
        }
    };
    // Without a thread to be had, those that wait go on waiting.
    std::thread::Builder::new()
        .name("kael-release".to_owned())
        .spawn(work)
        .ok();
}

/// Is for a moment at both ends of every FIFO below a folder: who waited to open one has it then, who reads from it finds
/// its end, and who writes to it finds nobody. No link is followed: an action may have put one in the place of a folder.
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
                // Linux gives both ends at once, and waits for nobody.
                let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let own = format!("/proc/self/fd/{}", opened.as_raw_fd());
                let both = rustix::fs::open(own, flags, Mode::empty());
                drop(both);
            }
            _ => {}
        }
    }
}

/// Opens a folder that an action was given.
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
            // It may not have come as far as to wait.
            release(&open(folder.path()).expect("a folder"), 0);
            match wait.recv_timeout(Duration::from_millis(20)) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                outcome => break outcome,
            }
        };
        assert_eq!(outcome, Ok(String::new()));
    }
}
