//! `kael-host trust`: lists, adds and removes trusted project files.

use serde_json::json;

use crate::args::{Shared, Trust as Arguments};
use crate::config::{self, Trust};
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(super) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let fail = |error: Problem, code| error.report(shared, arguments.json, code);
    let mut trust = match Trust::read(&environment.data_folder()) {
        Ok(trust) => trust,
        Err(error) => return fail(Problem::of_config_error(&error), exit::CONFIG),
    };
    if arguments.list {
        return list(&trust, arguments.json);
    }
    let file = arguments.file.clone().or_else(|| {
        let folder = std::env::current_dir().ok()?;
        config::find_project_file(&folder)
    });
    let Some(file) = file else {
        let name = config::PROJECT_FILE;
        let message = format!("there is no {name} here, nor in a folder above");
        return fail(Problem::usage(message), exit::USAGE);
    };
    if arguments.revoke {
        return match trust.remove(&file) {
            Ok(true) => done(
                "no longer trusted",
                &file.display().to_string(),
                None,
                arguments.json,
            ),
            Ok(false) => {
                let message = format!("{} was not trusted", file.display());
                fail(Problem::usage(message), exit::USAGE)
            }
            Err(error) => fail(Problem::of_config_error(&error), exit::CONFIG),
        };
    }
    match trust.add(&file) {
        Ok(trusted) => {
            let path = trusted.path.display().to_string();
            done("trusted", &path, Some(&trusted.sha256), arguments.json)
        }
        Err(error) => fail(Problem::of_config_error(&error), exit::CONFIG),
    }
}

fn done(what: &str, path: &str, sha256: Option<&str>, as_json: bool) -> u8 {
    if as_json {
        let document = json!({ "file": path, "trusted": sha256.is_some(), "sha256": sha256 });
        return say_json(&document, exit::SUCCESS);
    }
    let digest = sha256
        .map(|hex| format!(" (sha256 {hex})"))
        .unwrap_or_default();
    say(
        &format!("{what}: {}{digest}\n", escape_control(path)),
        exit::SUCCESS,
    )
}

fn list(trust: &Trust, as_json: bool) -> u8 {
    if as_json {
        return say_json(&json!(trust.files()), exit::SUCCESS);
    }
    let lines = trust.files().iter().map(|file| {
        format!(
            "{}  {}\n",
            file.sha256,
            escape_control(&file.path.display().to_string())
        )
    });
    say(&lines.collect::<String>(), exit::SUCCESS)
}
