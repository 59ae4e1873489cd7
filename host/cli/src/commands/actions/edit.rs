//! `kael-host actions edit`: the user's editor, then a check.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Ended, Session, code, validate};
use crate::exit;
use crate::report::Problem;
use kael_engine::repo::Bundle;
use kael_engine::sandbox::Output;

/// Editors that take `+LINE` in front of a file.
const TAKE_LINES: [&str; 11] = [
    "vi",
    "vim",
    "nvim",
    "nano",
    "pico",
    "emacs",
    "emacsclient",
    "micro",
    "kak",
    "joe",
    "mcedit",
];

pub(super) fn run(session: &Session<'_>, name: &str) -> u8 {
    code(edited(session, name))
}

fn edited(session: &Session<'_>, name: &str) -> Result<u8, Ended> {
    let (settings, folder) = session.settings()?;
    let usage = |error: Problem| session.fail(&error, exit::USAGE);
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|variable| session.environment.get(variable)?.to_str());
    let Some(editor) = editor else {
        let error =
            Problem::usage("no editor is set".to_owned()).hinted("set EDITOR, such as EDITOR=nano");
        return Err(usage(error));
    };
    let loaded = session.wait(async {
        let runtime = settings.runtime(2)?;
        let options = settings.repo_options(&Output::in_memory());
        runtime.load_lenient(&folder, options).await
    })?;
    let (path, line) = match loaded {
        Ok((repo, problems)) => match repo.catalog.get(name) {
            Some(definition) => {
                let at = &definition.location;
                (
                    file_of(&repo.bundle, |module| module.display == at.file),
                    Some(at.line),
                )
            }
            None => {
                let found = file_of(&repo.bundle, |module| module.name == name);
                if found.is_none() && problems.is_empty() {
                    let near = repo.catalog.nearest(name);
                    let hint = near.map(|near| format!(" (did you mean '{near}'?)"));
                    let message = format!("no action '{name}'{}", hint.unwrap_or_default());
                    return Err(usage(Problem::usage(message)));
                }
                (found, None)
            }
        },
        // A repo that does not load can be mended all the same: the file goes by the action's name.
        Err(error) => {
            let bundle = Bundle::read(&folder).ok();
            let found = bundle.and_then(|bundle| file_of(&bundle, |module| module.name == name));
            if found.is_none() {
                return Err(session.load_error(&error));
            }
            (found, None)
        }
    };
    let Some(path) = path else {
        return Err(usage(Problem::usage(format!(
            "no file of the repo defines `{name}`"
        ))));
    };
    let status = command(editor, &path, line).status();
    match status {
        Ok(status) if status.success() => {
            validate::check_and_tell(session, &settings, &folder, false)
        }
        Ok(status) => Err(usage(Problem::usage(format!(
            "the editor `{editor}` failed ({status})"
        )))),
        Err(error) => Err(usage(Problem::usage(format!(
            "the editor `{editor}` cannot be started: {error}"
        )))),
    }
}

fn file_of(bundle: &Bundle, is: impl Fn(&kael_engine::repo::Module) -> bool) -> Option<PathBuf> {
    let module = bundle.modules.iter().find(|module| is(module))?;
    Some(bundle.root.join(&module.path))
}

/// The variable may hold arguments, too, and is the user's own: it is a command of the shell, as for git.
fn command(editor: &str, path: &Path, line: Option<u32>) -> Command {
    let program = editor.split_whitespace().next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{editor} \"$@\""), editor]);
    if let Some(line) = line.filter(|_| TAKE_LINES.contains(&name)) {
        command.arg(format!("+{line}"));
    }
    command.arg(path);
    command
}
