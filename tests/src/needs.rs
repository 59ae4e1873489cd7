//! Features that a test needs and a machine may lack. Without them the test is reported as skipped.
//! It fails if `KAEL_REQUIRE` names them, as `.ci/run` does, so that every promise is tested there.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::Kael;

/// A feature that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// PID namespaces with read-only mounts.
    Namespace,
    /// Landlock of any version.
    Landlock,
    /// Landlock of version 6, which restricts signals and abstract sockets.
    LandlockScopes,
    /// A filter of system calls.
    Seccomp,
    /// A limit on the number of processes of a call.
    Pids,
    /// A headless browser.
    Chromium,
    /// Node and npm, and the packages of tests/peers.
    Npm,
    /// Python with venv, and the packages of tests/python.
    Pypi,
    /// promtool and Prometheus, which Debian's package `prometheus` has.
    Promtool,
    /// Alertmanager, Debian's package `prometheus-alertmanager`.
    Alertmanager,
    /// A server of PostgreSQL.
    Postgres,
    /// A server of MariaDB.
    Mariadb,
    /// kubectl, Debian's package `kubernetes-client` or any other.
    Kubectl,
}

const ALL: [Need; 13] = [
    Need::Namespace,
    Need::Landlock,
    Need::LandlockScopes,
    Need::Seccomp,
    Need::Pids,
    Need::Chromium,
    Need::Npm,
    Need::Pypi,
    Need::Promtool,
    Need::Alertmanager,
    Need::Postgres,
    Need::Mariadb,
    Need::Kubectl,
];

impl Need {
    /// Its name in `KAEL_REQUIRE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Landlock => "landlock",
            Self::LandlockScopes => "landlock-scopes",
            Self::Seccomp => "seccomp",
            Self::Pids => "pids",
            Self::Chromium => "chromium",
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Promtool => "promtool",
            Self::Alertmanager => "alertmanager",
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Kubectl => "kubectl",
        }
    }

    /// Whether this machine has it.
    #[must_use]
    pub fn is_met(self) -> bool {
        match self {
            Self::Namespace => found("namespace").0,
            Self::Landlock => found("landlock").0,
            Self::Seccomp => found("seccomp").0,
            Self::LandlockScopes => {
                let (ok, detail) = found("landlock");
                ok && !detail.contains("signals are not restrained")
            }
            Self::Pids => found("processes").0,
            Self::Chromium => browser().is_some(),
            Self::Npm => peers().is_some(),
            Self::Pypi => crate::python().is_some(),
            Self::Promtool => on_path(&["promtool"]).is_some(),
            Self::Alertmanager => on_path(&["prometheus-alertmanager"]).is_some(),
            Self::Postgres => postgres_programs().is_some(),
            Self::Mariadb => on_path(&["mariadb-install-db"]).is_some(),
            Self::Kubectl => on_path(&["kubectl"]).is_some(),
        }
    }
}

/// Whether this machine has everything that a test needs. Otherwise reports the test as skipped;
/// the test then returns.
///
/// # Panics
/// When `KAEL_REQUIRE` names a missing feature.
#[must_use]
pub fn needs(all: &[Need]) -> bool {
    let missing = all.iter().find(|need| !need.is_met());
    missing.is_none_or(|missing| skipped(&[*missing]))
}

/// Whether this machine has at least one of the features.
///
/// # Panics
/// When it has none, and `KAEL_REQUIRE` names one of them.
#[must_use]
pub fn needs_any(of: &[Need]) -> bool {
    of.iter().any(|need| need.is_met()) || skipped(of)
}

/// Whether tests fail if this feature is missing.
///
/// # Panics
/// When `KAEL_REQUIRE` has an unknown name.
#[must_use]
pub fn is_required(need: Need) -> bool {
    let required = std::env::var("KAEL_REQUIRE").unwrap_or_default();
    let words = required
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let mut found = false;
    for word in words {
        assert!(
            ALL.iter().any(|need| need.name() == word),
            "KAEL_REQUIRE: `{word}` is not one of {}",
            ALL.map(Need::name).join(", ")
        );
        found |= need.name() == word;
    }
    found
}

/// Reports a test as skipped. Always returns false.
fn skipped(missing: &[Need]) -> bool {
    let names: Vec<&str> = missing.iter().map(|need| need.name()).collect();
    let names = names.join(" or ");
    assert!(
        !missing.iter().any(|need| is_required(*need)),
        "KAEL_REQUIRE asks for {names}, and this machine lacks it: see kael-host doctor"
    );
    lacks(&names);
    false
}

/// Reports a test as skipped, for want of something that `KAEL_REQUIRE` cannot name.
pub fn lacks(what: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("skipped: needs {what} ({test})\n");
    // Not `eprintln!`: the test runner hides its output for tests that pass.
    std::io::stderr().write_all(line.as_bytes()).ok();
    // Nextest hides all of it: tests/run shows this file at the end.
    if let Some(path) = std::env::var_os("KAEL_SKIPPED") {
        let file = fs::File::options().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .ok();
    }
}

/// The line of `kael-host doctor` for one part of the confinement, and whether the part works.
fn found(name: &str) -> (bool, &'static str) {
    static REPORT: OnceLock<String> = OnceLock::new();
    let report = REPORT.get_or_init(|| Kael::new().words(&["doctor"]).ends().stdout);
    let line = report
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(name))
        .unwrap_or_else(|| panic!("no {name}: {report}"));
    (line.starts_with("ok"), line)
}

/// A browser in which tests can open pages.
#[must_use]
pub fn browser() -> Option<PathBuf> {
    on_path(&[
        "chromium-headless-shell",
        "chromium",
        "chromium-browser",
        "google-chrome",
    ])
}

/// The first of these programs that is there.
fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        let mut places = folders.iter().map(|folder| folder.join(name));
        places.find(|place| place.is_file())
    })
}

/// The folder of tests/peers with its packages installed, once for each version of its lock file.
#[must_use]
pub fn peers() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(install).as_deref()
}

fn install() -> Option<PathBuf> {
    let from = crate::project("tests/peers");
    let lock = fs::read(from.join("package-lock.json")).ok()?;
    let mut hasher = DefaultHasher::new();
    lock.hash(&mut hasher);
    let cache = std::env::var_os("KAEL_CI_CACHE").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/kael-ci"));
    let folder = cache
        .or_else(home)?
        .join(format!("peers-{:016x}", hasher.finish()));
    fs::create_dir_all(&folder).ok()?;
    // Another test may be installing them.
    let held = fs::File::create(folder.join("lock")).ok()?;
    held.lock().ok()?;
    for name in [
        "package.json",
        "package-lock.json",
        "drive.mjs",
        "http.mjs",
        "older-node.mjs",
    ] {
        fs::copy(from.join(name), folder.join(name)).ok()?;
    }
    let done = folder.join("installed");
    if !done.exists() {
        // Without scripts: nothing of theirs runs before a test wants it to.
        let mut npm = std::process::Command::new("npm");
        npm.args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
        ]);
        let output = npm.current_dir(&folder).output().ok()?;
        if !output.status.success() {
            return None;
        }
        fs::write(done, "").ok()?;
    }
    Some(folder)
}

/// The folder with the programs of PostgreSQL: Debian keeps them off the path, a folder for each version.
#[must_use]
pub fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").exists());
    folders.sort();
    folders.pop()
}
