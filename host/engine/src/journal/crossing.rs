//! What goes in at one crossing of `run-action`, as far as the journal tells crossings apart.

use sha2::{Digest as _, Sha256};

/// The host's names whose answers take their time, as an action's do.
const WAITING: [&str; 4] = ["kael.sleep", "kael.wait", "kael.start", "kael.child"];

/// The host's names that only show something, and whose answer is null.
const SHOWING: [&str; 4] = ["kael.print", "kael.print-bytes", "kael.report", "kael.warn"];

/// One call that goes in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) id: u32,
    pub(crate) name: &'a str,
    pub(crate) params: &'a str,
}

/// One crossing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Crossing {
    /// Something is shown, with nothing in flight.
    Show {
        name: &'static str,
        bytes: u64,
        digest: [u8; 32],
    },
    /// Another of the host's own names, with nothing in flight.
    Own { name: String },
    /// Anything else.
    Turn { digest: [u8; 16], asked: String },
}

/// Whether the host answers a name by itself, and at once. Names with a second dot, such as `kael.http.get`, are
/// actions that the host brings.
pub(crate) fn is_own(name: &str) -> bool {
    let rest = name.strip_prefix("kael.");
    rest.is_some_and(|rest| !rest.contains('.')) && !WAITING.contains(&name)
}

/// Whether a name of the host's only shows something.
pub(crate) fn is_showing(name: &str) -> bool {
    SHOWING.contains(&name)
}

impl Crossing {
    pub(crate) fn of(calls: &[Request<'_>], cancel: &[u32], wait: bool, alone: bool) -> Self {
        if let [call] = calls
            && wait
            && alone
            && cancel.is_empty()
            && is_own(call.name)
        {
            return match SHOWING.into_iter().find(|name| *name == call.name) {
                Some(name) => Self::Show {
                    name,
                    bytes: call.params.len() as u64,
                    digest: digest_of(&[*call], &[], true),
                },
                None => Self::Own {
                    name: call.name.to_owned(),
                },
            };
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&digest_of(calls, cancel, wait)[..16]);
        Self::Turn {
            digest,
            asked: asked(calls, cancel),
        }
    }

    /// For people.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Show { .. } => "a print".to_owned(),
            Self::Own { name } => name.clone(),
            Self::Turn { asked, .. } => asked.clone(),
        }
    }
}

/// Bytes of the names that a turn tells.
const MAX_ASKED: usize = 200;

fn asked(calls: &[Request<'_>], cancel: &[u32]) -> String {
    let mut text = String::new();
    for call in calls {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(call.name);
        if text.len() > MAX_ASKED {
            text.truncate(text.floor_char_boundary(MAX_ASKED));
            text.push_str("...");
            break;
        }
    }
    if !cancel.is_empty() {
        text.push_str(if text.is_empty() { "" } else { ", " });
        text.push_str(&format!("{} cancelled", cancel.len()));
    }
    text
}

fn digest_of(calls: &[Request<'_>], cancel: &[u32], wait: bool) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((calls.len() as u64).to_le_bytes());
    for call in calls {
        hash.update(call.id.to_le_bytes());
        for text in [call.name, call.params] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
    }
    hash.update((cancel.len() as u64).to_le_bytes());
    for id in cancel {
        hash.update(id.to_le_bytes());
    }
    hash.update([u8::from(wait)]);
    hash.finalize().into()
}

/// Several crossings in a row that show something: one entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Stretch {
    pub(super) count: u64,
    pub(super) bytes: u64,
    hash: Sha256,
}

impl Stretch {
    pub(super) fn add(&mut self, bytes: u64, digest: &[u8; 32]) {
        self.count += 1;
        self.bytes += bytes;
        self.hash.update(digest);
    }

    pub(super) fn digest(&self) -> [u8; 16] {
        let mut digest = [0; 16];
        digest.copy_from_slice(&self.hash.clone().finalize()[..16]);
        digest
    }
}
