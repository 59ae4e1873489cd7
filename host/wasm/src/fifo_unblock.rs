//! Frees what an abandoned call has left waiting: opening or reading a FIFO of a granted folder waits in a thread of the
//! host, for somebody at its other end who may never come.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags};
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
        for folder in &folders {
            release(folder, 0);
        }
    };
    // Without a thread to be had, those that wait go on waiting.
    std::thread::Builder::new()
        .name("kael-release".to_owned())
        .spawn(work)
        .ok();
}

/// Is for a moment at both ends of every FIFO below a folder: who waited to open one has it then, who reads from it finds
/// its end, and who writes to it finds nobody.
fn release(folder: &Path, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => release(&path, depth + 1),
            Ok(kind) if kind.is_fifo() => {
                // Linux gives both ends at once, and waits for nobody.
                let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let both = rustix::fs::openat(CWD, &path, flags, Mode::empty());
                drop(both);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::mpsc;

    use rustix::fs::{FileType, mknodat};

    use super::*;

    #[test]
    fn whoever_waits_at_a_fifo_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).expect("folders");
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
            release(folder.path(), 0);
            match wait.recv_timeout(Duration::from_millis(20)) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                outcome => break outcome,
            }
        };
        assert_eq!(outcome, Ok(String::new()));
    }
}
