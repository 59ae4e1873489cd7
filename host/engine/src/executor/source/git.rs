//! Clones a git source with git itself, confined to the folder of the clone.
//!
//! The author of a repository may be hostile, though a definition names it. git runs no hook and no
//! program that the clone brings, and takes no submodule. Its process may write the clone's own
//! folder and its `TMPDIR`, and nothing else.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::SourceError;
use super::variables::Variables;
use crate::executor::on_path::on_path;

/// Settings that hold over those of the user: nothing that a clone could bring is run or followed.
const SETTINGS: [&str; 7] = [
    // Hooks of the user's own template are for the user's own clones.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "protocol.ext.allow=never",
    "advice.detachedHead=false",
    "gc.auto=0",
];

/// A clone that is to be made.
pub(super) struct Clone<'a> {
    pub(super) url: &'a str,
    /// A tag, branch or commit; the default branch without one.
    pub(super) tag: Option<&'a str>,
    /// Holds the clone and nothing else.
    pub(super) root: &'a Path,
}

impl Clone<'_> {
    /// The folder of the clone: named like the repository, so that messages can say it.
    pub(super) fn folder(&self) -> PathBuf {
        let path = self.url.trim_end_matches('/');
        let name = path.rsplit(['/', ':']).next().unwrap_or_default();
        let name = name.strip_suffix(".git").unwrap_or(name);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let good = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.len() <= 100
            && name.chars().all(plain);
        self.root.join(if good { name } else { "source" })
    }

    /// The command lines of git, one after the other.
    pub(super) fn commands(&self) -> [Vec<OsString>; 2] {
        let folder = self.folder();
        let mut clone = settings();
        // Without a template there is no hook in it.
        let fixed = [
            "clone",
            "--quiet",
            "--no-checkout",
            "--no-recurse-submodules",
            "--template=",
            "--origin=origin",
            "--",
        ];
        clone.extend(fixed.map(OsString::from));
        clone.extend([self.url.into(), folder.clone().into()]);
        let mut checkout = vec!["-C".into(), folder.into()];
        checkout.extend(settings());
        // A tag, a commit, or the branch of that name at the other side.
        let what = self.tag.unwrap_or("HEAD");
        let fixed = ["checkout", "--quiet", "--force", what, "--"];
        checkout.extend(fixed.map(OsString::from));
        [clone, checkout]
    }
}

/// The arguments of git that print what a branch or tag of a repository elsewhere, or its default branch, is at.
pub(super) fn commits_at(url: &str, reference: Option<&str>) -> Vec<OsString> {
    let mut args = settings();
    args.extend(["ls-remote", "--quiet", "--", url].map(OsString::from));
    args.extend(names_of(reference).map(OsString::from));
    args
}

/// The commit in what git prints then; none where there is no such branch or tag.
pub(super) fn commit_at(printed: &str, reference: Option<&str>) -> Option<String> {
    let lines = printed.lines().filter_map(|line| line.split_once('\t'));
    let lines: Vec<(&str, &str)> = lines.collect();
    let of = |name: &String| lines.iter().find(|(_, known)| known == name);
    let (commit, _) = names_of(reference).iter().find_map(of)?;
    is_commit(commit).then(|| (*commit).to_owned())
}

/// Whether a text is the whole name of a commit.
pub(super) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a reference may be called at the other side, the one that counts most first. A tag with a message is an object of
/// its own; its name with `^{}` is that of the commit.
fn names_of(reference: Option<&str>) -> [String; 3] {
    match reference {
        None | Some("HEAD") => ["HEAD"; 3].map(str::to_owned),
        Some(name) if name.starts_with("refs/") => {
            [format!("{name}^{{}}"), name.to_owned(), name.to_owned()]
        }
        Some(name) => [
            format!("refs/heads/{name}"),
            format!("refs/tags/{name}^{{}}"),
            format!("refs/tags/{name}"),
        ],
    }
}

/// The arguments of git that print the commit of a clone.
pub(super) fn commit_of(clone: &Path) -> Vec<OsString> {
    let mut args = vec!["-C".into(), clone.into()];
    args.extend(settings());
    args.extend(["rev-parse", "--verify", "HEAD"].map(OsString::from));
    args
}

fn settings() -> Vec<OsString> {
    let pairs = SETTINGS.iter().flat_map(|setting| ["-c", *setting]);
    pairs.map(OsString::from).collect()
}

/// What git sees beside the variables for fetching.
pub(super) fn variables(env: &Variables) -> Variables {
    let mut env = env.clone();
    // A question would wait for an answer for ever.
    env.push(("GIT_TERMINAL_PROMPT".into(), "0".into()));
    env
}

/// Finds git on `PATH`.
pub(super) fn find(env: &Variables) -> Result<PathBuf, SourceError> {
    let path = env.iter().find(|(name, _)| name == "PATH");
    path.and_then(|(_, path)| on_path("git", path))
        .ok_or(SourceError::NoGit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_that_of_the_branch_then_of_the_tag_that_has_the_name() {
        let commits = ["a", "b", "c", "d"].map(|letter| letter.repeat(40));
        let [a, b, c, d] = &commits;
        let all = format!(
            "{a}\tHEAD\n{a}\trefs/heads/main\n{b}\trefs/heads/x/main\n{c}\trefs/tags/v1\n\
             {d}\trefs/tags/v1^{{}}\n{c}\trefs/tags/main\n"
        );
        for (reference, commit) in [
            (None, Some(a)),
            (Some("main"), Some(a)),
            (Some("v1"), Some(d)),
            (Some("x"), None),
            (Some("HEAD"), Some(a)),
            (Some("refs/tags/main"), Some(c)),
        ] {
            assert_eq!(commit_at(&all, reference).as_ref(), commit, "{reference:?}");
        }
        for odd in ["", "main", "--x\trefs/heads/main", "aa\trefs/heads/main"] {
            assert_eq!(commit_at(odd, Some("main")), None, "{odd}");
        }
    }

    #[test]
    fn a_clone_is_named_like_its_repository() {
        let folder = |url| {
            let (tag, root) = (None, Path::new("/r"));
            Clone { url, tag, root }.folder()
        };
        for (url, name) in [
            ("git@github.com:someone/tools.git", "/r/tools"),
            ("https://x.org/a/b/", "/r/b"),
            ("deploy@x.org:repo", "/r/repo"),
            ("file:///srv/repo.git", "/r/repo"),
            ("file:///srv/..", "/r/source"),
            ("file:///srv/.git", "/r/source"),
            ("file:///srv/-x", "/r/source"),
        ] {
            assert_eq!(folder(url), Path::new(name), "{url}");
        }
    }
}
