//! Files that only their owner can read.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Makes a file, or empties one that is there, with mode 0600.
pub fn create(path: &Path) -> io::Result<File> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    // It may have been there with another mode.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
