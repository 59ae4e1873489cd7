//! `kael-host __sqlite`: the child process that opens a database for one call.

use std::io::{self, Write as _};

use kael_stdlib::sqlite_stdin;

use crate::exit;

pub(crate) fn run() -> u8 {
    match sqlite_stdin() {
        Ok(()) => exit::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "{error}").ok();
            exit::SCRIPT_FAILED
        }
    }
}
