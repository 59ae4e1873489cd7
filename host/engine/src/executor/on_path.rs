//! Finds programs in the folders of `PATH`.

use std::ffi::OsStr;
use std::path::PathBuf;

/// The first file of that name in a folder of `path`. Folders that are not absolute are passed
/// over: what they hold depends on the folder that Kael was started in, which may be anyone's.
pub(crate) fn on_path(program: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_are_not_absolute_are_passed_over() {
        let here = std::env::current_dir().expect("a folder");
        let from = tempfile::tempdir_in(&here).expect("a folder");
        std::fs::write(from.path().join("tool"), "").expect("a file");
        let relative = from.path().strip_prefix(&here).expect("it is below");
        let path = |folder: &std::path::Path| {
            on_path(
                "tool",
                std::env::join_paths(["".as_ref(), folder])
                    .expect("a path")
                    .as_ref(),
            )
        };
        assert_eq!(path(relative), None);
        assert_eq!(path(from.path()), Some(from.path().join("tool")));
    }
}
