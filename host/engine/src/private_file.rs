//! Files that only their owner can read.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Creates a file with mode 0600, or empties an existing one.
pub fn create(path: &Path) -> io::Result<File> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    // An existing file may have had another mode.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
