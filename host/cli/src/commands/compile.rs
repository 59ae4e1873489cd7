//! `kael-host __compile`: what a host starts to compile a file of WebAssembly, apart from itself.

use std::io::{self, Write as _};

use kael_wasm::compile_stdin;

use crate::exit;

pub(crate) fn run(format: &str) -> u8 {
    match compile_stdin(format) {
        Ok(()) => exit::SUCCESS,
        Err(why) => {
            // The host reads the last line.
            let why = why.replace('\n', " ");
            writeln!(io::stderr(), "{why}").ok();
            exit::SCRIPT_FAILED
        }
    }
}
