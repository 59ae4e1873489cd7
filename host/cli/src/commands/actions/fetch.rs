//! `kael-host actions fetch`: brings git sources to this machine, and says what commit each is at.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::Fetch;
use super::{Ended, Session, code, describe, list};
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{Look, say, say_json};
use kael_engine::catalog::{Catalog, Source};
use kael_engine::executor::source::{Fetched, SourceError};
use kael_engine::failure::ActionError;

/// The actions of every git source, by its URL and tag.
type Wanted<'a> = BTreeMap<(&'a str, Option<&'a str>), Vec<&'a str>>;

/// One source, and what came of it.
struct Line<'a> {
    url: &'a str,
    tag: Option<&'a str>,
    actions: Vec<&'a str>,
    outcome: Result<Fetched, SourceError>,
}

pub(super) fn run(session: &Session<'_>, fetch: &Fetch) -> u8 {
    code(fetched(session, fetch))
}

fn fetched(session: &Session<'_>, fetch: &Fetch) -> Result<u8, Ended> {
    let repo = list::load(session)?;
    if let Some(name) = &fetch.name
        && describe::find(&repo.catalog, name).is_none()
    {
        return Err(session.fail(&describe::unknown(&repo.catalog, name), exit::USAGE));
    }
    let sources = repo.executors().sources();
    let lines = session.wait(async {
        let mut lines = Vec::new();
        for ((url, tag), actions) in wanted(&repo.catalog, fetch.name.as_deref()) {
            lines.push(Line {
                url,
                tag,
                actions,
                outcome: sources.fetch_git(url, tag, fetch.refresh).await,
            });
        }
        lines
    })?;
    let is_whole = lines.iter().all(|line| line.outcome.is_ok());
    let exit_code = match is_whole {
        true => exit::SUCCESS,
        false => exit::ACTION_FAILED,
    };
    if session.json {
        let sources: Vec<Value> = lines.into_iter().map(document).collect();
        let document = json!({ "ok": is_whole, "exit_code": exit_code, "sources": sources });
        return Ok(say_json(&document, exit_code));
    }
    if lines.is_empty() {
        return Ok(say("no git sources\n", exit_code));
    }
    let lines = lines.into_iter().map(|line| text(session, line));
    Ok(say(&lines.collect::<String>(), exit_code))
}

/// The git sources of all actions, or of the one with this name.
fn wanted<'a>(catalog: &'a Catalog, name: Option<&str>) -> Wanted<'a> {
    let mut wanted = Wanted::new();
    for (first, definition) in catalog.iter() {
        let is_named = |name: &str| definition.names.iter().any(|known| known.as_str() == name);
        let Source::Git { url, tag } = &definition.source else {
            continue;
        };
        if name.is_none_or(is_named) {
            let actions = wanted.entry((url.as_str(), tag.as_deref())).or_default();
            actions.push(first.as_str());
        }
    }
    wanted
}

fn document(line: Line<'_>) -> Value {
    let (url, tag, actions) = (line.url, line.tag, line.actions);
    match line.outcome {
        Ok(fetched) => json!({
            "url": url, "tag": tag, "actions": actions,
            "commit": fetched.commit, "folder": fetched.folder.display().to_string(), "fetched": fetched.is_new,
            "error": null,
        }),
        Err(error) => {
            let error = ActionError::from(error);
            json!({
                "url": url, "tag": tag, "actions": actions,
                "commit": null, "folder": null, "fetched": false,
                "error": { "kind": error.kind, "message": error.message, "detail": error.detail },
            })
        }
    }
}

fn text(session: &Session<'_>, line: Line<'_>) -> String {
    let paint = session.paint;
    let tag = line.tag.map(|tag| format!(" at {tag}")).unwrap_or_default();
    let source = escape_control(&format!("{}{tag}", line.url));
    let actions = escape_control(&line.actions.join(", "));
    match line.outcome {
        Ok(fetched) => {
            let word = match fetched.is_new {
                true => "fetched",
                false => "there",
            };
            let commit = escape_control(&fetched.commit);
            let (word, commit) = (
                paint.text(Look::Good, &format!("{word:<8}")),
                paint.text(Look::Strong, &commit),
            );
            format!("{word} {commit}  {source}  ({actions})\n")
        }
        Err(error) => {
            let error = ActionError::from(error);
            let word = paint.text(Look::Bad, "FAILED  ");
            let message = escape_control(&error.message);
            let hint = error.detail.and_then(|detail| detail.hint);
            let hint = hint.map(|hint| format!("{:9}hint: {}\n", "", escape_control(&hint)));
            let hint = hint.unwrap_or_default();
            format!("{word} {source}  ({actions})\n{:9}{message}\n{hint}", "")
        }
    }
}
