//! `kael-host actions types`: writes annotations for editors.

use std::path::Path;

use serde_json::json;

use super::{ActionsContext, Ended, code};
use crate::exit;
use crate::report::Problem;
use crate::terminal::{Look, say, say_json};
use kael_authoring::types::{self, TypesError};

pub(super) fn run(context: &ActionsContext<'_>, into: &Path) -> u8 {
    code(written(context, into))
}

fn written(context: &ActionsContext<'_>, into: &Path) -> Result<u8, Ended> {
    let (settings, folder) = context.settings()?;
    let written = context.wait(async {
        let runtime = settings.runtime(2)?;
        #[cfg(feature = "stdlib")]
        let modules = kael_stdlib::module_types();
        #[cfg(not(feature = "stdlib"))]
        let modules = Vec::new();
        types::write(&runtime, &folder, &settings.limits, into, &modules).await
    })?;
    let written = written.map_err(|error| match &error {
        TypesError::Repo(error) => context.load_error(error),
        TypesError::File { .. } => context.fail(&Problem::usage(error.to_string()), exit::USAGE),
    })?;
    if context.json {
        let paths = |paths: &[std::path::PathBuf]| -> Vec<String> {
            paths
                .iter()
                .map(|path| path.to_string_lossy().into_owned())
                .collect()
        };
        let document = json!({
            "actions": written.actions,
            "kept": written.kept,
            "files": paths(&written.files),
            "by_hand": paths(&written.by_hand),
        });
        return Ok(say_json(&document, exit::SUCCESS));
    }
    let mut out = String::new();
    for path in &written.files {
        out += &format!(
            "written: {}\n",
            context.paint.text(Look::Faint, &path.display().to_string())
        );
    }
    for path in &written.by_hand {
        let shown = path.display().to_string();
        out += &format!(
            "left as it is: {}: add \"{}\" to workspace.library there\n",
            context.paint.text(Look::Strong, &shown),
            written.library
        );
    }
    Ok(say(&out, exit::SUCCESS))
}
