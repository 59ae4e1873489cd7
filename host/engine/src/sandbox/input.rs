//! What a script reads with `input()`: read when it is first asked for, and kept.
//!
//! What writes to stdin may take its time, or never end. So a thread of its own reads, and the run waits for the thread
//! within its limits.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};
use std::thread;

use tokio::sync::{OnceCell, oneshot};

use crate::units::ByteSize;

/// Bytes that a script may be given on stdin, and in the files that the operator names together.
pub const MAX_INPUT: u64 = 64 << 20;

/// Where the answer comes from, once for all runs of this process.
#[derive(Debug, Clone, Default)]
pub struct Input(Option<Arc<OnceCell<Result<String, String>>>>);

impl Input {
    /// There is none.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// The stdin of this process.
    #[must_use]
    pub fn stdin() -> Self {
        static STDIN: OnceLock<Input> = OnceLock::new();
        STDIN.get_or_init(|| Self(Some(Arc::default()))).clone()
    }

    /// The bytes as the gate carries them, or why there are none.
    pub(super) async fn read(&self) -> Result<String, String> {
        let Some(cell) = &self.0 else {
            return Err(
                "this script is given none: `kael-host run SCRIPT < FILE` gives it stdin"
                    .to_owned(),
            );
        };
        cell.get_or_init(|| async {
            let (reply, answer) = oneshot::channel();
            let body = move || reply.send(crossing(io::stdin().lock())).ok();
            let started = thread::Builder::new()
                .name("kael-input".to_owned())
                .spawn(body);
            match started {
                Ok(_) => answer
                    .await
                    .unwrap_or_else(|_| Err("stdin cannot be read".to_owned())),
                Err(error) => Err(format!("stdin cannot be read: {error}")),
            }
        })
        .await
        .clone()
    }
}

/// `u` and the text, or `b` and a character up to U+00FF for each byte.
fn crossing(from: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(MAX_INPUT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("stdin cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(format!("stdin has more than {}", ByteSize::new(MAX_INPUT)));
    }
    Ok(match std::str::from_utf8(&bytes) {
        Ok(text) => format!("u{text}"),
        Err(_) => std::iter::once('b')
            .chain(bytes.iter().copied().map(char::from))
            .collect(),
    })
}

/// The bytes of a text that has a character up to U+00FF for each.
pub(super) fn bytes_of(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|byte| u8::try_from(u32::from(byte)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_crosses_and_too_many_are_refused() {
        let all: Vec<u8> = (0..=255).collect();
        let crossed = crossing(&all[..]).expect("it is read");
        assert_eq!(
            bytes_of(crossed.strip_prefix('b').expect("bytes")),
            Some(all)
        );
        assert_eq!(crossing("é".as_bytes()).as_deref(), Ok("ué"));
        assert_eq!(bytes_of("\u{100}"), None);
        let endless = crossing(io::repeat(b'x')).expect_err("too much");
        assert_eq!(endless, "stdin has more than 64 MiB");
    }
}
