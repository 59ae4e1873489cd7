//! A limit or Ctrl-C interrupts the preparation of a source: no process is left, and the next call
//! does not use the unfinished preparation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use kael_tests::{Kael, gone};

/// A session with the action `t.a`. Its preparation hangs while there is a file `hang`: it creates
/// the file `began` where it can, in `impl` or beside its clone, and waits with the marker in its
/// command lines.
struct Hanging {
    session: Kael,
    marker: &'static str,
}

/// Shell code that hangs. `at` is the session's folder.
fn wait(at: &Path, marker: &str) -> String {
    let at = at.display();
    let sign = format!("touch {at}/impl/began 2>/dev/null || touch \"$last/../began\"");
    format!("{sign}; setsid sleep {marker} & (sleep {marker} &) ; sleep {marker}")
}

impl Hanging {
    /// Replaces `name` on PATH: called with a word like `when`, it runs `half` and hangs; otherwise
    /// it runs the real program.
    fn tool(name: &str, when: &str, half: &str, marker: &'static str) -> Self {
        let session = Kael::new();
        let at = session.path().to_owned();
        let waits = wait(&at, marker);
        let path = std::env::var("PATH").expect("a PATH");
        let real = std::env::split_paths(&path).map(|folder| folder.join(name));
        let real = { real }.find(|file| file.is_file()).expect("the real one");
        let code = format!(
            "#!/bin/sh\nfor last; do :; done\ncase \" $* \" in\n  *'{when}'*) if test -e {}/hang; then {half}; {waits}; fi ;;\nesac\nexec {} \"$@\"\n",
            at.display(),
            real.display()
        );
        let session = session
            .program(&format!("bin/{name}"), &code)
            .env("PATH", &format!("{}/bin:{path}", at.display()));
        Self { session, marker }.ready()
    }

    fn ready(self) -> Self {
        fs::create_dir_all(self.session.path().join("impl")).expect("a folder");
        Self {
            session: self.session.file("hang", ""),
            ..self
        }
    }

    fn with(self, change: impl FnOnce(Kael) -> Kael) -> Self {
        Self {
            session: change(self.session).run_with(&["-e", "print(actions.t.a({}))"]),
            ..self
        }
    }

    /// The file that shows that it hangs.
    fn began(&self) -> Option<PathBuf> {
        let below = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
        // git writes in a folder of the source's root alone.
        let roots = below(self.session.path().join("data/sources"));
        let clones = roots.flat_map(|root| below(root.path()));
        let beside = clones.map(|clone| clone.path().join("began"));
        let mut signs = beside.chain([self.session.path().join("impl/began")]);
        signs.find(|sign| sign.exists())
    }

    /// Interrupts the preparation with Ctrl-C and with a time limit, and then lets it succeed.
    fn when_cut_off_succeeds_later(self, result: &str) {
        self.is_interrupted();
        fs::remove_file(self.began().expect("it began")).expect("a file");
        self.is_late();
        self.succeeds(result);
    }

    fn succeeds(self, result: &str) {
        fs::remove_file(self.session.path().join("hang")).expect("it is there");
        self.session.ends().prints(result);
    }

    fn is_interrupted(&self) {
        let mut host = self.session.start();
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.began().is_none() {
            let ended = host.try_wait().expect("it can be asked");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the preparation never began: {}",
                said(host)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let sent = Command::new("kill")
            .args(["-INT", &host.id().to_string()])
            .status();
        assert!(sent.expect("kill starts").success());
        let status = host.wait().expect("it ends");
        assert_eq!(status.code(), Some(130), "{}", said(host));
        assert!(gone(self.marker), "after Ctrl-C");
    }

    fn is_late(&self) {
        // The shortest limit that falls into the preparation on this machine.
        for limit in ["2s", "10s", "60s"] {
            let mut command = self.session.command();
            command.args(["run", "--timeout", limit, "-e", "actions.t.a({})"]);
            let output = command.output().expect("the host starts");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(5), "{said}");
            assert!(
                said.starts_with("Error: the run took longer than the "),
                "{said}"
            );
            assert!(gone(self.marker), "after a limit of {limit}");
            if self.began().is_some() {
                return;
            }
        }
        panic!("the preparation never began");
    }
}

