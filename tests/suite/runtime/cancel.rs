//! How a run is ended from outside it.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use kael_engine::failure::ErrorKind;
use kael_engine::gate::{CallEvent, events};
use kael_engine::run_info::Tenant;
use kael_engine::runtime::{RunOptions, Runtime};
use kael_engine::sandbox::{Ending, Output};

use super::{LONG, gives, script, wall, with_action};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_reports_its_calls_its_output_and_its_limits() {
    let (kael, repo, echo) = with_action(Runtime::builder(), "a").await;
    let (observer, mut inbox) = events();
    let output = Output::in_memory();
    let options = RunOptions {
        tenant: Tenant::new("team-a").expect("a name"),
        limits: wall("10m"),
        observer: Some(observer),
        output: output.clone(),
        ..RunOptions::default()
    };
    let source = "print('before') actions.a({ n = 1 }) actions.a({ hang = true }) print('after')";
    let run = kael.run(Some(&repo), script(source), options);
    let (id, cancel) = (run.id(), run.canceller());
    let running = tokio::spawn(run);
    // The observer sees a call that begins before the call ends, and one that never ends.
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let event = tokio::time::timeout(LONG, inbox.recv()).await;
        seen.push(match event.expect("in time").expect("an event") {
            CallEvent::Begins(call) => format!("begins {}", call.call),
            CallEvent::Ends(call) => format!("ends {}", call.call),
        });
    }
    assert_eq!(seen, ["begins 1", "ends 1", "begins 2"]);
    cancel.cancel();
    let report = tokio::time::timeout(LONG, running).await;
    let report = report.expect("in time").expect("no panic");
    assert!(
        matches!(report.ending, Ending::Cancelled(_)),
        "{:?}",
        report.ending
    );
    assert_eq!(
        (output.kept().as_str(), report.usage.calls),
        ("before\n", 2)
    );
    assert_eq!(report.limits, wall("10m"));
    let kinds: Vec<_> = report.calls.iter().map(|call| call.failed).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Cancelled)]);
    let last = inbox.recv().await;
    assert!(matches!(last, Some(CallEvent::Ends(call)) if call.call == 2));
    assert!(echo.dropped.load(Ordering::SeqCst));
    // Each record says whose it is, and when it was.
    assert_eq!((report.run.id, report.run.tenant.as_str()), (id, "team-a"));
    let mut times = vec![report.started_at()];
    for call in &report.calls {
        assert_eq!((call.run.id, call.run.tenant.as_str()), (id, "team-a"));
        assert!(call.started_at() <= call.ended_at());
        times.push(call.started_at());
    }
    times.extend([
        report.ended_at(),
        SystemTime::now() + Duration::from_secs(5),
    ]);
    assert!(times.is_sorted(), "{times:?}");
}

fn writing_to(output: Output) -> RunOptions {
    RunOptions {
        output,
        ..RunOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_cancelled_where_it_computes_waits_for_its_place_or_is_read() {
    let one = Runtime::builder().instances(1);
    let kael = one.build().expect("a runtime");
    let (output, mut reader) = Output::channel();
    let options = writing_to(output);
    let computes = kael.run(None, script("print('up') while true do end"), options);
    let cancel = computes.canceller();
    let computing = tokio::spawn(computes);
    assert_eq!(reader.next().await.as_deref(), Some(&b"up\n"[..]));
    drop(reader);
    let waits = kael.run(None, script("return 1"), RunOptions::default());
    let cancel_waiting = waits.canceller();
    let waiting = tokio::spawn(waits);
    tokio::time::sleep(Duration::from_millis(100)).await;
    cancel_waiting.cancel();
    let ended = tokio::time::timeout(LONG, waiting).await.expect("in time");
    let ended = ended.expect("no panic").ending;
    assert!(matches!(ended, Ending::Cancelled(_)), "{ended:?}");
    cancel.cancel();
    let ended = tokio::time::timeout(LONG, computing)
        .await
        .expect("in time");
    let ended = ended.expect("no panic").ending;
    assert!(
        matches!(&ended, Ending::Cancelled(frames) if frames.iter().any(|frame| frame.contains("script.lua:1"))),
        "{ended:?}"
    );
    // A script that is done, and whose output has a reader that takes nothing.
    let (output, reader) = Output::channel();
    let options = writing_to(output);
    let unread = kael.run(None, script("print(1)"), options);
    let cancel = unread.canceller();
    let unread = tokio::spawn(unread);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!unread.is_finished());
    cancel.cancel();
    let ended = tokio::time::timeout(LONG, unread).await.expect("in time");
    let ended = ended.expect("no panic").ending;
    assert!(matches!(ended, Ending::Cancelled(_)), "{ended:?}");
    drop(reader);
    gives(
        &kael
            .run(None, script("return 7"), RunOptions::default())
            .await
            .ending,
        "7",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_handle_ends_the_run_and_its_calls() {
    let (kael, repo, echo) = with_action(Runtime::builder().instances(1), "a").await;
    let (observer, mut inbox) = events();
    let options = RunOptions {
        observer: Some(observer),
        ..RunOptions::default()
    };
    let mut run = kael.run(Some(&repo), script("actions.a({ hang = true })"), options);
    tokio::select! {
        report = &mut run => panic!("{:?}", report.ending),
        event = inbox.recv() => assert!(matches!(event, Some(CallEvent::Begins(_)))),
    }
    drop(run);
    let last = inbox.recv().await;
    assert!(matches!(last, Some(CallEvent::Ends(call)) if call.failed.is_some()));
    assert!(echo.dropped.load(Ordering::SeqCst) && echo.inside.load(Ordering::SeqCst) == 0);
    // Its instance is free again.
    gives(
        &kael
            .run(None, script("return 7"), RunOptions::default())
            .await
            .ending,
        "7",
    );
}
