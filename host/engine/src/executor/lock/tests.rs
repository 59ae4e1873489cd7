use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;

fn folder() -> (tempfile::TempDir, PathBuf, OwnedFd) {
    let keep = tempfile::tempdir().expect("a folder");
    let path = keep.path().to_owned();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(&path, flags, Mode::empty()).expect("a folder");
    (keep, path, folder)
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("a folder").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn one_at_a_time_has_a_lock() {
    let (_keep, path, folder) = folder();
    let held = Lock::now(&folder, "a").expect("tries").expect("a lock");
    assert!(Lock::now(&folder, "a").expect("tries").is_none());
    let other = Lock::now(&folder, "a.1x").expect("tries");
    assert!(other.is_some());
    drop(held);
    let held = Lock::now(&folder, "a").expect("tries").expect("a lock");
    assert_eq!(names(&path), ["a", "a.1x"]);
    held.remove(&folder);
    assert_eq!(names(&path), ["a.1x"]);
}

#[test]
fn readers_keep_no_host_from_a_lock() {
    let (_keep, path, folder) = folder();
    drop(Lock::now(&folder, "a").expect("tries"));
    let read = |name: &str| {
        let file = File::open(path.join(name)).expect("a file");
        let lock = whole(libc::F_RDLCK);
        fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).expect("a read lock");
        file
    };
    let mut readers = vec![read("a")];
    for round in 1..4 {
        let held = Lock::now(&folder, "a").expect("tries").expect("a lock");
        assert!(Lock::now(&folder, "a").expect("tries").is_none());
        assert_eq!(names(&path), [format!("a.{round}")]);
        drop(held);
        readers.push(read(&format!("a.{round}")));
    }
    // A reader's flock(2) is another kind of lock.
    drop(readers);
    let file = File::open(path.join("a.3")).expect("a file");
    file.lock().expect("a lock");
    let held = Lock::now(&folder, "a").expect("tries");
    assert!(held.is_some());
    assert_eq!(names(&path), ["a.3"]);
}

#[test]
fn no_two_have_it_however_they_come_and_whoever_reads() {
    let (_keep, path, folder) = folder();
    let (folder, inside) = (Arc::new(folder), Arc::new(AtomicU32::new(0)));
    let over = Instant::now() + Duration::from_millis(700);
    let hosts: Vec<_> = (0..4)
        .map(|_| {
            let (folder, inside) = (folder.clone(), inside.clone());
            thread::spawn(move || {
                let mut taken = 0;
                while Instant::now() < over {
                    if let Some(lock) = Lock::now(&folder, "a").expect("tries") {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        taken += 1;
                        drop(lock);
                    }
                }
                taken
            })
        })
        .collect();
    let reader = thread::spawn(move || {
        let mut readers = Vec::new();
        while Instant::now() < over {
            for name in names(&path) {
                if let Ok(file) = File::open(path.join(name)) {
                    fcntl(&file, FcntlArg::F_OFD_SETLK(&whole(libc::F_RDLCK))).ok();
                    readers.push(file);
                }
            }
            thread::sleep(Duration::from_millis(1));
            readers.truncate(20);
        }
    });
    let taken: u32 = hosts
        .into_iter()
        .map(|host| host.join().expect("it ends"))
        .sum();
    reader.join().expect("it ends");
    assert!(taken > 10, "{taken}");
}

#[tokio::test]
async fn waiting_has_an_end() {
    let (_keep, path, folder) = folder();
    let held = Lock::now(&folder, "a").expect("tries");
    let waiting = || Waiting::within(Duration::from_millis(50));
    let late = lock(&path, "a", waiting()).await.expect("tries");
    assert!(late.is_none());
    let stopped = Lock::wait(&folder, "a", Waiting::within(LATER * 1000), &|| false);
    assert!(stopped.expect("tries").is_none());
    drop(held);
    assert!(lock(&path, "a", waiting()).await.expect("tries").is_some());
}
