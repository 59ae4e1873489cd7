//! `kael-host runs work`: goes on with the runs whose time, signal or child has come, and begins their children.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::{refused, resume};
use crate::args::{Bounds, Shared};
use crate::durable::RunStore;
use crate::exit;
use crate::terminal::{say, say_json_line};
use kael_engine::environment::Environment;
use kael_runs::RunsError;

/// How often it looks for runs that became due, or that other processes have left.
const TICK: Duration = Duration::from_millis(500);

pub(super) fn work(
    shared: &Shared,
    store: &RunStore,
    once: bool,
    bounds: &Bounds,
    as_json: bool,
    environment: &Environment,
) -> u8 {
    // Runs that could not go on, and stay as they are until a person has looked at them.
    let mut left = HashSet::new();
    loop {
        let waiting = match store.0.waiting() {
            Ok(waiting) => waiting,
            Err(error) => return refused(shared, &error, as_json),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = i64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(i64::MAX);
        let due = waiting
            .into_iter()
            .filter(|row| row.wake.is_some_and(|wake| wake <= now) && !left.contains(&row.id))
            .collect::<Vec<_>>();
        for row in due {
            if store.0.is_held(row.id).unwrap_or(true) {
                continue;
            }
            let id = row.id.to_string();
            let code = resume::resume(shared, store, &id, bounds, false, true, environment.clone());
            if [1, 2, 15]
                .iter()
                .any(|number| code == exit::SIGNAL + number)
            {
                return code;
            }
            let state = match store.0.show(row.id) {
                Ok(view) => {
                    if view.row.epoch == row.epoch {
                        left.insert(row.id);
                    }
                    view.row.state.name()
                }
                Err(RunsError::Unknown(_)) => "removed",
                Err(error) => return refused(shared, &error, as_json),
            };
            let told = match as_json {
                true => say_json_line(
                    &json!({ "run": id, "state": state, "exit_code": code }),
                    exit::SUCCESS,
                ),
                false => say(&format!("{id}: {state}\n"), exit::SUCCESS),
            };
            if told != exit::SUCCESS {
                return told;
            }
        }
        if once {
            return exit::SUCCESS;
        }
        thread::sleep(TICK);
    }
}
