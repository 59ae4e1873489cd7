//! A file with a run: any bytes are refused with a line that is in the file, or are the bytes that would be written again.
#![no_main]

use kael_runs::archive;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut from = bytes;
    match archive::read(&mut from) {
        Ok(run) => {
            let mut again = Vec::new();
            archive::write(&run, &mut again).expect("memory takes it");
            assert_eq!(again, bytes);
        }
        Err(error) => {
            let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
            assert!((1..=lines).contains(&error.line), "{error}");
        }
    }
});
