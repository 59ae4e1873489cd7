//! `kael-host actions remove`: asks, then removes an action.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde_json::json;

use super::{ActionsContext, Ended, code, list};
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{Look, say, say_json};

pub(super) fn run(context: &ActionsContext<'_>, name: &str, yes: bool) -> u8 {
    code(removed(context, name, yes))
}

fn removed(context: &ActionsContext<'_>, name: &str, yes: bool) -> Result<u8, Ended> {
    let (settings, folder) = context.settings()?;
    let repo = list::load(context)?;
    let usage = |error: Problem| context.fail(&error, exit::USAGE);
    if let (Some(definition), false) = (repo.catalog.get(name), yes) {
        if !io::stdin().is_terminal() {
            let error = Problem::usage(format!("`{name}` is not removed without being asked"))
                .hinted("answer on a terminal, or say --yes");
            return Err(usage(error));
        }
        let at = &definition.location;
        let question = format!("Remove {name} ({at}) and delete its file? [y/N] ");
        io::stderr()
            .write_all(escape_control(&question).as_bytes())
            .ok();
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok();
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Err(usage(Problem::usage("nothing was removed".to_owned())));
        }
    }
    let changed = context.wait(async {
        let runtime = settings.runtime(2)?;
        kael_authoring::remove(&runtime, &settings.limits, &folder, name).await
    })?;
    let changed = changed.map_err(|error| context.change_error(&error))?;
    if context.json {
        let files: Vec<_> = changed.iter().map(|path| path.to_string_lossy()).collect();
        return Ok(say_json(
            &json!({ "removed": name, "files": files }),
            exit::SUCCESS,
        ));
    }
    let mut out = format!("removed: {name}\n");
    for (what, path) in ["deleted", "changed"].iter().zip(&changed) {
        out += &format!(
            "{what}: {}\n",
            context.paint.text(Look::Faint, &path.display().to_string())
        );
    }
    Ok(say(&out, exit::SUCCESS))
}
