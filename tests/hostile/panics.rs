//! A bug in an embedder's executor, which panics, ends only the run that called it.

use std::sync::Arc;
use std::time::Duration;

use kael_engine::catalog::Executor;
use kael_engine::executor::{Execute, Execution, ExecutorFactory, Invocation, RepoContext};
use kael_engine::runtime::{RepoOptions, RunOptions, Runtime};
use kael_engine::sandbox::{Ending, Script};
use libtest_mimic::Trial;
use tokio::sync::Notify;

/// Panics if the action says so. Answers all other calls after that.
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

/// Gives the repo that executor.
struct Faults(Arc<Faulty>);

impl ExecutorFactory for Faults {
    fn executor(&self) -> Executor {
        Executor::Native
    }

    fn for_repo(&self, _: RepoContext) -> Arc<dyn Execute> {
        self.0.clone()
    }
}

/// The one run waits for its action while the other one's panics, in a call of its own or beside another.
fn one_run_ends(faulty: &'static str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let init = "return { a = define_action({ source = '.', executor = 'native' }) }";
        std::fs::write(folder.path().join("init.lua"), init).expect("written");
        let kael = Runtime::builder()
            .instances(3)
            .executor(Arc::new(Faults(Arc::default())))
            .build()
            .expect("a runtime");
        let repo = kael.repo(folder.path(), RepoOptions::default()).await;
        let repo = repo.expect("it loads");
        let run = |source: &str| {
            let script = Script {
                name: "script.lua".to_owned(),
                source: source.into(),
                want_result: true,
                ..Script::default()
            };
            let handle = kael.run(Some(&repo), script, RunOptions::default());
            tokio::spawn(async { handle.await.ending })
        };
        let good = run("return actions.a({})");
        let bad = run(faulty).await.expect("the task does not panic");
        let told = matches!(&bad, Ending::Fault(fault) if fault.contains("panicked"));
        assert!(told, "{bad:?}");
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
    });
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        super::trial("panics/in_a_call", || {
            one_run_ends("actions.a({ panic = true })");
        }),
        super::trial("panics/in_a_call_beside_others", || {
            one_run_ends(
                "parallel(function() actions.a({ panic = true }) end, function() actions.a({ panic = true }) end)",
            );
        }),
    ]
}
