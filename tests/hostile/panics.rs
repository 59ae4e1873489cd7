//! A bug of the host's, as an embedder's executor that panics: it ends the run that met it, and no other.

use std::sync::Arc;
use std::time::Duration;

use kael_engine::app::Repo;
use kael_engine::executor::{Execute, Execution, Invocation};
use kael_engine::gate::{Dispatcher, Policy};
use kael_engine::limits::Limits;
use kael_engine::sandbox::{Ending, Output, Sandbox, Script};
use libtest_mimic::Trial;
use tokio::sync::Notify;

/// Panics where it is told to, and answers everything else when that has happened.
#[derive(Default)]
struct Faulty {
    panicked: Notify,
}

impl Execute for Faulty {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(async move {
            if invocation.params.contains("panic") {
                self.panicked.notify_one();
                panic!("a bug of the host's, on purpose");
            }
            self.panicked.notified().await;
            Ok(b"\"well\"".to_vec())
        })
    }
}

/// The one run waits for its action while the other one's panics, in a call of its own or beside another.
fn one_run_ends(faulty: &'static str) -> Option<Ending<Option<String>>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let init = "return { a = define_action({ source = '.', executor = 'native' }) }";
        std::fs::write(folder.path().join("init.lua"), init).expect("written");
        let sandbox = Arc::new(Sandbox::new(3).expect("a sandbox"));
        let loading = (Limits::default(), Output::in_memory());
        let repo = Repo::load(&sandbox, folder.path(), &loading.0, &loading.1).await;
        let repo = Arc::new(repo.expect("it loads"));
        let executor = Arc::new(Faulty::default());
        let gate = Dispatcher::new(repo.catalog.clone(), Policy::default(), executor);
        let gate = Arc::new(gate);
        let run = |source: &str| {
            let (sandbox, repo, gate) = (sandbox.clone(), repo.clone(), gate.clone());
            let script = Script {
                name: "script.lua".to_owned(),
                source: source.into(),
                want_result: true,
                ..Script::default()
            };
            tokio::spawn(async move {
                let limits = Limits::default();
                let output = Output::in_memory();
                let running = sandbox.run_script(Some(&repo.ready), script, &limits, output, gate);
                running.await.ending
            })
        };
        let good = run("return actions.a({})");
        let bad = run(faulty).await.ok();
        let good = tokio::time::timeout(Duration::from_secs(60), good).await;
        let good = good.expect("it is answered").expect("it does not panic");
        assert!(
            matches!(&good, Ending::Done(Some(value)) if value == "\"well\""),
            "{good:?}"
        );
        let again = run("return 1 + 1").await.expect("it does not panic");
        assert!(
            matches!(&again, Ending::Done(Some(value)) if value == "2"),
            "{again:?}"
        );
        bad
    })
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        super::trial("panics/in_a_call", || {
            let ended = one_run_ends("actions.a({ panic = true })");
            assert!(ended.is_none(), "the run goes on: {ended:?}");
        }),
        super::trial("panics/in_a_call_beside_others", || {
            let ended = one_run_ends(
                "parallel(function() actions.a({ panic = true }) end, function() actions.a({ panic = true }) end)",
            );
            let told = matches!(&ended, Some(Ending::Fault(fault)) if fault.contains("panicked"));
            assert!(told, "{ended:?}");
        }),
    ]
}
