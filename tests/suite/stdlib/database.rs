//! Servers of databases, each in a folder of its own and on a free port, until the test ends.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kael_tests::{Kael, Need, project};
use tempfile::TempDir;

/// The password of the user `kael` of every server.
pub(super) const PASSWORD: &str = "pass-w%rd/correct";

/// A server that runs.
pub(super) struct Database {
    pub(super) port: u16,
    scheme: &'static str,
    folder: TempDir,
    child: Child,
}

impl Drop for Database {
    fn drop(&mut self) {
        // PostgreSQL ends its own processes at this signal; MariaDB has one.
        let pid = rustix::process::Pid::from_child(&self.child);
        let signal = match self.scheme {
            "postgres" => rustix::process::Signal::QUIT,
            _ => rustix::process::Signal::KILL,
        };
        rustix::process::kill_process(pid, signal).ok();
        self.child.wait().ok();
    }
}

/// A user that is not root: the servers refuse to be.
const NOBODY: u32 = 65534;

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .env_remove("PGDATA");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn done(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

/// Gives a file or a folder to the server.
fn give(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    if rustix::process::geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("an owner");
    }
}

/// Gives a server its certificate for `localhost`.
fn certified(folder: &Path) {
    for (from, to) in [("server.pem", "pem"), ("server.key", "key")] {
        let to = folder.join(to);
        std::fs::copy(project("tests/fixtures/tls").join(from), &to).expect("copied");
        give(&to, 0o600);
    }
}

fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    give(folder.path(), 0o700);
    folder
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Starts a server until it answers: another program may have taken the port meanwhile.
fn started(
    scheme: &'static str,
    folder: TempDir,
    start: impl Fn(&Path, u16) -> Command,
    answers: impl Fn(&Path, u16) -> bool,
) -> Database {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut child = start(folder.path(), port)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        while child.try_wait().expect("a child").is_none() {
            if answers(folder.path(), port) {
                return Database {
                    port,
                    scheme,
                    folder,
                    child,
                };
            }
            assert!(Instant::now() < end, "no answer: {}", log_of(&folder));
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(Instant::now() < end, "it ends: {}", log_of(&folder));
    }
}

fn log_of(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("log")).unwrap_or_default()
}

impl Database {
    /// Runs a script over connections to a host with options of its URL, once for each case. A case says whether the
    /// authority of the server's certificate is trusted, and what the script prints.
    #[track_caller]
    pub(super) fn tries(&self, script: &str, cases: &[(&str, &str, bool, &str)]) {
        let authority = project("tests/fixtures/tls/authority.pem");
        for (host, options, trusts, words) in cases {
            let grant = "    - { name: app, url: \"{secret:db/url}\" }\n";
            let kael = session(grant, &self.url(host, options));
            let kael = match trusts {
                true => kael.env("SSL_CERT_FILE", &authority.display().to_string()),
                false => kael,
            };
            let ran = kael.script(script);
            ran.exits(0);
            let printed = &ran.stdout;
            assert!(printed.contains(words), "{host}{options}: {printed}");
        }
    }

    /// PostgreSQL with a user `kael`, who is no superuser, and a database of that name. With `tls`
    /// it has a certificate for `localhost`.
    pub(super) fn postgres(tls: bool) -> Option<Self> {
        if !kael_tests::needs(&[Need::Postgres]) {
            return None;
        }
        let programs = kael_tests::postgres_programs()?;
        let folder = folder();
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        std::fs::write(&password, "root-of-all").expect("a file");
        give(&password, 0o600);
        done(
            command(programs.join("initdb"))
                .args([
                    "-U",
                    "root",
                    "-A",
                    "scram-sha-256",
                    "-E",
                    "UTF8",
                    "--no-locale",
                    "-N",
                ])
                .arg("--pwfile")
                .arg(&password)
                .arg("-D")
                .arg(&data),
        );
        certified(folder.path());
        let server = programs.clone();
        let start = move |folder: &Path, port: u16| {
            let mut command = command(server.join("postgres"));
            command.arg("-D").arg(folder.join("data"));
            let mut set = vec![
                format!("port={port}"),
                "listen_addresses=127.0.0.1".to_owned(),
                "unix_socket_directories=".to_owned(),
                "fsync=off".to_owned(),
            ];
            if tls {
                set.push("ssl=on".to_owned());
                set.push(format!("ssl_cert_file={}/pem", folder.display()));
                set.push(format!("ssl_key_file={}/key", folder.display()));
            }
            for setting in set {
                command.args(["-c", &setting]);
            }
            command
        };
        let answers = |_: &Path, port: u16| {
            let mut ready = command(programs.join("pg_isready"));
            let ready = ready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            ready.status().is_ok_and(|status| status.success())
        };
        let server = started("postgres", folder, start, answers);
        server.root(&format!("CREATE ROLE kael LOGIN PASSWORD '{PASSWORD}'"));
        server.root("CREATE DATABASE kael OWNER kael");
        Some(server)
    }

