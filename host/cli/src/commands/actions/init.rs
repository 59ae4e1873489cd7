//! `kael-host actions init`: creates a repo.

use std::path::Path;

use serde_json::json;

use super::ActionsContext;
use crate::exit;
use crate::report::Problem;
use crate::terminal::{Look, say, say_json};
use kael_authoring::starter;

pub(super) fn run(context: &ActionsContext<'_>, folder: &Path) -> u8 {
    let written = match starter::write(folder) {
        Ok(written) => written,
        Err(error) => {
            return context
                .fail(&Problem::usage(error.to_string()), exit::USAGE)
                .0;
        }
    };
    if context.json {
        let files: Vec<_> = written.iter().map(|path| path.to_string_lossy()).collect();
        return say_json(&json!({ "files": files }), exit::SUCCESS);
    }
    let shown = folder.display().to_string();
    let mut out = String::new();
    for path in &written {
        out += &format!(
            "written: {}\n",
            context.paint.text(Look::Faint, &path.display().to_string())
        );
    }
    out += &format!(
        "try: kael-host --actions {shown} actions exec text.wordcount --param text='hello world'\n"
    );
    say(&out, exit::SUCCESS)
}