fn said(host: Child) -> String {
    let output = host.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_clone_that_was_cut_off_is_made_anew() {
    let half = "mkdir -p \"$last/.git\"; echo 'echo half' > \"$last/say.sh\"";
    Hanging::tool("git", " clone ", half, "4817.1")
        .with(|session| {
            let made = Command::new("sh")
                .args(["-ec", "mkdir repo; cd repo; git init -q; echo 'echo 7' > say.sh; git add .; git -c user.name=t -c user.email=t@example.org commit -qm x"])
                .current_dir(session.path())
                .status();
            assert!(made.expect("sh").success());
            let url = format!("file://{}/repo", session.path().display());
            session.define("a", &format!("source = '{url}', entrypoint = 'say.sh', executor = 'native'"))
        })
        .when_cut_off_succeeds_later("7\n");
}

#[test]
fn a_virtual_environment_that_was_cut_off_is_made_anew() {
    let half =
        "mkdir -p \"$last/bin\"; touch \"$last/pyvenv.cfg\"; ln -s /bin/false \"$last/bin/python\"";
    Hanging::tool("python3", " venv ", half, "4817.2")
        .with(|session| {
            let session = session.file("impl/requirements.txt", "--no-index\n");
            session.file("impl/p.py", "print(7)").define(
                "a",
                "source = '../impl', entrypoint = 'p.py', executor = 'native'",
            )
        })
        .when_cut_off_succeeds_later("7\n");
}

#[test]
fn packages_of_python_that_were_cut_off_are_installed_anew() {
    let session = Kael::new();
    let at = session.path().to_owned();
    let waits = wait(&at, "4817.3");
    // A package with its own build backend, so that pip downloads nothing.
    let build = format!(
        "import os, subprocess, zipfile
if os.path.exists('{at}/hang'):
    subprocess.run(['sh', '-c', '''{waits}'''])
META = 'Metadata-Version: 2.1\\nName: seven\\nVersion: 1.0\\n'
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = 'seven-1.0-py3-none-any.whl'
    with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:
        wheel.writestr('seven.py', 'SEVEN = 7')
        wheel.writestr('seven-1.0.dist-info/METADATA', META)
        wheel.writestr('seven-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        wheel.writestr('seven-1.0.dist-info/RECORD', '')
    return name
",
        at = at.display()
    );
    let hanging = Hanging {
        session,
        marker: "4817.3",
    };
    let hanging = hanging
        .ready()
        .with(|session| {
            let session = session
                .file("impl/p.py", "import seven\nprint(seven.SEVEN)")
                .file(
                    "impl/requirements.txt",
                    "--no-index\n--find-links ./dist\nseven==1.0\n",
                )
                .file(
                    "seven-1.0/pyproject.toml",
                    "[build-system]\nrequires = []\nbuild-backend = \"build\"\nbackend-path = [\".\"]\n[project]\nname = \"seven\"\nversion = \"1.0\"\n",
                )
                .file("seven-1.0/build.py", build);
            let packed = Command::new("sh")
                .args(["-ec", "mkdir impl/dist; tar czf impl/dist/seven-1.0.tar.gz seven-1.0"])
                .current_dir(session.path())
                .status();
            assert!(packed.expect("sh").success());
            session.define(
                "a",
                "source = '../impl', entrypoint = 'p.py', executor = 'native'",
            )
        });
    // A virtual environment takes seconds, so one interruption is enough.
    hanging.is_interrupted();
    hanging.succeeds("7\n");
}

#[test]
fn packages_of_node_that_were_cut_off_are_installed_anew() {
    let session = Kael::new();
    let at = session.path().to_owned();
    let install = format!(
        "#!/bin/sh\ntest -e {}/hang || exit 0\nmkdir -p node_modules/half\n{}\n",
        at.display(),
        wait(&at, "4817.4")
    );
    let hanging = Hanging {
        session,
        marker: "4817.4",
    };
    hanging
        .ready()
        .with(|session| {
            session
                .file("impl/install.sh", install)
                .file(
                    "impl/package.json",
                    r#"{ "name": "n", "version": "1.0.0", "scripts": { "preinstall": "sh ./install.sh" } }"#,
                )
                .file(
                    "impl/n.js",
                    "console.log(require('fs').existsSync('node_modules/half') ? 'half' : 7)",
                )
                .define(
                    "a",
                    "source = '../impl', entrypoint = 'n.js', executor = 'native'",
                )
        })
        .when_cut_off_succeeds_later("7\n");
}
