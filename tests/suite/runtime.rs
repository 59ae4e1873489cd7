//! What a program that embeds Kael can rely on: it drives the `Runtime` as a server would.

mod cancel;
mod program;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kael_engine::catalog::Executor;
use kael_engine::executor::{Execute, Execution, ExecutorFactory, Invocation, RepoContext};
use kael_engine::failure::ErrorKind;
use kael_engine::gate::{CallRequest, Deciding, Decision, PolicyHook, Recorder};
use kael_engine::limits::{LimitHit, Limits};
use kael_engine::run_info::Tenant;
use kael_engine::runtime::{Repo, RepoOptions, RunOptions, Runtime, RuntimeBuilder};
use kael_engine::sandbox::{Ending, Output, Script};

/// Longer than anything here takes on a slow machine.
const LONG: Duration = Duration::from_secs(60);

/// Answers calls with their parameters, and those that say `hang` never.
#[derive(Default)]
struct Echo {
    /// Calls that reached it, those in it now, and the most that ever were.
    reached: AtomicUsize,
    inside: AtomicUsize,
    most: AtomicUsize,
    /// Set when a call was dropped before its answer.
    dropped: AtomicBool,
}

/// A call that is in the executor as long as this lives.
struct Inside<'a>(&'a Echo, bool);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
        if !self.1 {
            self.0.dropped.store(true, Ordering::SeqCst);
        }
    }
}

impl Execute for Echo {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(async move {
            self.reached.fetch_add(1, Ordering::SeqCst);
            let now = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let mut inside = Inside(self, false);
            if invocation.params.contains("hang") {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            inside.1 = true;
            Ok(invocation.params.into_bytes())
        })
    }
}

struct Factory(Arc<Echo>);

impl ExecutorFactory for Factory {
    fn executor(&self) -> Executor {
        Executor::Native
    }

    fn for_repo(&self, _: RepoContext) -> Arc<dyn Execute> {
        self.0.clone()
    }
}

/// A runtime, and a repo with one action of this name and the default `x = 1`.
async fn with_action(builder: RuntimeBuilder, name: &str) -> (Runtime, Arc<Repo>, Arc<Echo>) {
    let echo = Arc::new(Echo::default());
    let builder = builder.executor(Arc::new(Factory(echo.clone())));
    let kael = builder.build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let init = format!(
        "return {{ {name} = define_action({{ source = '.', executor = 'native', defaults = {{ x = 1 }} }}) }}"
    );
    std::fs::write(folder.path().join("init.lua"), init).expect("written");
    let repo = kael.repo(folder.path(), RepoOptions::default()).await;
    (kael, repo.expect("it loads"), echo)
}

fn script(source: &str) -> Script {
    Script {
        want_result: true,
        ..Script::new("script.lua", source)
    }
}

fn limited(limits: Limits) -> RunOptions {
    RunOptions {
        limits,
        ..RunOptions::default()
    }
}

fn wall(time: &str) -> Limits {
    Limits {
        wall: time.parse().expect("a time"),
        ..Limits::default()
    }
}

#[track_caller]
fn gives(ending: &Ending<Option<String>>, expected: &str) {
    assert!(
        matches!(ending, Ending::Done(Some(value)) if value == expected),
        "{ending:?}"
    );
}

/// Drives a future as a program with two threads would.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("threads").block_on(future)
}

#[test]
fn two_runtimes_of_one_process_share_neither_actions_nor_limits_nor_places() {
    block_on(two_runtimes());
}

async fn two_runtimes() {
    let few = Runtime::builder().instances(1).max_waiting(0);
    let (hostile, theirs, _) = with_action(few, "theirs").await;
    let (good, ours, _) = with_action(Runtime::builder().instances(2), "ours").await;
    let cpu = Limits {
        cpu: "2s".parse().expect("a time"),
        ..Limits::default()
    };
    let endless = "print('up') local t = {} while true do t[#t % 1000 + 1] = pcall(error, 'x') end";
    let (output, mut reader) = Output::channel();
    let options = RunOptions {
        output,
        ..limited(cpu)
    };
    let running = tokio::spawn(hostile.run(Some(&theirs), script(endless), options));
    assert_eq!(reader.next().await.as_deref(), Some(&b"up\n"[..]));
    // Its only instance is in use, and no run may wait for it.
    let refused = hostile.run(None, script("return 1"), RunOptions::default());
    let refused = refused.await.ending;
    assert!(matches!(refused, Ending::Busy(_)), "{refused:?}");
    for n in 0..20 {
        let source = format!("return actions.ours({{ n = {n} }}).n");
        let report = good.run(Some(&ours), script(&source), RunOptions::default());
        gives(&report.await.ending, &n.to_string());
    }
    let other = good.run(
        Some(&ours),
        script("return actions.theirs({})"),
        RunOptions::default(),
    );
    let other = other.await.ending;
    assert!(
        matches!(&other, Ending::Failed(error) if error.action.as_ref().is_some_and(|(_, kind)| *kind == ErrorKind::UnknownAction)),
        "{other:?}"
    );
    let ended = running.await.expect("no panic").ending;
    assert!(
        matches!(ended, Ending::Limit(LimitHit::Cpu { .. }, _)),
        "{ended:?}"
    );
}

/// Denies what names a secret, after a while, and remembers what it was asked.
#[derive(Default)]
struct NoSecrets(std::sync::Mutex<Vec<String>>);

