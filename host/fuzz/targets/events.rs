//! Events of a server: they are the same in whatever pieces they come.
#![no_main]

use kael_stdlib::fuzzing::events;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((end, bytes)) = data.split_first() {
        events(bytes, *end);
    }
});
