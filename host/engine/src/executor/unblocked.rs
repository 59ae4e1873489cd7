//! Opens files that a team or an action may have made something else of: nothing is waited for.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Opens a regular file for reading. A FIFO that nobody writes to, a lease that somebody holds, or
/// a terminal is an error.
pub fn open(path: &Path) -> io::Result<File> {
    open_as(path, 0)
}

/// The same, where a link is an error, too.
pub fn open_plain(path: &Path) -> io::Result<File> {
    open_as(path, libc::O_NOFOLLOW)
}

fn open_as(path: &Path, more: i32) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | more;
    let opened = File::options().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(
            io::ErrorKind::WouldBlock,
            "another process holds a lease on it",
        ),
        _ => error,
    })?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file")),
    }
}

/// The text of a small file, without a byte beyond `most`.
pub fn text(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_file_is_opened_and_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").expect("a file");
        assert_eq!(text(&at("file"), 3).expect("a text"), "tex");
        let fifo = at("fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).expect("a FIFO");
        std::os::unix::fs::symlink("file", at("link")).expect("a link");
        assert!(open(&at("link")).is_ok() && open_plain(&at("file")).is_ok());
        assert!(open_plain(&at("link")).is_err());
        assert_eq!(open(&fifo).expect_err("a FIFO").to_string(), "not a file");
        assert_eq!(
            open(folder.path()).expect_err("a folder").to_string(),
            "not a file"
        );
    }
}
