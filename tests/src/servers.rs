//! Real servers, each started by a test in a folder of its own, on free ports, and ended with it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to answer, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(180);

/// A server that runs until it is dropped.
pub struct Server {
    /// Where it answers.
    pub url: String,
    /// Its port.
    pub port: u16,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts a program with these words in a folder with these files, and waits until a GET of
    /// `ready` is answered with 200. In words and files `{port}` is a free port, `{other}` a second
    /// and `{third}` another one.
    ///
    /// # Panics
    /// When it does not start, or does not answer.
    #[must_use]
    pub fn start(program: &Path, words: &[&str], files: &[(&str, &str)], ready: &str) -> Self {
        // A port that was free may be taken by the time the server binds it.
        let mut last = String::new();
        for _ in 0..3 {
            match Self::try_start(program, words, files, ready) {
                Ok(server) => return server,
                Err(output) => last = output,
            }
        }
        panic!("{} does not answer: {last}", program.display());
    }

    fn try_start(
        program: &Path,
        words: &[&str],
        files: &[(&str, &str)],
        ready: &str,
    ) -> Result<Self, String> {
        let folder = TempDir::new().expect("a temporary folder");
        let ports = free_ports();
        let filled = |text: &str| {
            text.replace("{port}", &ports[0].to_string())
                .replace("{other}", &ports[1].to_string())
                .replace("{third}", &ports[2].to_string())
        };
        for (name, text) in files {
            fs::write(folder.path().join(name), filled(text)).expect("a file");
        }
        let output = folder.path().join("output");
        let file = fs::File::create(&output).expect("a file");
        let child = Command::new(program)
            .args(words.iter().map(|word| filled(word)))
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut server = Self {
            url: format!("http://127.0.0.1:{}", ports[0]),
            port: ports[0],
            child,
            folder,
        };
        let deadline = Instant::now() + PATIENCE;
        while !answers(server.port, ready) {
            let ended = server.child.try_wait().expect("a child").is_some();
            if ended || Instant::now() > deadline {
                return Err(server.output());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// What it has written to its output.
    #[must_use]
    pub fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    /// A program that pip has installed for the tests.
    ///
    /// # Panics
    /// Without [`Need::Pypi`](crate::Need).
    #[must_use]
    pub fn program(name: &str) -> PathBuf {
        crate::python()
            .expect("the programs of tests/python")
            .join(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_ports() -> [u16; 3] {
    let bound: [TcpListener; 3] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    bound.map(|listener| listener.local_addr().expect("an address").port())
}

/// Whether a GET of this path is answered with 200.
fn answers(port: u16, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok();
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    if stream.write_all(request.as_bytes()).is_err() {
        return false;
    }
    let mut line = [0; 12];
    stream.read_exact(&mut line).is_ok() && line.ends_with(b" 200")
}
