//! `kael-host setup`: installs envyr into Kael's data folder.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::json;

use crate::args::{Setup, Shared};
use crate::exit;
use crate::report::Problem;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;
use kael_engine::executor::envyr::{self, InstallError, VERSION, is_current, tools_folder};

pub(super) fn run(shared: &Shared, setup: &Setup, environment: &Environment) -> u8 {
    let data = environment.data_folder();
    let tools = tools_folder(&data);
    let program = tools.join("bin/envyr");
    if program.is_file() && !setup.force && is_current(&program) {
        return ready(setup, &program, false);
    }
    if !setup.json {
        let line = format!("Installing envyr {VERSION} into {}\n", tools.display());
        io::stderr().write_all(line.as_bytes()).ok();
    }
    match envyr::install(&data) {
        Ok(program) => ready(setup, &program, true),
        Err(error) => {
            let told = Problem::usage(error.to_string());
            let told = match error {
                InstallError::NoCargo(_) => told.hinted(format!(
                    "install Rust with cargo, or name an envyr {VERSION} with --envyr or KAEL_ENVYR"
                )),
                _ => told,
            };
            told.report(shared, setup.json, exit::CONFIG)
        }
    }
}

fn ready(setup: &Setup, program: &Path, installed: bool) -> u8 {
    let program = program.display().to_string();
    if setup.json {
        let document = json!({
            "ok": true, "exit_code": 0, "program": program, "version": VERSION, "installed": installed,
        });
        return say_json(&document, exit::SUCCESS);
    }
    let line = format!("envyr {VERSION} is ready: {program}\n");
    say(&line, exit::SUCCESS)
}
