//! `kael-host runs import`: takes in a run that was exported.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use serde_json::json;

use super::refused;
use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_runs::{Imported, Runs, archive};

pub(super) fn import(shared: &Shared, runs: &Runs, file: &OsStr, trust: bool, as_json: bool) -> u8 {
    let name = escape_control(&file.to_string_lossy());
    let mut from: Box<dyn BufRead> = match file == "-" {
        true => Box::new(io::stdin().lock()),
        false => match File::open(file) {
            Ok(file) => Box::new(BufReader::new(file)),
            Err(error) => {
                let message = format!("`{name}` cannot be read: {error}");
                return Problem::usage(message).report(shared, as_json, exit::USAGE);
            }
        },
    };
    let run = match archive::read(&mut from) {
        Ok(run) => run,
        Err(error) => {
            let message = format!("`{name}` is no run that can be imported: {error}");
            return Problem::usage(message).report(shared, as_json, exit::SCRIPT_FAILED);
        }
    };
    match runs.import(run, trust) {
        Ok(imported) => told(&imported, trust, as_json),
        Err(error) => refused(shared, &error, as_json),
    }
}

fn told(imported: &Imported, trust: bool, as_json: bool) -> u8 {
    let Imported {
        run,
        is_new,
        state,
        other_guest,
    } = imported;
    if as_json {
        let document = json!({
            "ok": true,
            "exit_code": exit::SUCCESS,
            "run": run.to_string(),
            "state": state.name(),
            "is_new": is_new,
            "other_version": other_guest,
        });
        return say_json(&document, exit::SUCCESS);
    }
    let what = match is_new {
        true => "imported",
        false => "is here already",
    };
    let next = match other_guest {
        Some(version) => format!(
            "; Kael {} began it, whose Lua runtime this one does not have: it can be shown and verified, and cannot go on here",
            escape_control(version)
        ),
        None if trust || state.is_over() => String::new(),
        None => "; it can be looked at, and runs import --trust lets it go on".to_owned(),
    };
    say(&format!("{run}: {what}, {state}{next}\n"), exit::SUCCESS)
}
