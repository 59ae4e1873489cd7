//! Actions repos that come from git: a tenant uses one commit, until a refresh brings another that loads.
//!
//! `kael_engine` fetches them as it fetches the sources of actions: git runs confined, without hooks, submodules and questions.
//! Each commit has a clone of its own, so that runs that began with one go on with its files. Which one is used is noted
//! beside them, so that a server that starts uses it again, whatever the branch is at by then.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use kael_engine::environment::Environment;
use kael_engine::runtime::Runtime;
use kael_engine::secrets::check_name;
use kael_engine::units::TimeLimit;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time;

/// The folder of the clones, in a tenant's data folder.
const CLONES: &str = "checkouts";
/// The file that says which commit is used.
const USED: &str = "used.json";
/// In a clone's folder: it was in use no longer when this was written.
const REPLACED: &str = "replaced";
/// How often it is looked whether a repo is due.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// An actions repo in git.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GitSettings {
    /// Its address: `https://`, `ssh://`, `git@host:path` or `file://`, without a password.
    pub url: String,
    /// A branch, a tag or a commit; the default branch without it.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The folder in it with the actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// How often it is looked for another commit, such as `10m`; only when somebody asks without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// The tenant's secret that pushes are signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl GitSettings {
    /// # Errors
    /// Which of the settings cannot be used, and why.
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_odd = |text: &str| {
            text.is_empty()
                || text.starts_with('-')
                || text.chars().any(|c| c.is_whitespace() || c.is_control())
        };
        let is_kind = match self.url.split_once("://") {
            Some((scheme, rest)) => {
                let authority = rest.split('/').next().unwrap_or_default();
                let has_password = authority.contains('@')
                    && (scheme != "ssh"
                        || authority.contains(':') && authority.find(':') < authority.find('@'));
                if has_password {
                    return Err("`git.url` has a user or a password: git finds them by `GIT_SSH_COMMAND` and the like in `env`".to_owned());
                }
                matches!(scheme, "https" | "ssh" | "file")
            }
            None => self.url.contains('@') && self.url.contains(':'),
        };
        if is_odd(&self.url) || !is_kind {
            return Err("`git.url` must be https://, ssh://, git@host:path or file://".to_owned());
        }
        if self.reference.as_deref().is_some_and(is_odd) {
            return Err("`git.ref` must be a branch, a tag or a commit".to_owned());
        }
        let is_plain = |folder: &str| {
            !is_odd(folder)
                && Path::new(folder)
                    .components()
                    .all(|part| matches!(part, std::path::Component::Normal(_)))
        };
        if self
            .folder
            .as_deref()
            .is_some_and(|folder| !is_plain(folder))
        {
            return Err("`git.folder` must be a folder of the repository".to_owned());
        }
        if let Some(secret) = &self.secret {
            check_name(secret).map_err(|why| format!("`git.secret` {why}"))?;
        }
        self.every().map(drop)
    }

    /// How often it is looked for another commit.
    pub(crate) fn every(&self) -> Result<Option<Duration>, String> {
        let every = self.every.as_deref().map(str::parse::<TimeLimit>);
        let every = every
            .transpose()
            .map_err(|error| format!("`git.every` {error}"))?;
        Ok(every.map(|every| every.duration().max(TICK)))
    }
}

/// The commit that is used, as it is noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    url: String,
    reference: Option<String>,
    commit: String,
}

/// A commit on this machine.
pub(crate) struct Brought {
    /// The folder with the actions.
    pub(crate) folder: PathBuf,
    pub(crate) commit: String,
    /// Holds the clone and nothing else.
    root: PathBuf,
}

/// What is known of a tenant's repo.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    /// The commit that new runs use.
    pub(crate) commit: Option<String>,
    /// Since when.
    pub(crate) since: Option<i64>,
    /// When it was last looked for another.
    pub(crate) looked: Option<i64>,
    /// Why the last look has brought nothing.
    pub(crate) error: Option<String>,
    /// The folder with the actions.
    pub(crate) folder: Option<PathBuf>,
    root: Option<PathBuf>,
    tried: Option<Instant>,
}

impl Status {
    /// Notes that a look begins.
    pub(crate) fn tries(&mut self) {
        self.tried = Some(Instant::now());
        self.looked = Some(time::now());
    }

    /// Notes what is used from now on.
    pub(crate) fn uses(&mut self, brought: Brought) {
        if self.commit.as_ref() != Some(&brought.commit) {
            self.since = Some(time::now());
        }
        std::fs::remove_file(brought.root.join(REPLACED)).ok();
        self.commit = Some(brought.commit);
        self.folder = Some(brought.folder);
        self.root = Some(brought.root);
        self.error = None;
    }

    pub(crate) fn is_due(&self, every: Duration) -> bool {
        self.tried.is_none_or(|tried| tried.elapsed() >= every)
    }
}

