//! `kael-host completions` and `kael-host man`: generated from the definition of the command line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use serde_json::json;

use crate::args::{Args, Completions, Man, Shared};
use crate::exit;
use crate::report::Problem;
use crate::terminal::{say, say_json};

pub(super) fn completions(completions: &Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(
        completions.shell,
        &mut Args::command(),
        "kael-host",
        &mut script,
    );
    // clap_complete 4.6 takes the hyphen of our name for the separator between a command and its
    // subcommand, in the labels of bash's cases but not in their values.
    let script = String::from_utf8_lossy(&script).replace("kael__subcmd__host", "kael__host");
    if completions.json {
        let shell = completions.shell.to_string();
        let document = json!({ "ok": true, "exit_code": 0, "shell": shell, "script": script });
        return say_json(&document, exit::SUCCESS);
    }
    say(&script, exit::SUCCESS)
}

pub(super) fn man(shared: &Shared, man: &Man) -> u8 {
    let Some(folder) = &man.folder else {
        let mut page = Vec::new();
        // Writing to memory does not fail.
        clap_mangen::Man::new(Args::command())
            .render(&mut page)
            .ok();
        let page = String::from_utf8_lossy(&page);
        if man.json {
            let document = json!({ "ok": true, "exit_code": 0, "page": page });
            return say_json(&document, exit::SUCCESS);
        }
        return say(&page, exit::SUCCESS);
    };
    match pages(folder) {
        Ok(files) if man.json => {
            let files: Vec<_> = files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            let document = json!({ "ok": true, "exit_code": 0, "files": files });
            say_json(&document, exit::SUCCESS)
        }
        Ok(_) => exit::SUCCESS,
        Err(error) => {
            let message = format!(
                "the pages cannot be written to `{}`: {error}",
                folder.display()
            );
            Problem::usage(message).report(shared, man.json, exit::OUTPUT_FAILED)
        }
    }
}

/// Writes a page for every command.
fn pages(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fn write(command: &clap::Command, folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
        files.push(clap_mangen::Man::new(command.clone()).generate_to(folder)?);
        for inner in command.get_subcommands() {
            write(inner, folder, files)?;
        }
        Ok(())
    }
    fs::create_dir_all(folder)?;
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    let mut files = Vec::new();
    write(&command, folder, &mut files)?;
    Ok(files)
}
