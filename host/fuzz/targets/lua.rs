//! Lua source against small limits: the outcome is a result, an error or a named limit, whatever the source.
#![no_main]

use std::sync::LazyLock;

use kael_engine::limits::Limits;
use kael_engine::runtime::{RunOptions, Runtime};
use kael_engine::sandbox::{Ending, Script};
use kael_engine::units::ByteSize;
use libfuzzer_sys::fuzz_target;

static HOST: LazyLock<(Runtime, tokio::runtime::Runtime)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let kael = Runtime::builder().instances(1).build();
    (kael.expect("a runtime"), runtime.expect("a runtime"))
});

fuzz_target!(|source: &str| {
    let (kael, runtime) = &*HOST;
    let limits = Limits {
        memory: ByteSize::mib(16),
        cpu: "50ms".parse().expect("a time"),
        wall: "10s".parse().expect("a time"),
        output: ByteSize::new(64 << 10),
        calls: 100,
        parallel: 4,
    };
    let script = Script {
        name: "script.lua".into(),
        source: source.into(),
        args: vec!["argument".into()],
        want_result: true,
        ..Script::default()
    };
    let options = RunOptions {
        limits,
        ..RunOptions::default()
    };
    let report = runtime.block_on(kael.run(None, script, options));
    match report.ending {
        Ending::Done(Some(result)) => {
            let _: serde_json::Value = serde_json::from_str(&result).expect("a result is JSON");
        }
        Ending::Failed(error) => assert!(
            !error.message.contains("[kael]") || source.contains("[kael]"),
            "{error:?}"
        ),
        Ending::Exited(_) => {}
        Ending::Limit(hit, frames) => assert!(
            !hit.to_string().is_empty() && frames.len() <= 20,
            "{frames:?}"
        ),
        other => panic!("{other:?}"),
    }
});
