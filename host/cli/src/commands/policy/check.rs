//! `kael-host policy check`: all that is wrong with a policy.

use std::path::Path;

use serde_json::json;

use super::super::actions::{Ended, Session};
use crate::args::Bounds;
use crate::config::Key;
use crate::exit;
use crate::report::Problem;
use crate::settings;
use crate::terminal::{Look, say, say_json};
use kael_engine::app;
use kael_engine::policy::{self, PolicyError, PolicyFile, Rulebook};

pub(super) fn run(session: &Session<'_>, path: &Path) -> Result<u8, Ended> {
    let fail = |error: PolicyError| session.fail(&Problem::of_policy_error(&error), exit::CONFIG);
    let name = path.display().to_string();
    let text = policy::read(path).map_err(fail)?;
    let file = PolicyFile::parse(&name, &text).map_err(fail)?;
    let config = settings::config(session.shared, &Bounds::default(), session.environment)
        .map_err(|error| session.fail(&Problem::of_config_error(&error), exit::CONFIG))?;
    let mut actions = None;
    if let Some(folder) = config.path(Key::ActionsPath) {
        let loaded = session.wait(app::inspect(&folder, &config.limits()))?;
        let (repo, problems) = loaded.map_err(|error| session.app_error(&error))?;
        if !problems.is_empty() {
            return Err(session.app_error(&app::AppError::Definitions(problems)));
        }
        Rulebook::compile(std::slice::from_ref(&file), &repo.catalog, false).map_err(fail)?;
        actions = Some(repo.catalog.iter().count());
    }
    if session.json {
        let document = json!({
            "ok": true,
            "exit_code": exit::SUCCESS,
            "file": name,
            "rules": file.len(),
            "actions": actions,
        });
        return Ok(say_json(&document, exit::SUCCESS));
    }
    let rules = match file.len() {
        1 => "1 rule".to_owned(),
        count => format!("{count} rules"),
    };
    let against = match actions {
        None => " (names of actions are checked with --actions DIR)",
        Some(_) => "",
    };
    let good = session.paint.text(Look::Good, "no problems");
    let line = format!(
        "{}: {rules}, {good}{against}\n",
        crate::sanitize::escape_control(&name)
    );
    Ok(say(&line, exit::SUCCESS))
}