/// The folder of a tenant's clones.
fn place(environment: &Environment) -> PathBuf {
    environment.data_folder().join(CLONES)
}

/// The clones of a tenant that are not in use any more, and since when. Those that were not known as such are from now on.
pub(crate) fn replaced(environment: &Environment, status: &Status) -> Vec<(PathBuf, SystemTime)> {
    let clones = std::fs::read_dir(place(environment).join("sources"));
    let clones = clones.into_iter().flatten().flatten();
    // The folder could be named by a link: what counts is the last part.
    let used = status.root.as_ref().and_then(|root| root.file_name());
    let others = clones.filter(|entry| Some(&*entry.file_name()) != used);
    let others = others.map(|entry| entry.path());
    let since = others.filter_map(|clone| {
        let mark = clone.join(REPLACED);
        if !mark.exists() {
            std::fs::write(&mark, "").ok()?;
        }
        let since = mark.metadata().ok()?.modified().ok()?;
        Some((clone, since))
    });
    since.collect()
}

/// Brings the repo of a tenant here: the commit that was used last, or, for a refresh, what the branch is at now.
///
/// # Errors
/// In the words of git, or that there is no such folder in it.
pub(crate) async fn bring(
    engine: &Runtime,
    environment: &Environment,
    git: &GitSettings,
    refresh: bool,
) -> Result<Brought, String> {
    let place = place(environment);
    let sources = engine.sources(environment.clone(), place.clone());
    let (url, reference) = (git.url.as_str(), git.reference.as_deref());
    let noted = std::fs::read(place.join(USED)).ok();
    let noted = noted.and_then(|text| serde_json::from_slice::<Used>(&text).ok());
    let noted = noted.filter(|used| used.url == git.url && used.reference == git.reference);
    let commit = match noted.filter(|_| !refresh) {
        Some(used) => used.commit,
        None => match sources.commit_there(url, reference).await {
            Err(error) => return Err(error.to_string()),
            Ok(Some(commit)) => commit,
            // The beginning of a commit's name, or another name that a clone has for one.
            Ok(None) => {
                let fetched = sources.fetch_git(url, reference, refresh).await;
                fetched.map_err(|error| error.to_string())?.commit
            }
        },
    };
    let fetched = sources.fetch_git(url, Some(&commit), false).await;
    let clone = fetched.map_err(|error| error.to_string())?.folder;
    let folder = match &git.folder {
        None => clone.clone(),
        Some(folder) => {
            let found = clone.join(folder).canonicalize();
            let found = found.ok().filter(|found| found.starts_with(&clone));
            found.ok_or_else(|| format!("the commit {commit} has no folder `{folder}`"))?
        }
    };
    let root = clone.parent().and_then(Path::parent).unwrap_or(&clone);
    Ok(Brought {
        folder,
        commit,
        root: root.to_owned(),
    })
}

/// Notes the commit that is used from now on, also after the server.
pub(crate) fn note(
    environment: &Environment,
    git: &GitSettings,
    commit: &str,
) -> std::io::Result<()> {
    let used = Used {
        url: git.url.clone(),
        reference: git.reference.clone(),
        commit: commit.to_owned(),
    };
    let place = place(environment);
    let draft = place.join("used.new");
    std::fs::write(&draft, serde_json::to_vec(&used)?)?;
    std::fs::rename(draft, place.join(USED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_a_repository_and_no_password() {
        let git = |url: &str| GitSettings {
            url: url.to_owned(),
            reference: None,
            folder: None,
            every: None,
            secret: None,
        };
        for url in [
            "https://x.org/a",
            "ssh://git@x.org/a",
            "git@x.org:a/b.git",
            "file:///srv/a",
        ] {
            assert_eq!(git(url).check(), Ok(()), "{url}");
        }
        for url in [
            "",
            "-x",
            "--upload-pack=x",
            "ext::sh -c x",
            "http://x.org/a",
            "/srv/a",
            "https://u:p@x.org/a",
            "https://token@x.org/a",
            "ssh://u:p@x.org/a",
            "git@x.org:a b",
        ] {
            assert!(git(url).check().is_err(), "{url}");
        }
        let wrong = |change: fn(&mut GitSettings)| {
            let mut git = git("https://x.org/a");
            change(&mut git);
            git.check().expect_err("refused")
        };
        assert!(wrong(|git| git.reference = Some("--x".to_owned())).contains("`git.ref`"));
        for folder in ["../x", "/x", "a/../../b", ""] {
            let mut git = git("https://x.org/a");
            git.folder = Some(folder.to_owned());
            assert!(git.check().is_err(), "{folder}");
        }
        assert!(wrong(|git| git.every = Some("soon".to_owned())).contains("`git.every`"));
        assert!(wrong(|git| git.secret = Some("a b".to_owned())).contains("`git.secret`"));
    }
}
