//! `kael-host setup`: installs envyr into Kael's data folder.

use std::io::{self, Write as _};

use super::args::Setup;
use super::exit;
use crate::environment::Environment;
use crate::executor::envyr::{self, InstallError, VERSION, is_current, tools_folder};

pub(super) fn run(setup: &Setup, environment: &Environment) -> u8 {
    let data = environment.data_folder();
    let tools = tools_folder(&data);
    let program = tools.join("bin/envyr");
    if program.is_file() && !setup.force && is_current(&program) {
        say(&format!("envyr {VERSION} is ready: {}", program.display()));
        return exit::SUCCESS;
    }
    tell(&format!(
        "Installing envyr {VERSION} into {}",
        tools.display()
    ));
    match envyr::install(&data) {
        Ok(program) => {
            say(&format!("envyr {VERSION} is ready: {}", program.display()));
            exit::SUCCESS
        }
        Err(problem) => {
            tell(&format!("Error: {problem}"));
            if matches!(problem, InstallError::NoCargo(_)) {
                tell(&format!(
                    "hint: install Rust with cargo, or name an envyr {VERSION} with --envyr or KAEL_ENVYR"
                ));
            }
            exit::CONFIG
        }
    }
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").ok();
}

fn tell(line: &str) {
    writeln!(io::stderr(), "{line}").ok();
}
