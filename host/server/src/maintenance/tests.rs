//! What becomes of the schedules, deliveries and keys of a store that is restored.

use serde_json::Value;

use super::*;
use crate::id::Id;
use crate::tables::fires::{self, FireRow, Outcome};
use crate::tables::schedules::{self, ScheduleRow};
use crate::tables::subscriptions::{self, Pending, SubscriptionRow};
use crate::tables::{Scoped, runs};
use crate::time::{self, SECOND};
use crate::triggers::due::CatchUp;
use crate::triggers::plan::{Overlap, Plan};

const HOUR: i64 = 3600 * SECOND;
const TENANT: Scoped = Scoped(1);

fn schedule(name: &str, due: i64, paused: bool) -> ScheduleRow {
    let plan = Plan {
        cron: "0 * * * *".to_owned(),
        zone: "UTC".to_owned(),
        script: "report".to_owned(),
        overlap: Overlap::Queue,
        catch_up: CatchUp::All,
        ..Plan::default()
    };
    ScheduleRow {
        id: Id::new(),
        tenant: TENANT.0,
        name: name.to_owned(),
        version: 1,
        settings: serde_json::to_string(&plan).expect("settings"),
        token: Id::new(),
        submitter: "ci".to_owned(),
        paused,
        due: Some(due),
        wake: Some(due).filter(|_| !paused),
        last_fire: None,
        created: 1,
        changed: 1,
    }
}

fn subscription() -> SubscriptionRow {
    SubscriptionRow {
        id: Id::new(),
        name: "chat".to_owned(),
        url: "https://example.org/".to_owned(),
        events: r#"["schedule.missed"]"#.to_owned(),
        secret: "kael_sign_x".to_owned(),
        by: "ci".to_owned(),
        created: 1,
        stopped: None,
        last: None,
        last_at: None,
    }
}

#[test]
fn what_a_backup_had_still_to_fire_or_to_send_waits_for_a_person() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("a.db"), Mode::Exclusive).expect("a store");
    let hour = time::now() / HOUR * HOUR;
    let (late, waits) = (
        schedule("late", hour - 2 * HOUR, false),
        schedule("waits", hour + HOUR, false),
    );
    let (paused, early) = (
        schedule("paused", hour - HOUR, true),
        schedule("early", hour + HOUR, false),
    );
    let ids = [late.id, waits.id, paused.id, early.id];
    let of = subscription();
    let (chat, run) = (of.id, Id::new());
    let done = store.write(move |tx| {
        tenants::put(tx, "acme", "{}", false)?;
        for row in [&late, &waits, &paused, &early] {
            schedules::insert(tx, row)?;
        }
        let waiting = FireRow {
            at: hour - 3 * HOUR,
            outcome: Outcome::Waiting,
            run: None,
            why: None,
        };
        fires::insert(tx, &waits.id, &waiting)?;
        subscriptions::insert(tx, TENANT, &of)?;
        subscriptions::announce(tx, TENANT.0, "schedule.missed", || json!("before"))?;
        // It was known when the backup was made.
        runs::add_key(tx, TENANT, "k", &run, &[1; 32], tx.now() - HOUR)?;
        let restored = settle(tx, false)?;
        let rows: Result<Vec<_>, _> = ids
            .iter()
            .map(|id| {
                let row = schedules::any(tx, id)?.expect("a schedule");
                Ok::<_, StoreError>((row.due, row.wake, fires::list(tx, id, 10)?))
            })
            .collect();
        let due = subscriptions::due(tx, tx.now() + HOUR, 10, 10)?;
        let bodies: Result<Vec<_>, _> = due
            .iter()
            .map(|due| subscriptions::delivery(tx, &due.id))
            .collect();
        let pending = subscriptions::pending(tx, &chat)?;
        let key = runs::key(tx, TENANT, "k")?;
        subscriptions::resume(tx, &chat)?;
        let released = subscriptions::pending(tx, &chat)?;
        Ok((restored, rows?, bodies?, pending, key, released))
    });
    let (restored, rows, bodies, pending, key, released) = done.wait().expect("written");
    // Two hours and the full hour of now, and the one that waited.
    assert_eq!((restored.missed, restored.held), (4, 1));
    let next = Some(hour + HOUR);
    for (due, wake, _) in [&rows[0], &rows[1], &rows[3]] {
        assert_eq!((*due, *wake), (next, next));
    }
    let outcomes = |at: usize| -> Vec<(i64, Outcome)> {
        let fires = rows[at].2.iter();
        fires
            .map(|fire| ((fire.at - hour) / HOUR, fire.outcome))
            .collect()
    };
    assert_eq!(outcomes(0), [(-2, Outcome::Missed)]);
    assert_eq!(outcomes(1), [(-3, Outcome::Missed)]);
    // One that is paused looks for its next time when it is resumed.
    assert_eq!(
        (rows[2].1, outcomes(2).len(), outcomes(3).len()),
        (None, 0, 0)
    );
    // What is missed is news; what was to be sent is not sent by itself.
    let told: Vec<Value> = bodies
        .into_iter()
        .flatten()
        .map(|row| serde_json::from_str(&row.body).expect("JSON"))
        .collect();
    let mut told: Vec<_> = told
        .iter()
        .map(|event| {
            (
                event["data"]["schedule"].as_str(),
                event["data"]["count"].as_u64(),
            )
        })
        .collect();
    told.sort();
    assert_eq!(told, [(Some("late"), Some(3)), (Some("waits"), Some(1))]);
    let count = |waiting, held| Pending { waiting, held };
    assert_eq!((pending, released), (count(2, 1), count(3, 0)));
    assert_eq!(key, Some((run, [1; 32])));
}
