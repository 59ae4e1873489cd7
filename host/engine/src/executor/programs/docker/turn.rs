//! One call at a time builds the image of a source: envyr's Dockerfile has one place in it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::executor::lock::Lock;
use crate::executor::source::{Entry, SourceError, Tools, digest};

/// An image that is being built, or was.
pub(super) struct Turn {
    stamp: PathBuf,
    lock: Option<Lock>,
}

impl Turn {
    /// Waits for the turn to build an image, unless it was built before. The turn lasts as long as
    /// what is returned.
    pub(super) async fn wait(
        tools: &Tools<'_>,
        data: &Path,
        entry: &Entry,
        tag: &str,
    ) -> Result<Self, SourceError> {
        let key = digest(&[&entry.folder.to_string_lossy(), "image"]);
        let stamp = data.join("images").join(format!("{key}-{tag}"));
        if stamp.exists() {
            return Ok(Self { stamp, lock: None });
        }
        let lock = tools.lock(&key).await?;
        // Another call may have built it meanwhile.
        let lock = (!stamp.exists()).then_some(lock);
        Ok(Self { stamp, lock })
    }

    /// Whether the image is not known to be there.
    pub(super) fn missing(&self) -> bool {
        self.lock.is_some()
    }

    /// The image is there now: others need not wait any longer.
    pub(super) fn note(&mut self) {
        // When this is lost, the next call takes a turn that it need not take.
        self.stamp.parent().map(fs::create_dir_all).transpose().ok();
        fs::write(&self.stamp, "").ok();
        self.lock = None;
    }
}
