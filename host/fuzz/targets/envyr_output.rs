//! What an envyr process left: its exit code, what it used, then stdout and stderr apart by a NUL byte.
#![no_main]

use kael_engine::executor::programs::read_for_fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [code, used, rest @ ..] = data else {
        return;
    };
    let used = (u64::from(*used) * 4, u64::from(*used % 3));
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let stdout = parts.next().unwrap_or_default().to_vec();
    let stderr = parts.next().unwrap_or_default().to_vec();
    match read_for_fuzzing(i32::from(*code), used, stdout.clone(), stderr) {
        Ok(printed) => assert!(*code == 0 && printed == stdout),
        Err(error) => assert!(*code != 0 && error.message.len() < 5000, "{error}"),
    }
});
