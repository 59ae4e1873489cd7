//! The programs under test: `kael-host`, built in the profile of the tests, and envyr, installed by
//! `kael-host setup`.

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

/// Builds the host in the profile of this test program.
fn build() -> PathBuf {
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

/// The real `emmylua_check` in a pinned version, installed if missing. It is built without
/// optimisation, which takes three minutes on two cores; it runs only briefly.
pub fn emmylua_check() -> &'static Path {
    const VERSION: &str = "0.25.1";
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let data = &Program::get().data;
        let lock = File::create(data.join("emmylua.lock")).expect("a lock file");
        lock.lock().expect("a lock");
        let root = data.join(format!("emmylua-{VERSION}"));
        let program = root.join("bin/emmylua_check");
        if program.is_file() {
            return program;
        }
        let mut cargo = cargo();
        cargo
            .args([
                "install",
                "emmylua_check",
                "--locked",
                "--quiet",
                "--version",
            ])
            .arg(format!("={VERSION}"))
            .arg("--root")
            .arg(&root);
        for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            cargo.env_remove(name);
        }
        for (name, value) in [
            ("OPT_LEVEL", "0"),
            ("LTO", "off"),
            ("CODEGEN_UNITS", "16"),
            ("DEBUG", "0"),
        ] {
            cargo.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
        }
        let status = cargo.status().expect("cargo starts");
        assert!(status.success(), "emmylua_check {VERSION} does not install");
        program
    })
}
