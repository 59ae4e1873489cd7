//! Lists as a hostile guest could hand them to `run-action`.
#![no_main]

use std::sync::{Arc, LazyLock};

use arbitrary::Arbitrary;
use kael_engine::catalog::{Catalog, Location, RawDefinition};
use kael_engine::executor::{Execute, Execution, Invocation};
use kael_engine::gate::{Dispatcher, Pattern, Policy};
use kael_engine::limits::Limits;
use kael_engine::sandbox::fuzzing::enter;
use kael_engine::units::ByteSize;
use libfuzzer_sys::fuzz_target;

/// Answers with its parameters, after others had their turn.
struct Echo;

impl Execute for Echo {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(invocation.params.into_bytes())
        })
    }
}

static DISPATCHER: LazyLock<Arc<Dispatcher>> = LazyLock::new(|| {
    let define = |name: &str| RawDefinition {
        names: vec![name.to_owned()],
        location: Location {
            file: "a.lua".into(),
            line: 1,
        },
        body: r#"{"source":"x","executor":"native","locked":{"t":1}}"#.to_owned(),
        error: None,
    };
    let catalog = Catalog::new(&[define("t.echo"), define("t.denied")]).expect("valid");
    let policy = Policy {
        deny: vec![Pattern::new("t.denied")],
        ..Policy::default()
    };
    Arc::new(Dispatcher::new(Arc::new(catalog), policy, Arc::new(Echo)))
});

#[derive(Debug, Arbitrary)]
enum Name {
    Echo,
    Denied,
    Print,
    Clock,
    Seed,
    Other(String),
}

#[derive(Debug, Arbitrary)]
struct Entry {
    submit: Vec<(u8, Name, Option<String>)>,
    cancel: Vec<u8>,
    wait: bool,
}

fuzz_target!(|entries: Vec<Entry>| {
    let name = |name: Name| match name {
        Name::Echo => "t.echo".to_owned(),
        Name::Denied => "t.denied".to_owned(),
        Name::Print => "kael.print".to_owned(),
        Name::Clock => "kael.clock".to_owned(),
        Name::Seed => "kael.seed".to_owned(),
        Name::Other(name) => name,
    };
    let entries = entries.into_iter().map(|entry| {
        let submit = entry.submit.into_iter();
        let submit = submit.map(|(id, which, params)| {
            (
                u32::from(id),
                name(which),
                params.unwrap_or_else(|| "{}".to_owned()),
            )
        });
        let cancel = entry.cancel.into_iter().map(u32::from);
        (submit.collect(), cancel.collect(), entry.wait)
    });
    let limits = Limits {
        calls: 50,
        parallel: 3,
        output: ByteSize::new(100),
        ..Limits::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let within = std::time::Duration::from_secs(10);
    let entering = async {
        tokio::time::timeout(
            within,
            enter(entries.collect(), &limits, DISPATCHER.clone()),
        )
        .await
    };
    assert!(
        runtime.block_on(entering).is_ok(),
        "an entry never came back"
    );
});
