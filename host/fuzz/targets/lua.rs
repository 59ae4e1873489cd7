//! Lua source against small limits: the outcome is a result, an error or a named limit, whatever the source.
#![no_main]

use std::sync::{Arc, LazyLock};

use kael_engine::executor::{Execute, Execution, Invocation};
use kael_engine::gate::{Dispatcher, Policy};
use kael_engine::limits::Limits;
use kael_engine::sandbox::{Ending, Output, Sandbox, Script};
use kael_engine::units::ByteSize;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

/// There is no action to run.
struct Nothing;

impl Execute for Nothing {
    fn execute<'a>(&'a self, _: Invocation<'a>) -> Execution<'a> {
        Box::pin(std::future::pending())
    }
}

static HOST: LazyLock<(Sandbox, Runtime)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    (
        Sandbox::new(1).expect("a sandbox"),
        runtime.expect("a runtime"),
    )
});

fuzz_target!(|source: &str| {
    let (sandbox, runtime) = &*HOST;
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
    let dispatcher = Dispatcher::new(Arc::default(), Policy::default(), Arc::new(Nothing));
    let running = sandbox.run_script(
        None,
        script,
        &limits,
        Output::in_memory(),
        Arc::new(dispatcher),
    );
    let report = runtime.block_on(running);
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
