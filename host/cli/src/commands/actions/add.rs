//! `kael-host actions add`: writes a definition from an implementation.

use serde_json::json;

use super::args::Add;
use super::{ActionsContext, Ended, code};
use crate::exit;
use crate::terminal::{Look, say, say_json};
use kael_authoring::add_action::{self, Added, Wanted};

pub(super) fn run(context: &ActionsContext<'_>, add: Add) -> u8 {
    code(added(context, add))
}

fn added(context: &ActionsContext<'_>, add: Add) -> Result<u8, Ended> {
    let (settings, folder) = context.settings()?;
    let wanted = Wanted {
        source: add.source,
        namespace: add.namespace,
        name: add.name,
        entrypoint: add.entrypoint,
        subdir: add.subdir,
        tag: add.tag,
        executor: add.executor,
    };
    let added = context.wait(async {
        let runtime = settings.runtime(2)?;
        add_action::add(&runtime, &settings.limits, &folder, &wanted).await
    })?;
    let added = added.map_err(|error| context.change_error(&error))?;
    if context.json {
        let document = json!({
            "name": added.name.as_str(),
            "file": added.file.to_string_lossy(),
            "changed": added.changed.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
            "entrypoint": added.found.file,
            "language": added.found.language.name(),
            "needs": added.needs.as_ref().map(|(_, names)| names),
        });
        return Ok(say_json(&document, exit::SUCCESS));
    }
    Ok(say(&text(context, &added), exit::SUCCESS))
}

fn text(context: &ActionsContext<'_>, added: &Added) -> String {
    let paint = context.paint;
    let mut out = format!(
        "{} runs {} ({})\n",
        paint.text(Look::Strong, added.name.as_str()),
        paint.text(Look::Good, &added.found.file),
        added.found.language.name()
    );
    if let Some((manifest, names)) = &added.needs {
        let list = match names.is_empty() {
            true => "nothing".to_owned(),
            false => names.join(", "),
        };
        out += &format!("{manifest} asks for: {}\n", paint.text(Look::Faint, &list));
    }
    out += &format!(
        "written: {}\n",
        paint.text(Look::Faint, &added.file.display().to_string())
    );
    for path in &added.changed {
        out += &format!(
            "changed: {}\n",
            paint.text(Look::Faint, &path.display().to_string())
        );
    }
    out += &format!("next: kael-host actions edit {}\n", added.name);
    out
}
