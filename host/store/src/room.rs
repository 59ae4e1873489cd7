//! How much a disk has left.

use std::io;
use std::path::Path;

/// Bytes that this user may still write to the disk of a file or a folder that is there.
///
/// # Errors
/// What the system says.
pub fn free_room(path: &Path) -> io::Result<u64> {
    let room = rustix::fs::statvfs(path)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}
