//! Runs kael-host on a pseudo-terminal, as a user would.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::Kael;

/// How long to wait for output before the test fails. A busy machine may be slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with the program.
pub struct Terminal {
    typing: File,
    shown: Receiver<Vec<u8>>,
    child: Child,
    /// Everything that was shown, without control sequences.
    pub text: String,
    all: Vec<u8>,
    /// The beginning of an incomplete control sequence.
    raw: Vec<u8>,
    /// The length of the text that was matched already.
    seen: usize,
}

impl Terminal {
    /// Starts `kael-host` with these arguments in a session's folder, on its own terminal.
    ///
    /// # Panics
    /// When the machine has no pseudo-terminals.
    #[must_use]
    pub fn start(session: &Kael, words: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal");
        unlockpt(&master).expect("a terminal");
        let size = rustix::termios::Winsize {
            ws_row: 50,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&master, size).expect("a size");
        let name = ptsname(&master, Vec::new()).expect("a name");
        let name = name.to_str().expect("a path");
        let open = || {
            let file = File::options().read(true).write(true).open(name);
            Stdio::from(file.expect("the other end"))
        };
        let host = session.command();
        // setsid makes it the controlling terminal, so that Ctrl-C becomes a signal.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(host.get_program());
        command.args(host.get_args()).args(words);
        command.current_dir(session.path());
        for (name, value) in host.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("TERM", "xterm");
        command.stdin(open()).stdout(open()).stderr(open());
        let child = command.spawn().expect("setsid starts");
        // From here on only the child has the other ends.
        drop(command);
        let typing = File::from(master);
        let mut reading = typing.try_clone().expect("a descriptor");
        let (sender, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reading.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            typing,
            shown,
            child,
            text: String::new(),
            all: Vec::new(),
            raw: Vec::new(),
            seen: 0,
        }
    }

    /// Types the text: `\r` is Enter, `\t` Tab, `\x03` Ctrl-C, `\x04` Ctrl-D.
    pub fn types(&mut self, text: &str) -> &mut Self {
        self.typing.write_all(text.as_bytes()).expect("typed");
        self
    }

    /// Waits until this text appears after the text of the previous wait.
    #[track_caller]
    pub fn shows(&mut self, text: &str) -> &mut Self {
        let start = Instant::now();
        loop {
            if let Some(at) = self.text[self.seen..].find(text) {
                self.seen += at + text.len();
                return self;
            }
            match self
                .shown
                .recv_timeout(PATIENCE.saturating_sub(start.elapsed()))
            {
                Ok(bytes) => self.take(&bytes),
                Err(_) => panic!(
                    "{text:?} was not shown behind {:?}: {:?}",
                    self.seen, self.text
                ),
            }
        }
    }

    /// Everything that was shown so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.all
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end. Returns the exit code and everything that was shown.
    #[track_caller]
    pub fn ends(mut self) -> (i32, String) {
        let status = self.child.wait().expect("it ends");
        // The other end is closed, so the thread reaches the end of the output.
        while let Ok(bytes) = self.shown.recv_timeout(PATIENCE) {
            self.take(&bytes);
        }
        (status.code().unwrap_or(-1), std::mem::take(&mut self.text))
    }

    fn take(&mut self, bytes: &[u8]) {
        self.all.extend_from_slice(bytes);
        self.raw.extend_from_slice(bytes);
        let (text, rest) = plain(&self.raw);
        self.text.push_str(&text);
        self.raw = rest;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A failed test must leave no process behind. After a passed test the process has ended
        // already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Splits bytes into readable text and an incomplete rest.
fn plain(bytes: &[u8]) -> (String, Vec<u8>) {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\x1b' => match sequence(&bytes[at..]) {
                Some(length) => at += length,
                None => break,
            },
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    let whole = match std::str::from_utf8(&out) {
        Err(error) if error.error_len().is_none() && at == bytes.len() => {
            at -= out.len() - error.valid_up_to();
            error.valid_up_to()
        }
        _ => out.len(),
    };
    let text = String::from_utf8_lossy(&out[..whole]).into_owned();
    (text, bytes[at..].to_vec())
}

/// The length of the control sequence at the start, if it is complete.
fn sequence(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'[' => {
            let end = bytes[2..].iter().position(|b| (0x40..=0x7e).contains(b))?;
            Some(end + 3)
        }
        _ => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn sequences_are_left_out_wherever_they_are_cut() {
        let (text, rest) = plain(b"a\x1b[31mb\x1b[?20");
        assert_eq!((text.as_str(), rest.as_slice()), ("ab", &b"\x1b[?20"[..]));
        let (text, rest) = plain("x\u{e9}".as_bytes().split_last().expect("bytes").1);
        assert_eq!((text.as_str(), rest.len()), ("x", 1));
    }
}