    /// MariaDB with a user `kael`, who may do everything, and a database of that name.
    pub(super) fn mariadb() -> Option<Self> {
        if !kael_tests::needs(&[Need::Mariadb]) {
            return None;
        }
        let folder = folder();
        certified(folder.path());
        let data = format!("--datadir={}/data", folder.path().display());
        done(command("mariadb-install-db").args([
            "--no-defaults",
            &data,
            "--auth-root-authentication-method=normal",
            // One that starts removes what it takes for its own in the common folder.
            &format!("--tmpdir={}", folder.path().display()),
            "--skip-test-db",
        ]));
        let start = |folder: &Path, port: u16| {
            let mut command = command("mariadbd");
            command.args([
                "--no-defaults".to_owned(),
                format!("--datadir={}/data", folder.display()),
                format!("--tmpdir={}", folder.display()),
                format!("--socket={}/socket", folder.display()),
                format!("--port={port}"),
                "--bind-address=127.0.0.1".to_owned(),
                "--skip-name-resolve".to_owned(),
                "--character-set-server=utf8mb4".to_owned(),
                "--innodb-flush-log-at-trx-commit=0".to_owned(),
                format!("--secure-file-priv={}", folder.display()),
                format!("--ssl-cert={}/pem", folder.display()),
                format!("--ssl-key={}/key", folder.display()),
            ]);
            command
        };
        let answers = |folder: &Path, _: u16| {
            let mut ping = command("mariadb-admin");
            let socket = format!("--socket={}/socket", folder.display());
            let ping = ping.args(["--no-defaults", &socket, "-u", "root", "ping"]);
            ping.output().is_ok_and(|output| output.status.success())
        };
        let server = started("mysql", folder, start, answers);
        server.root(&format!("CREATE USER kael@'%' IDENTIFIED BY '{PASSWORD}'"));
        server.root("GRANT ALL ON *.* TO kael@'%'");
        server.root("CREATE DATABASE kael");
        Some(server)
    }

    /// The folder of the server.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a statement as the administrator, by the server's own client. Returns what that prints.
    pub(super) fn root(&self, sql: &str) -> String {
        let port = self.port.to_string();
        let output = match self.scheme {
            "postgres" => {
                let programs = kael_tests::postgres_programs().expect("PostgreSQL");
                let mut client = command(programs.join("psql"));
                let client = client.env("PGPASSWORD", "root-of-all");
                let client = client.args(["-h", "127.0.0.1", "-p", &port, "-U", "root", "-At"]);
                let database =
                    if sql.starts_with("CREATE ROLE") || sql.starts_with("CREATE DATABASE") {
                        "postgres"
                    } else {
                        "kael"
                    };
                done(client.args(["-d", database, "-c", sql]))
            }
            _ => {
                let mut client = command("mariadb");
                let socket = format!("--socket={}/socket", self.path().display());
                let client = client.args(["--no-defaults", &socket, "-u", "root", "-N", "-B"]);
                // The bodies of functions have semicolons.
                done(client.args(["--delimiter=//", "-e", sql]))
            }
        };
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The URL of the database, with a part behind it.
    pub(super) fn url(&self, host: &str, options: &str) -> String {
        let password = PASSWORD.replace('%', "%25").replace('/', "%2F");
        format!(
            "{}://kael:{password}@{host}:{}/kael{options}",
            self.scheme, self.port
        )
    }

    /// A session in which `app` may be written, and `app_reader` reads the same database.
    pub(super) fn session(&self) -> Kael {
        let url = self.url("127.0.0.1", "");
        session(
            "    - { name: app, url: \"{secret:db/url}\", mode: read-write, max_rows: 1000 }\n    - { name: reader, url: \"{secret:db/url}\", max_rows: 5 }\n",
            &url,
        )
    }
}

/// A session with grants of databases, whose URL is the secret `db/url`.
pub(super) fn session(grants: &str, url: &str) -> Kael {
    let kael = Kael::new();
    let list = format!(
        "version: 1\nsecrets:\n  db/url: {{ file: {}/url }}\n",
        kael.path().display()
    );
    kael.file("url", url)
        .file("config/kael/secrets.yaml", list)
        .file(
            "p.yaml",
            format!("version: 1\ndefault: allow\ngrants:\n  db:\n{grants}"),
        )
        .run_with(&["--policy", "p.yaml"])
}

/// Waits until a question has an answer.
pub(super) fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
