//! Programs of others that tests run, from PyPI, in an environment of their own.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder with the programs of tests/python/requirements.txt, installed once for each version of that file.
#[must_use]
pub fn python() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(install).as_deref()
}

fn install() -> Option<PathBuf> {
    let list = crate::project("tests/python/requirements.txt");
    let mut hasher = DefaultHasher::new();
    fs::read(&list).ok()?.hash(&mut hasher);
    let cache = std::env::var_os("KAEL_CI_CACHE").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/kael-ci"));
    let name = format!("python-{:016x}", hasher.finish());
    let folder = cache.or_else(home)?.join(name);
    fs::create_dir_all(&folder).ok()?;
    // Another test may be installing them.
    let held = fs::File::create(folder.join("lock")).ok()?;
    held.lock().ok()?;
    let done = folder.join("installed");
    let programs = folder.join("venv/bin");
    if !done.exists() {
        let succeeds = |command: &mut Command| {
            let output = command.output().ok()?;
            output.status.success().then_some(())
        };
        let mut made = Command::new("python3");
        succeeds(
            made.args(["-m", "venv", "--clear"])
                .arg(folder.join("venv")),
        )?;
        let mut pip = Command::new(programs.join("pip"));
        // Everything is in the list, and nothing is built here.
        pip.args([
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "-r",
        ]);
        succeeds(pip.arg(&list))?;
        fs::write(done, "").ok()?;
    }
    Some(programs)
}
