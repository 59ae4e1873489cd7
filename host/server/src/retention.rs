//! Removes what tenants need not keep: the output of runs that ended days ago, later the runs themselves.

use std::sync::Arc;
use std::time::Duration;

use kael_store::{Store, StoreError};

use crate::app::App;
use crate::keep::Keep;
use crate::refreshes;
use crate::tables::retention::Removed;
use crate::tables::{Scoped, retention, runs};

/// Runs, and events, that one transaction removes. Others write between two of them.
const MAX_RUNS: i64 = 500;
const MAX_EVENTS: i64 = 5000;
/// How long others have the store for themselves after each transaction.
const PAUSE: Duration = Duration::from_millis(20);
/// From the end of one round to the next.
const ROUND: Duration = Duration::from_secs(3600);

/// Removes what is old, now and every hour, until the server ends.
pub(crate) async fn keep(app: Arc<App>) {
    loop {
        if let Err(error) = round(&app).await {
            tracing::error!("what is old is not removed from the store: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(ROUND) => {}
            () = app.ends() => return,
        }
    }
}

async fn round(app: &App) -> Result<(), StoreError> {
    app.store.write(runs::drop_keys).await?;
    // Those of the runs of the round before.
    app.store.write(kael_runs::server::remove_repos).await?;
    for tenant in app.tenants.all() {
        refreshes::sweep(app, &tenant).await;
        let removed = prune(&app.store, tenant.id, tenant.keep).await?;
        app.metrics.removed(&removed);
        if removed.runs + removed.stripped > 0 {
            tracing::info!(
                "tenant {}: removed {} runs, and the output of {} runs",
                tenant.name,
                removed.runs,
                removed.stripped
            );
        }
    }
    Ok(())
}

/// Removes what a tenant need not keep any more.
///
/// # Errors
/// Those of the store; what was removed before stays removed.
pub(crate) async fn prune(store: &Store, tenant: i64, keep: Keep) -> Result<Removed, StoreError> {
    let scoped = Scoped(tenant);
    let mut all = Removed::default();
    loop {
        let part = store.write(move |tx| {
            let before = tx.now() - keep.output;
            retention::strip(tx, scoped, before, MAX_RUNS, MAX_EVENTS)
        });
        let part = part.await?;
        all.stripped += part.stripped;
        if !part.more {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    loop {
        let part =
            store.write(move |tx| retention::drop_runs(tx, scoped, tx.now() - keep.runs, MAX_RUNS));
        let part = part.await?;
        all.runs += part.runs;
        if !part.more {
            return Ok(all);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use kael_store::{Mode, Value};

    use super::*;
    use crate::event::{Event, Kind};
    use crate::id::Id;
    use crate::tables::runs::{Ended, RunRow, State};
    use crate::tables::{events, sources, tenants};
    use crate::tenant_settings::TenantSettings;
    use crate::time;

    fn run(tenant: i64, source: u8) -> RunRow {
        RunRow {
            name: "a.lua".to_owned(),
            source: [source; 32],
            args: "[]".to_owned(),
            labels: "{}".to_owned(),
            limits: "{}".to_owned(),
            submitter: "a".to_owned(),
            deadline: None,
            ..RunRow::fresh(Id::new(), tenant, "api", 1)
        }
    }

    fn ended() -> Ended {
        Ended {
            state: State::Succeeded,
            reason: None,
            exit_code: 0,
            error: None,
            usage: None,
            result: Some("12345".to_owned()),
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn runs_lose_their_output_first_and_those_that_are_not_over_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("a.db"), Mode::Exclusive).expect("a store");
        let (old, open) = (run(1, 1), run(1, 2));
        let (over, waits) = (old.id, open.id);
        let made = store.write(move |tx| {
            tenants::put(tx, "a", "{}", false)?;
            for row in [&old, &open] {
                sources::put(tx, Scoped(1), &row.source, b"print(1)")?;
                runs::insert(tx, row)?;
                for seq in 0..12_000 {
                    let event = Event {
                        seq,
                        at: 1,
                        kind: Kind::Output,
                        offset: 10 * (seq + 1),
                        body: vec![b'x'; 10],
                    };
                    events::insert(tx, &row.id, &event)?;
                }
            }
            runs::end(tx, &old.id, &ended())?;
            tx.execute(
                "UPDATE srv_runs SET ended = 5 WHERE id = ?1",
                &[(&old.id).into()],
            )?;
            retention::bytes(tx, Scoped(1))
        });
        assert_eq!(made.await.expect("written"), 2 * (8 + 120_000) + 5);
        let (month, forever) = (
            Keep {
                runs: 1,
                output: 1,
                storage: 1,
            },
            i64::MAX / 2,
        );
        let weeks = Keep {
            runs: forever,
            ..month
        };
        let removed = prune(&store, 1, weeks).await.expect("removed");
        assert_eq!((removed.stripped, removed.runs), (1, 0));
        let seen = store.read_blocking(|tx| {
            let count = |run: &Id| events::after(tx, run, -1, 20_000).map(|all| all.len());
            Ok((
                (retention::is_whole(tx, &over)?, count(&over)?),
                (retention::is_whole(tx, &waits)?, count(&waits)?),
                retention::bytes(tx, Scoped(1))?,
            ))
        });
        assert_eq!(
            seen.expect("a read"),
            ((false, 0), (true, 12_000), 2 * 8 + 120_000)
        );
        let removed = prune(&store, 1, month).await.expect("removed");
        assert_eq!((removed.stripped, removed.runs), (0, 1));
        let seen = store.read_blocking(|tx| {
            let there = |run: &Id| runs::any(tx, run).map(|run| run.is_some());
            let script = sources::get(tx, Scoped(1), &[1; 32])?;
            let bytes = retention::bytes(tx, Scoped(1))?;
            Ok((there(&over)?, there(&waits)?, script, bytes))
        });
        assert_eq!(seen.expect("a read"), (false, true, None, 8 + 120_000));
        // Nothing that counts is left, nor anything below zero.
        let sum = store.read_blocking(|tx| {
            tx.first(
                "SELECT count(*) FROM srv_results WHERE run = ?1",
                &[Value::from(&over)],
                |row| row.get::<i64>(0),
            )
        });
        assert_eq!(sum.expect("a read"), Some(0));
    }

    #[test]
    fn settings_say_how_long() {
        let keep = TenantSettings::default().keep().expect("defaults");
        assert_eq!(keep.runs, 30 * 24 * 3600 * time::SECOND);
        assert_eq!(keep.output, 7 * 24 * 3600 * time::SECOND);
        assert_eq!(keep.storage, 10 << 30);
        let short = TenantSettings {
            keep_runs: "1d".to_owned(),
            ..TenantSettings::default()
        };
        assert_eq!(
            short.keep().map(|keep| keep.output),
            Ok(24 * 3600 * time::SECOND)
        );
        let odd = TenantSettings {
            max_storage: "much".to_owned(),
            ..TenantSettings::default()
        };
        let why = odd.keep().expect_err("refused");
        assert!(
            why.starts_with("`max_storage`: `much` is not a size"),
            "{why}"
        );
    }
}
