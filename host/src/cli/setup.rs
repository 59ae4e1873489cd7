//! `kael-host setup`: installs envyr into Kael's data folder.

use std::io::{self, Write as _};
use std::process::Command;

use super::args::Setup;
use super::exit;
use crate::environment::Environment;
use crate::executor::envyr::{VERSION, tools_folder};

pub(super) fn run(setup: &Setup, environment: &Environment) -> u8 {
    let tools = tools_folder(&environment.data_folder());
    let program = tools.join("bin/envyr");
    if program.is_file() && !setup.force && is_current(&program) {
        say(&format!("envyr {VERSION} is ready: {}", program.display()));
        return exit::SUCCESS;
    }
    tell(&format!(
        "Installing envyr {VERSION} into {}",
        tools.display()
    ));
    let mut cargo = Command::new("cargo");
    cargo
        .args([
            "install",
            "envyr",
            "--locked",
            "--force",
            "--version",
            &format!("={VERSION}"),
            "--root",
        ])
        .arg(&tools);
    match cargo.status() {
        Ok(status) if status.success() && is_current(&program) => {
            say(&format!("envyr {VERSION} is ready: {}", program.display()));
            exit::SUCCESS
        }
        Ok(status) => {
            tell(&format!(
                "Error: cargo could not install envyr {VERSION} ({status})"
            ));
            exit::CONFIG
        }
        Err(problem) => {
            tell(&format!("Error: cargo could not be started: {problem}"));
            tell(&format!(
                "hint: install Rust with cargo, or name an envyr {VERSION} with --envyr or KAEL_ENVYR"
            ));
            exit::CONFIG
        }
    }
}

fn is_current(program: &std::path::Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.stdout == format!("envyr {VERSION}\n").into_bytes())
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").ok();
}

fn tell(line: &str) {
    writeln!(io::stderr(), "{line}").ok();
}
