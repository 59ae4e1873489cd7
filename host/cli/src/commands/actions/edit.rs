//! `kael-host actions edit`: opens an editor, then checks the repo.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ActionsContext, Ended, code, validate};
use crate::exit;
use crate::report::Problem;
use kael_engine::repo::Bundle;
use kael_engine::sandbox::Output;

/// Editors that accept `+LINE` before a file.
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

pub(super) fn run(context: &ActionsContext<'_>, name: &str) -> u8 {
    code(edited(context, name))
}

fn edited(context: &ActionsContext<'_>, name: &str) -> Result<u8, Ended> {
    let (settings, folder) = context.settings()?;
    let usage = |error: Problem| context.fail(&error, exit::USAGE);
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|variable| context.environment.get(variable)?.to_str());
    let Some(editor) = editor else {
        let error =
            Problem::usage("no editor is set".to_owned()).hinted("set EDITOR, such as EDITOR=nano");
        return Err(usage(error));
    };
    let loaded = context.wait(async {
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
                    let message = repo.catalog.unknown_action(name);
                    return Err(usage(Problem::usage(message)));
                }
                (found, None)
            }
        },
        // A repo that does not load can still be edited: the action's name leads to the file.
        Err(error) => {
            let bundle = Bundle::read(&folder).ok();
            let found = bundle.and_then(|bundle| file_of(&bundle, |module| module.name == name));
            if found.is_none() {
                return Err(context.load_error(&error));
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
            validate::check_and_tell(context, &settings, &folder, false)
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

/// As in git, the variable is a shell command with arguments. The user sets it, so it is trusted.
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
