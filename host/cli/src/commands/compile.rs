//! `kael-host __compile`: the child process that compiles a WebAssembly file.

use std::io::{self, Write as _};

use kael_wasm::compile_stdin;

use crate::exit;

pub(crate) fn run(format: &str) -> u8 {
    match compile_stdin(format) {
        Ok(()) => exit::SUCCESS,
        Err(error) => {
            // The host reads only the last line.
            let why = error.to_string().replace('\n', " ");
            writeln!(io::stderr(), "{why}").ok();
            exit::SCRIPT_FAILED
        }
    }
}
