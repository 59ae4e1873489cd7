//! Reads the file of a policy: a regular file, of a bounded size.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::PolicyError;

/// A policy may have this many bytes.
pub const MAX_SIZE: u64 = crate::repo::MAX_POLICY;

/// The text of a policy. A symbolic link is followed: the operator has named it.
///
/// # Errors
/// When it cannot be read, is no regular file, is too large or not UTF-8.
pub fn read(path: &Path) -> Result<String, PolicyError> {
    let shown = path.display();
    let fail = |why: &str| PolicyError::one(format!("cannot read the policy `{shown}`: {why}"));
    // A FIFO is not waited for.
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| fail(&error.to_string()))?;
    let metadata = file.metadata().map_err(|error| fail(&error.to_string()))?;
    if !metadata.is_file() {
        return Err(fail("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(&error.to_string()))?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(fail(&format!("it has more than {} KiB", MAX_SIZE >> 10)));
    }
    String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8 text"))
}
