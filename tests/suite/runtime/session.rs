//! Sessions of a program that embeds Kael, when their state is lost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kael_engine::limits::Limits;
use kael_engine::runtime::{LoadError, RepoOptions, RunOptions, Runtime};
use kael_engine::sandbox::{Chunk, ChunkUse, Ending, Output};

use super::{LONG, limited, with_action};

fn chunk(source: &str) -> Chunk {
    Chunk {
        name: "chunk".to_owned(),
        line: 1,
        source: source.to_owned(),
        use_as: ChunkUse::Input,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_session_begins_anew_in_the_only_instance() {
    let kael = Runtime::builder().instances(1).build().expect("a runtime");
    let limits = Limits {
        cpu: "300ms".parse().expect("a time"),
        ..Limits::default()
    };
    let session = kael.session(None, limited(limits), false).await;
    let mut session = session.expect("a session");
    let ended = session.evaluate(chunk("while true do end"), std::future::pending());
    let report = ended.await.expect("a report");
    assert!(matches!(report.ending, Ending::Limit(..)), "{report:?}");
    assert!(session.is_lost());
    let revived = tokio::time::timeout(LONG, session.revive()).await;
    revived.expect("in time").expect("a session");
    let ended = session.evaluate(chunk("return 1"), std::future::pending());
    let report = ended.await.expect("a report");
    assert!(matches!(report.ending, Ending::Done(_)), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_an_evaluation_ends_its_calls_and_the_state() {
    let (kael, repo, echo) = with_action(Runtime::builder(), "a").await;
    let options = RunOptions {
        output: Output::in_memory(),
        ..RunOptions::default()
    };
    let session = kael.session(Some(repo), options, false).await;
    let mut session = session.expect("a session");
    let hang = "local function hang() actions.a({ hang = true }) end parallel(hang, hang)";
    {
        let evaluating = session.evaluate(chunk(hang), std::future::pending());
        tokio::pin!(evaluating);
        let begun = async {
            while echo.inside.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            report = &mut evaluating => panic!("{report:?}"),
            begun = tokio::time::timeout(LONG, begun) => begun.expect("in time"),
        }
    }
    assert!(session.is_lost());
    let ended = async {
        while !echo.dropped.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ended = tokio::time::timeout(LONG, ended).await;
    ended.expect("the call is dropped");
    assert!(
        session
            .evaluate(chunk("return 1"), std::future::pending())
            .await
            .is_none()
    );
    session.revive().await.expect("a session");
    assert!(!session.is_lost());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_policy_of_a_repo_is_an_error_where_it_is_loaded() {
    let kael = Runtime::builder().instances(0).build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("init.lua"), "return {}").expect("written");
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, "version: 1\nrules:\n  - alow: x\n").expect("written");
    let loaded = kael.repo(folder.path(), RepoOptions::default()).await;
    assert!(matches!(loaded, Err(LoadError::Policy(_))));
}
