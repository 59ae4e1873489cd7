//! What an action's process sees of the environment, and what preparing a source sees.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// Language and encoding of the user.
const LOCALE: [&str; 4] = ["LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE"];

/// `PATH` where Kael was started without one.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What fetching needs in many places: keys, proxies, certificates. Programs that fetch and prepare
/// sources see them; actions do not.
pub const FETCH_DEFAULTS: [&str; 14] = [
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
];

pub(crate) type Variables = Vec<(OsString, OsString)>;

/// Sets variables, so that each is there once: a program may take the first of two, or the last.
pub(crate) fn set(variables: &mut Variables, more: impl IntoIterator<Item = (OsString, OsString)>) {
    for (name, value) in more {
        variables.retain(|(known, _)| *known != name);
        variables.push((name, value));
    }
}

/// `PATH`, `HOME`, the locale, and the named variables that are set.
pub(crate) fn scrubbed(environment: &Environment, path: &OsStr, names: &[String]) -> Variables {
    let mut variables: Variables = vec![("PATH".into(), path.to_owned())];
    for name in ["HOME"]
        .into_iter()
        .chain(LOCALE)
        .chain(names.iter().map(String::as_str))
    {
        if let Some(value) = environment.get(name) {
            set(&mut variables, [(name.into(), value.to_owned())]);
        }
    }
    variables
}

/// `PATH` without envyr: an envyr that finds itself there clones a repository over the network at
/// every call.
///
/// In place of a folder that holds envyr stands one with links to all other files of that folder.
/// It is made once, in Kael's data folder.
pub(crate) fn path_without_envyr(environment: &Environment, data: &Path) -> OsString {
    let path = environment.get("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    let cleaned = folders.filter_map(|folder| {
        if folder.join("envyr").exists() {
            mirror(&folder, data)
        } else {
            Some(folder)
        }
    });
    std::env::join_paths(cleaned).unwrap_or_else(|_| DEFAULT_PATH.into())
}

fn mirror(folder: &Path, data: &Path) -> Option<PathBuf> {
    let changed = folder
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok()?;
    let stamp = changed
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let name: String = folder
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let target = data.join("path").join(format!("{name}-{stamp}"));
    if !target.is_dir() {
        // Made elsewhere and moved in, so that no process sees half of it.
        fs::create_dir_all(data.join("path")).ok()?;
        let making = tempfile::tempdir_in(data.join("path")).ok()?;
        for entry in fs::read_dir(folder).ok()?.flatten() {
            if entry.file_name() != "envyr" {
                symlink(entry.path(), making.path().join(entry.file_name())).ok();
            }
        }
        let made = making.keep();
        if fs::rename(&made, &target).is_err() {
            fs::remove_dir_all(&made).ok();
        }
    }
    target.is_dir().then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(
            variables
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
    }

    #[test]
    fn only_what_is_named_is_seen() {
        let environment = environment(&[
            ("HOME", "/h"),
            ("LANG", "C"),
            ("SECRET", "s"),
            ("A", "1"),
            ("EMPTY", ""),
        ]);
        let names = ["A".to_owned(), "EMPTY".to_owned(), "UNSET".to_owned()];
        let seen = scrubbed(&environment, OsStr::new("/bin"), &names);
        let expected = [("PATH", "/bin"), ("HOME", "/h"), ("LANG", "C"), ("A", "1")];
        assert_eq!(
            seen,
            expected.map(|(name, value)| (OsString::from(name), OsString::from(value)))
        );
    }

    #[test]
    fn a_variable_that_is_set_again_is_there_once() {
        let mut variables: Variables = vec![("A".into(), "1".into()), ("B".into(), "2".into())];
        set(
            &mut variables,
            [("A".into(), "3".into()), ("C".into(), "4".into())],
        );
        let expected = [("B", "2"), ("A", "3"), ("C", "4")];
        assert_eq!(
            variables,
            expected.map(|(name, value)| (OsString::from(name), OsString::from(value)))
        );
    }

    #[test]
    fn a_folder_with_envyr_is_mirrored_without_it() {
        let (folder, data) = (
            tempfile::tempdir().expect("a folder"),
            tempfile::tempdir().expect("a folder"),
        );
        fs::write(folder.path().join("envyr"), "").expect("a file");
        fs::write(folder.path().join("cargo"), "x").expect("a file");
        let path = format!("/usr/bin:{}", folder.path().display());
        let cleaned = path_without_envyr(&environment(&[("PATH", &path)]), data.path());
        let folders: Vec<_> = std::env::split_paths(&cleaned).collect();
        assert_eq!(folders[0], Path::new("/usr/bin"));
        assert!(!folders[1].join("envyr").exists());
        assert_eq!(
            fs::read_to_string(folders[1].join("cargo")).expect("linked"),
            "x"
        );
        assert_eq!(
            path_without_envyr(&environment(&[("PATH", &path)]), data.path()),
            cleaned
        );
    }
}
