//! kael-host on a pseudo-terminal, as somebody who types would have it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::Kael;

/// How long something that must come may take: a machine may be busy, and a test that waits for nothing should end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with the program on it.
pub struct Terminal {
    typing: File,
    shown: Receiver<Vec<u8>>,
    child: Child,
    /// All that was shown, without what moves the cursor and paints.
    pub text: String,
    all: Vec<u8>,
    /// The end of a control sequence that was cut in two.
    raw: Vec<u8>,
    /// How much of the text was looked at.
    seen: usize,
}

impl Terminal {
    /// Starts `kael-host` with these words in a session's folder, on a terminal of its own.
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
        // setsid gives it the terminal, so that Ctrl-C there is a signal here.
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
        // The other ends are the child's alone from here on.
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

    /// Types, as it stands: `\r` is Enter, `\t` Tab, `\x03` Ctrl-C, `\x04` Ctrl-D.
    pub fn types(&mut self, text: &str) -> &mut Self {
        self.typing.write_all(text.as_bytes()).expect("typed");
        self
    }

    /// Waits until this is shown, behind what was waited for before.
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

    /// All that was shown so far, as it came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.all
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end: the exit code, and all that was shown.
    #[track_caller]
    pub fn ends(mut self) -> (i32, String) {
        let status = self.child.wait().expect("it ends");
        // The other end is closed: the thread comes to the end of what there is.
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
        // A test that has failed leaves nothing behind; one that has not is past its end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What there is to read, and the beginning of what is not complete yet.
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

/// The length of the control sequence that begins here, if all of it is there.
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