impl PolicyHook for NoSecrets {
    fn decide<'a>(&'a self, request: CallRequest<'a>) -> Deciding<'a> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let (tenant, names) = (&request.run.tenant, &request.definition.names);
            let asked = format!("{tenant} {} {} {names:?}", request.action, request.params);
            self.0.lock().expect("a lock").push(asked);
            match request.params.contains("secret") {
                false => Decision::Allow,
                true => Decision::Deny {
                    reason: "secrets stay here".to_owned(),
                    rule: Some("rule-7".to_owned()),
                },
            }
        })
    }
}

#[test]
fn the_policy_hook_sees_merged_parameters_and_denies_with_its_rule() {
    block_on(policy_hook());
}

async fn policy_hook() {
    let (kael, repo, echo) = with_action(Runtime::builder(), "a").await;
    let hook = Arc::new(NoSecrets::default());
    let options = RunOptions {
        tenant: Tenant::new("team-b").expect("a name"),
        hook: Some(hook.clone()),
        ..RunOptions::default()
    };
    let source = "assert(actions.a({ n = 1 }).x == 1)
        local ok, err = pcall(actions.a, { secret = 2 })
        assert(not ok and err.kind == 'denied')
        assert(not pcall(actions.a, 'no object'))
        actions.a({ x = 'secret' })";
    let report = kael.run(Some(&repo), script(source), options).await;
    let Ending::Failed(error) = &report.ending else {
        panic!("{:?}", report.ending);
    };
    assert_eq!(
        error.message,
        "a failed: denied by the policy: secrets stay here"
    );
    let detail = error.detail.as_ref().expect("what is known");
    assert_eq!(detail.rule.as_deref(), Some("rule-7"));
    let asked = hook.0.lock().expect("a lock");
    let params: Vec<_> = asked.iter().map(|asked| asked.split(' ').nth(2)).collect();
    assert_eq!(
        params,
        [
            Some(r#"{"n":1,"x":1}"#),
            Some(r#"{"secret":2,"x":1}"#),
            Some(r#"{"x":"secret"}"#)
        ]
    );
    assert!(
        asked.iter().all(|asked| asked.starts_with("team-b a {")),
        "{asked:?}"
    );
    // What was denied has run nothing.
    assert_eq!(echo.reached.load(Ordering::SeqCst), 1);
}

#[test]
fn a_reader_that_takes_nothing_holds_up_its_script_and_not_the_host() {
    block_on(slow_reader());
}

async fn slow_reader() {
    let kael = Runtime::builder().build().expect("a runtime");
    let print = "for i = 1, 1000 do print(i) end return 1";
    let (output, reader) = Output::channel();
    let options = RunOptions {
        output,
        ..limited(wall("2s"))
    };
    let held = tokio::spawn(kael.run(None, script(print), options));
    for _ in 0..20 {
        let other = kael.run(None, script("return 7"), RunOptions::default());
        gives(&other.await.ending, "7");
    }
    let ended = held.await.expect("no panic").ending;
    assert!(
        matches!(ended, Ending::Limit(LimitHit::Wall { .. }, _)),
        "{ended:?}"
    );
    drop(reader);
    // One that reads gets every byte, and the run ends when it has.
    let (output, mut reader) = Output::channel();
    let options = RunOptions {
        output,
        ..RunOptions::default()
    };
    let run = tokio::spawn(kael.run(None, script(print), options));
    let mut read = Vec::new();
    while let Some(bytes) = reader.next().await {
        read.extend(bytes);
    }
    gives(&run.await.expect("no panic").ending, "1");
    let expected: String = (1..=1000).map(|n| format!("{n}\n")).collect();
    assert_eq!(String::from_utf8(read).expect("text"), expected);
    // One that leaves ends the run.
    let (output, reader) = Output::channel();
    drop(reader);
    let options = RunOptions {
        output,
        ..RunOptions::default()
    };
    let ended = kael.run(None, script(print), options).await.ending;
    assert!(matches!(ended, Ending::OutputClosed), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_all_runs_together_are_bounded() {
    let (kael, repo, echo) = with_action(Runtime::builder().max_calls_in_flight(2), "a").await;
    let source = "local fs = {} for i = 1, 10 do fs[i] = function() return actions.a({}) end end
        return #parallel(fs)";
    let runs: Vec<_> = (0..4)
        .map(|_| tokio::spawn(kael.run(Some(&repo), script(source), RunOptions::default())))
        .collect();
    for run in runs {
        gives(&run.await.expect("no panic").ending, "10");
    }
    assert_eq!(echo.most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn runs_have_ids_of_their_own_and_recorded_answers_are_those_of_before() {
    let (kael, repo, _) = with_action(Runtime::builder(), "a").await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("answers.jsonl");
    let recorder = Arc::new(Recorder::create(&path).expect("a file"));
    let run = |source| {
        let options = RunOptions {
            recorder: Some(recorder.clone()),
            ..RunOptions::default()
        };
        kael.run(Some(&repo), script(source), options)
    };
    let (first, second) = (run("return actions.a({})"), run("return 1"));
    assert_ne!(first.id(), second.id());
    assert_eq!(first.info().tenant.as_str(), "default");
    gives(&first.await.ending, r#"{"x":1}"#);
    let written = std::fs::read_to_string(path).expect("text");
    assert_eq!(
        written,
        "{\"action\":\"a\",\"params\":{\"x\":1},\"result\":{\"x\":1}}\n"
    );
}
