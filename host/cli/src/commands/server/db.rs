//! `kael-host db`: copies of a server's store, looks at it, its return from a copy, and what is old in it.

use std::path::Path;

use kael_engine::environment::Environment;
use kael_engine::units::ByteSize;
use kael_server::maintenance::{self, Checked, Pruned, Restored};
use kael_server::{ServeConfig, StoreError};
use serde_json::{Value, json};

use super::args::{Db as Arguments, DbCommand, Place};
use super::settings_of;
use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::runtime::{Driven, block_with_signals};
use crate::sanitize::{escape_control, with_causes};
use crate::terminal::{say, say_json};

/// What a command has to say: for a person, and as a document.
type Said = (String, Value, u8);

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let (DbCommand::Backup { place, .. }
    | DbCommand::Check { place }
    | DbCommand::Restore { place, .. }
    | DbCommand::Prune { place, .. }) = &arguments.command;
    let config = match read(place, environment) {
        Ok(config) => config,
        Err(problem) => return problem.report(shared, place.json, exit::CONFIG),
    };
    let done = match &arguments.command {
        DbCommand::Backup { file, .. } => maintenance::backup(&config, file).map(|copied| {
            let text = format!(
                "{} has the store, {}\n",
                shown(file),
                ByteSize::new(copied.bytes)
            );
            let document = json!({ "ok": true, "file": file, "bytes": copied.bytes, "version": copied.version });
            (text, document, exit::SUCCESS)
        }),
        DbCommand::Check { .. } => maintenance::check(&config, true).map(|seen| checked(&seen)),
        DbCommand::Restore {
            file,
            revoke_tokens,
            ..
        } => maintenance::restore(&config, file, *revoke_tokens).map(|seen| restored(&seen)),
        DbCommand::Prune { vacuum, .. } => {
            match block_with_signals(maintenance::prune(&config, *vacuum)) {
                Ok(Driven::Done(done)) => done.map(|seen| pruned(&seen)),
                Ok(Driven::Signal(number)) => return exit::SIGNAL + number,
                Err(error) => {
                    return Problem::no_threads(&error).report(shared, place.json, exit::CONFIG);
                }
            }
        }
    };
    match done {
        Ok((text, document, code)) => match place.json {
            true => say_json(&document, code),
            false => say(&text, code),
        },
        Err(error) => {
            let (problem, code) = of_store_error(&error);
            problem.report(shared, place.json, code)
        }
    }
}

fn read(place: &Place, environment: &Environment) -> Result<ServeConfig, Box<Problem>> {
    settings_of(place.config.as_deref(), place.data.as_deref(), environment)
}

fn of_store_error(error: &StoreError) -> (Problem, u8) {
    let problem = Problem::usage(with_causes(error));
    match error {
        StoreError::There { .. } => (
            problem.hinted("name a file that is not there yet: no backup is written over"),
            exit::USAGE,
        ),
        StoreError::InUse { .. } => (
            problem
                .hinted("end the server first: systemctl stop kael, or a TERM to kael-host serve"),
            exit::CONFIG,
        ),
        StoreError::Damaged { .. } => (
            problem.hinted("take an older backup: kael-host db check says what is damaged"),
            exit::CONFIG,
        ),
        StoreError::Open { .. } => (
            problem.hinted("--config names the server's settings, and --data its folder"),
            exit::CONFIG,
        ),
        _ => (problem, exit::CONFIG),
    }
}

/// A path for a person.
fn shown(path: &Path) -> String {
    escape_control(&path.display().to_string())
}

fn checked(seen: &Checked) -> Said {
    let file = &seen.file;
    let is_well = file.mistakes.is_empty() && seen.stranded == 0;
    let mut text = format!(
        "{} {}, {} of it unused; tables of version {}\n",
        if file.mistakes.is_empty() {
            "the store is whole:"
        } else {
            "the store is DAMAGED:"
        },
        ByteSize::new(file.bytes),
        ByteSize::new(file.unused),
        file.version
    );
    for mistake in &file.mistakes {
        text += &format!("  {}\n", escape_control(mistake));
    }
    if !file.mistakes.is_empty() {
        text += "hint: stop the server, and restore the last backup: kael-host db restore FILE\n";
    }
    if seen.stranded > 0 {
        text += &format!(
            "{} runs are queued and stand in no queue: they would never begin\n\
             hint: cancel them (kael-host cancel), and please report this as a bug\n",
            seen.stranded
        );
    }
    let document = json!({
        "ok": is_well,
        "bytes": file.bytes,
        "unused": file.unused,
        "version": file.version,
        "damaged": file.mistakes,
        "stranded": seen.stranded,
    });
    let code = match is_well {
        true => exit::SUCCESS,
        false => exit::SCRIPT_FAILED,
    };
    (text, document, code)
}

fn restored(seen: &Restored) -> Said {
    let mut text = format!(
        "restored: {} runs that had begun and {} that had not are parked, and go on when a person says so\n",
        seen.begun, seen.not_begun
    );
    text += &format!(
        "{} fires of schedules are missed, and {} deliveries to subscriptions are held until a person resumes those\n",
        seen.missed, seen.held
    );
    if let Some(path) = &seen.replaced {
        text += &format!("the store that was there is kept as {}\n", shown(path));
    }
    text += &match seen.tokens {
        0 => "no token is valid: kael-host serve prints a link for the operator\n".to_owned(),
        tokens => format!(
            "tokens of the backup that are valid, also those that were taken away since: {tokens}; look at kael-host token ls\n"
        ),
    };
    let document = json!({
        "ok": true,
        "begun": seen.begun,
        "not_begun": seen.not_begun,
        "missed": seen.missed,
        "held": seen.held,
        "tokens": seen.tokens,
        "replaced": seen.replaced,
    });
    (text, document, exit::SUCCESS)
}

fn pruned(seen: &Pruned) -> Said {
    let text = format!(
        "removed {} runs, and the output of {} runs\n",
        seen.runs, seen.outputs
    );
    let document = json!({ "ok": true, "runs": seen.runs, "outputs": seen.outputs });
    (text, document, exit::SUCCESS)
}
