//! A server of MySQL that sends anything: a call ends with rows that are JSON, or with an error.
#![no_main]

use kael_stdlib::fuzzing::mysql_answers;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

fuzz_target!(|bytes: &[u8]| {
    RUNTIME.with(|runtime| runtime.block_on(mysql_answers(bytes)));
});
