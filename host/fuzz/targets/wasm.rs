//! A file that a definition names for `executor = "wasm"`, and that may hold anything: it is compiled and linked, or told
//! why it cannot be.
#![no_main]

use kael_wasm::load_for_fuzzing;
use libfuzzer_sys::fuzz_target;

/// What a file may import, by how it starts.
const KNOWN: [&str; 7] = [
    "wasi_snapshot_preview1.",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];
const HTTP: [&str; 2] = ["wasi:http/types@", "wasi:http/outgoing-handler@"];

/// A file that can be run.
const GOOD: &[u8] = include_bytes!("../seeds/wasm/module");

fuzz_target!(init: {
    // Without the compiler every file is refused by its first eight bytes, and nothing would be fuzzed.
    load_for_fuzzing(GOOD).expect("the compiler is built in");
}, |file: &[u8]| {
    match load_for_fuzzing(file) {
        Ok(imports) => {
            for import in imports {
                let known = |start: &&str| import.starts_with(start);
                assert!(KNOWN.iter().chain(&HTTP).any(|start| known(&start)), "{import}");
            }
        }
        // The names in it are the file's own: they are as long as it likes.
        Err(error) => assert!(error.to_string().len() < 1000 + file.len(), "{error}"),
    }
});
