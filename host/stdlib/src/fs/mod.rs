//! `kael.fs.*`: files below the folders that a policy opens.
//!
//! `place` finds the folder of a path among the grants, and opens it. `work` does what an action is
//! for; `long` what takes a while, and ends when its call does. `incoming` writes what a request gives.

mod incoming;
mod long;
mod place;
mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use kael_engine::environment::Environment;
use kael_engine::executor::granted::Places;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::policy::Grants;

use crate::refusal::{params, read};
use crate::running::Running;
pub(crate) use incoming::Incoming;
use place::{Place, find, plain};

/// The parameters of every action; each uses some.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Params {
    path: String,
    to: Option<String>,
    text: Option<String>,
    bytes: Option<String>,
    depth: Option<u32>,
    mode: Option<u32>,
    max_bytes: Option<u64>,
}

/// Whether an action changes what it is given.
fn writes(action: &str) -> bool {
    !matches!(action, "read" | "list" | "stat")
}

/// Checks that the policy opens what a call names.
pub(crate) fn granted(action: &str, text: &str, grants: &Grants) -> Result<(), ActionError> {
    let params: Params = params(text)?;
    // What is copied is only read.
    let first = writes(action) && action != "copy";
    find(&plain(&params.path)?, first, grants)?;
    if let Some(to) = &params.to {
        find(&plain(to)?, true, grants)?;
    }
    Ok(())
}

/// Checks that the policy lets a script write a path.
pub(crate) fn may_write(path: &str, grants: &Grants) -> Result<(), ActionError> {
    find(&plain(path)?, true, grants).map(drop)
}

/// Does what an action is for.
pub(crate) async fn run(
    action: &str,
    text: String,
    grants: &Grants,
    places: Arc<Places>,
) -> Result<Vec<u8>, ActionError> {
    let params: Params = read(text, |text| params(text)).await?;
    let first = writes(action) && action != "copy";
    let path = plain(&params.path)?;
    let from = Place::of(&path, first, grants)?;
    let to = match &params.to {
        Some(to) => Some(Place::of(&plain(to)?, true, grants)?),
        None => None,
    };
    let action = action.to_owned();
    let (running, stop) = Running::new();
    let work = move || {
        let at = from.open(&places)?;
        let to = to.map(|to| to.open(&places)).transpose()?;
        let done = work::perform(&action, &params, &at, to.as_ref(), &running)
            .map_err(|error| failed(&action, &path, &error))?;
        Ok(done.to_string().into_bytes())
    };
    // Dropped with the call, when that is given up: the work sees it and ends.
    let _stop = stop;
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(ActionError::new(ErrorKind::Failed, error.to_string())))
}

fn failed(action: &str, path: &str, error: &std::io::Error) -> ActionError {
    let shown: String = path
        .chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect();
    let verb = match action {
        "list" => "list",
        "stat" => "look at",
        other => other,
    };
    ActionError::new(
        ErrorKind::Failed,
        format!("failed to {verb} \"{shown}\": {error}"),
    )
}

/// Where relative paths of grants begin, and what no script may read or write: Kael's own, and what is hidden beside that.
pub(crate) fn places(repo: &Path, environment: &Environment, hidden: Vec<PathBuf>) -> Arc<Places> {
    // Without a repo no path is relative to it, or lies in it.
    let repo = match repo.as_os_str().is_empty() {
        true => Path::new("/dev/null/no-actions-repo"),
        false => repo,
    };
    Arc::new(Places::new(repo, environment).hiding(hidden))
}
