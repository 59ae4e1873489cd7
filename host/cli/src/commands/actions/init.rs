//! `kael-host actions init`: a new repo.

use std::path::Path;

use serde_json::json;

use super::Session;
use crate::exit;
use crate::report::Problem;
use crate::terminal::{Look, say, say_json};
use kael_authoring::starter;

pub(super) fn run(session: &Session<'_>, folder: &Path) -> u8 {
    let written = match starter::write(folder) {
        Ok(written) => written,
        Err(error) => {
            return session
                .fail(&Problem::usage(error.to_string()), exit::USAGE)
                .0;
        }
    };
    if session.json {
        let files: Vec<_> = written.iter().map(|path| path.to_string_lossy()).collect();
        return say_json(&json!({ "files": files }), exit::SUCCESS);
    }
    let shown = folder.display().to_string();
    let mut out = String::new();
    for path in &written {
        out += &format!(
            "written: {}\n",
            session.paint.text(Look::Faint, &path.display().to_string())
        );
    }
    out += &format!(
        "try: kael-host --actions {shown} actions exec text.wordcount --param text='hello world'\n"
    );
    say(&out, exit::SUCCESS)
}
