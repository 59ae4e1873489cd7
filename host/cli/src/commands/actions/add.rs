//! `kael-host actions add`: a definition from what is there.

use serde_json::json;

use super::args::Add;
use super::{Ended, Session, code};
use crate::exit;
use crate::terminal::{Look, say, say_json};
use kael_authoring::add_action::{self, Added, Wanted};

pub(super) fn run(session: &Session<'_>, add: Add) -> u8 {
    code(added(session, add))
}

fn added(session: &Session<'_>, add: Add) -> Result<u8, Ended> {
    let (settings, folder) = session.settings()?;
    let wanted = Wanted {
        source: add.source,
        namespace: add.namespace,
        name: add.name,
        entrypoint: add.entrypoint,
        subdir: add.subdir,
        tag: add.tag,
        executor: add.executor,
    };
    let added = session.wait(async {
        let runtime = settings.runtime(2)?;
        add_action::add(&runtime, &settings.limits, &folder, &wanted).await
    })?;
    let added = added.map_err(|error| session.change_error(&error))?;
    if session.json {
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
    Ok(say(&text(session, &added), exit::SUCCESS))
}

fn text(session: &Session<'_>, added: &Added) -> String {
    let paint = session.paint;
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
