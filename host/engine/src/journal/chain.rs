//! The chain of a journal: each commit's last entry carries a digest of all that came before it.

use sha2::{Digest as _, Sha256};

/// What stands before the first commit.
pub const ZERO: [u8; 32] = [0; 32];

/// The digest of one commit while its entries are added.
#[derive(Debug, Clone)]
pub struct Chain(Sha256);

impl Chain {
    /// The next commit after the one with that digest.
    #[must_use]
    pub fn after(previous: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(previous);
        Self(hash)
    }

    /// Adds an entry. Its number, time and kind count, too, so that none can be moved or made another's.
    pub fn add(&mut self, seq: u64, at: u64, kind: u8, body: &[u8]) {
        self.0.update(seq.to_le_bytes());
        self.0.update(at.to_le_bytes());
        self.0.update([kind]);
        self.0.update((body.len() as u64).to_le_bytes());
        self.0.update(body);
    }

    /// The digest of the commit, which counts the computing time that its last entry tells.
    #[must_use]
    pub fn end(mut self, cpu_us: u64) -> [u8; 32] {
        self.0.update(cpu_us.to_le_bytes());
        self.0.finalize().into()
    }
}
