//! The programs under test: `kael-host`, built in the profile of the tests, and envyr, installed by
//! `kael-host setup`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The programs that tests run.
pub struct Program {
    /// kael-host.
    pub host: PathBuf,
    /// The real envyr, in the version that Kael pins.
    pub envyr: PathBuf,
    /// The data folder in which envyr is installed.
    pub data: PathBuf,
}

/// The folder of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the workspace")
}

/// The runner that `KAEL_TEST_RUNNER` names for the host under test: `envyr`, `builtin` or `auto`,
/// which finds the envyr that is named for it.
#[must_use]
pub fn runner() -> Option<String> {
    std::env::var("KAEL_TEST_RUNNER").ok()
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

/// cargo without the variables that the outer cargo set for its package. With those, build scripts
/// that read them would run again, and cargo would rebuild everything that depends on them.
fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The host: the program that `KAEL_UNDER_TEST` names, or one built in the profile of this test program.
fn build() -> PathBuf {
    if let Some(built) = std::env::var_os("KAEL_UNDER_TEST") {
        return built.into();
    }
    let own = std::env::current_exe().expect("a path of our own");
    let folder = own
        .ancestors()
        .find(|path| path.ends_with("deps"))
        .and_then(Path::parent)
        .expect("target/PROFILE/deps");
    let mut cargo = cargo();
    cargo
        .current_dir(workspace())
        .args(["build", "--locked", "--quiet", "-p", "kael-host"]);
    // target/debug is that of the profile dev; every other folder has its profile's name.
    match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => {}
        Some(profile) => {
            cargo.args(["--profile", profile]);
        }
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

/// The real `emmylua_check` in the version that `.ci/versions` names, installed if missing.
pub fn emmylua_check() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let output = Command::new(workspace().join(".ci/tools"))
            .arg("emmylua_check")
            .output()
            .expect("bash starts");
        assert!(
            output.status.success(),
            "emmylua_check does not install: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let folder = String::from_utf8(output.stdout).expect("a path");
        Path::new(folder.trim_end()).join("emmylua_check")
    })
}
