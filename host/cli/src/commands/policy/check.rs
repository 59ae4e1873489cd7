//! `kael-host policy check`: all that is wrong with a policy.

use std::path::Path;

use serde_json::json;

use super::super::actions::{ActionsContext, Ended};
use crate::args::Bounds;
use crate::exit;
use crate::report::Problem;
use crate::settings;
use crate::terminal::{Look, say, say_json};
use kael_engine::names::few;
use kael_engine::policy::{self, PolicyError, PolicyFile, Rulebook};
use kael_engine::sandbox::Output;

pub(super) fn run(context: &ActionsContext<'_>, path: &Path) -> Result<u8, Ended> {
    let fail = |error: PolicyError| context.fail(&Problem::of_policy_error(&error), exit::CONFIG);
    let name = path.display().to_string();
    let text = policy::read(path).map_err(fail)?;
    let file = PolicyFile::parse(&name, &text).map_err(fail)?;
    let config = settings::config(context.shared, &Bounds::default(), context.environment)
        .map_err(|error| context.fail(&Problem::of_config_error(&error), exit::CONFIG))?;
    let (mut actions, mut refused) = (None, Vec::new());
    let settings = settings::settings(&config, &Bounds::default(), context.environment.clone());
    if let Some(folder) = &settings.actions {
        let loaded = context.wait(async {
            let runtime = settings.runtime(2)?;
            let options = settings.repo_options(&Output::in_memory());
            runtime.load(folder, options).await
        })?;
        let repo = loaded.map_err(|error| context.load_error(&error))?;
        let rules =
            Rulebook::compile(std::slice::from_ref(&file), &repo.catalog, false).map_err(fail)?;
        refused = rules.refused_by_requirement(&repo.catalog);
        actions = Some(repo.catalog.iter().count());
    }
    if context.json {
        let document = json!({
            "ok": true,
            "exit_code": exit::SUCCESS,
            "file": name,
            "rules": file.len(),
            "actions": actions,
            "refused": refused.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
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
    let good = context.paint.text(Look::Good, "no problems");
    let mut out = String::new();
    // A reason is about what a definition cannot say.
    let (of_servers, of_definitions): (Vec<_>, Vec<_>) = refused
        .iter()
        .partition(|(_, source)| source.reason.is_some());
    let definitions = "say in their definitions what they read, with `reads`";
    let servers = "their servers are programs of this machine, and only one at a `url` is allowed";
    for (refused, advice) in [(of_definitions, definitions), (of_servers, servers)] {
        let Some((_, source)) = refused.first() else {
            continue;
        };
        let names: Vec<&str> = refused.iter().map(|(name, _)| name.as_str()).collect();
        let note = format!("note: {source} denies {}: {advice}", few(&names));
        out += &crate::sanitize::escape_control(&note);
        out.push('\n');
    }
    out += &format!(
        "{}: {rules}, {good}{against}\n",
        crate::sanitize::escape_control(&name)
    );
    Ok(say(&out, exit::SUCCESS))
}
