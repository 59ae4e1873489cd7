//! The programs under test: `kael-host`, built like the tests, and envyr, installed by `kael-host setup` where it is missing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What the tests run.
pub struct Program {
    /// kael-host.
    pub host: PathBuf,
    /// The real envyr, of the version that Kael is pinned to.
    pub envyr: PathBuf,
    /// The data folder that envyr was installed into.
    pub data: PathBuf,
}

/// The folder of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the workspace")
}

impl Program {
    /// Builds and installs once.
    pub fn get() -> &'static Self {
        static PROGRAM: OnceLock<Program> = OnceLock::new();
        PROGRAM.get_or_init(|| {
            let host = build();
            let data = set_up(&host);
            let envyr = data.join("tools/bin/envyr");
            Self { host, envyr, data }
        })
    }
}

/// Builds the host in the profile of this very program.
fn build() -> PathBuf {
    let own = std::env::current_exe().expect("a path of our own");
    let folder = own
        .ancestors()
        .find(|path| path.ends_with("deps"))
        .and_then(Path::parent)
        .expect("target/PROFILE/deps");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(workspace())
        .args(["build", "--locked", "--quiet", "-p", "kael-host"]);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(
        cargo.status().expect("cargo starts").success(),
        "the host does not build"
    );
    folder.join("kael-host")
}

fn set_up(host: &Path) -> PathBuf {
    let data = host
        .parent()
        .and_then(Path::parent)
        .expect("target")
        .join("test-data");
    fs::create_dir_all(&data).expect("a folder");
    let lock = File::create(data.join("lock")).expect("a lock file");
    lock.lock().expect("a lock");
    let setup = Command::new(host)
        .arg("setup")
        .env("KAEL_DATA", &data)
        .output()
        .expect("the host starts");
    assert!(
        setup.status.success(),
        "setup failed: {}",
        String::from_utf8_lossy(&setup.stderr)
    );
    data
}
