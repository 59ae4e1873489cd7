//! `kael-host completions` and `kael-host man`: made from the definition of the command line itself.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;

use super::args::{Args, Completions, Man, Shared};
use super::exit;
use super::report::Problem;
use super::terminal::say;

pub(super) fn completions(completions: &Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(
        completions.shell,
        &mut Args::command(),
        "kael-host",
        &mut script,
    );
    say(&String::from_utf8_lossy(&script), exit::SUCCESS)
}

pub(super) fn man(shared: &Shared, man: &Man) -> u8 {
    let Some(folder) = &man.folder else {
        let mut page = Vec::new();
        // Writing into memory does not fail.
        clap_mangen::Man::new(Args::command())
            .render(&mut page)
            .ok();
        return say(&String::from_utf8_lossy(&page), exit::SUCCESS);
    };
    match pages(folder) {
        Ok(()) => exit::SUCCESS,
        Err(problem) => {
            let message = format!(
                "the pages cannot be written to `{}`: {problem}",
                folder.display()
            );
            Problem::usage(message).report(shared, false, exit::OUTPUT_FAILED)
        }
    }
}

/// Writes a page for every command.
fn pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Args::command(), folder)
}
