//! Runs that a script starts: each is a run like others, with the rules, the repo and the limits of its parent.

use kael_engine::journal::{Begin, Entry, NewChild};
use kael_engine::run_info::RunId;
use kael_engine::text::hex;
use kael_store::{StoreError, Tx, Value};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::load::Head;
use crate::stored_args::{StoredArgs, document};
use crate::{Family, RunRow, RunsError, State, inbox, load, sink, texts};

const START: &str = "INSERT INTO runs (id, tenant, state, name, script, bundle, guest, args, limits, epoch, wake, \
                     takeovers, created, parent, root, depth, abandoned) \
                     SELECT ?2, tenant, 0, ?3, ?4, bundle, guest, ?5, limits, 0, ?6, 0, ?6, id, \
                     coalesce(root, id), depth + 1, ?7 FROM runs WHERE id = ?1";
const CONTINUE: &str = "INSERT INTO runs (id, tenant, state, name, script, bundle, guest, args, limits, epoch, wake, \
                        takeovers, created, parent, root, depth, abandoned, labels, continues, first) \
                        SELECT ?2, tenant, 0, ?3, ?4, bundle, guest, ?5, limits, 0, ?6, 0, ?6, parent, \
                        coalesce(root, id), depth, abandoned, labels, id, coalesce(first, id) FROM runs WHERE id = ?1";
const CONTINUES: &str = "SELECT 1 FROM runs WHERE id = ?1 AND continues = ?2";
const CONTINUED: &str = "SELECT id FROM runs WHERE continues = ?1";
const FAMILY: &str = "SELECT depth, (SELECT count(*) FROM runs AS others WHERE others.root = \
                      coalesce(runs.root, runs.id) AND others.continues IS NULL) FROM runs WHERE id = ?1";
// The first of runs that took each other's place may be removed while the last one goes on.
const THERE: &str = "SELECT 1 FROM runs WHERE parent = ?2 AND (id = ?1 OR first = ?1)";
const KEPT: &str = "SELECT 1 FROM runs WHERE id = ?1";
const PARENT: &str = "SELECT parent, coalesce(first, id) FROM runs WHERE id = ?1";
const LEFT: &str = "SELECT id FROM runs WHERE parent = ?1 AND abandoned = 0 AND state IN (0, 2, 6)";
const RUNNING: &str = "SELECT id FROM runs WHERE parent = ?1 AND abandoned = 0 AND state = 1";
const END: &str =
    "UPDATE runs SET state = 5, ended = ?2, wake = NULL, epoch = epoch + 1 WHERE id = ?1";

const FOLLOW: &str = "INSERT INTO followers (run, follower) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const FOLLOWS: &str = "SELECT 1 FROM followers WHERE run = ?1 AND follower = ?2";
const FOLLOWERS: &str = "SELECT follower FROM followers WHERE run = ?1";
const LETTER: &str = "SELECT n FROM inbox WHERE run = ?1 AND once = ?2";

#[cfg(test)]
pub(crate) const ALL: [&str; 15] = [
    CONTINUE, CONTINUES, CONTINUED, START, FAMILY, THERE, KEPT, PARENT, LEFT, RUNNING, END, FOLLOW,
    FOLLOWS, FOLLOWERS, LETTER,
];

/// How deep runs may start runs, and how many one family may have.
const MAX_DEPTH: i64 = 8;
const MAX_FAMILY: i64 = 1000;

/// The id of the run that a call starts: the same call starts the same run.
fn id_of(parent: &[u8; 16], call: u64) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"kael child");
    hash.update(parent);
    hash.update(call.to_le_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    // The time of the parent, for the order of a list, and the form of a UUID of one's own making (RFC 9562, version 8).
    id[..6].copy_from_slice(&parent[..6]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    id
}

/// Writes a child down, unless it is there. The inner error is for the script.
pub(crate) fn start(
    tx: &Tx<'_>,
    parent: &[u8; 16],
    child: &NewChild,
) -> Result<Result<String, String>, RunsError> {
    // Calls are counted from 1: a run is continued once.
    let bytes = id_of(parent, child.call);
    let id = RunId::from_bytes(bytes);
    let there = match child.continues {
        true => tx
            .first(
                CONTINUES,
                &[Value::from(&bytes), Value::from(parent)],
                |row| row.get::<i64>(0),
            )?
            .is_some(),
        false => is_child(tx, parent, &bytes)?,
    };
    if there {
        return Ok(Ok(id.to_string()));
    }
    if child.continues {
        write(tx, parent, &bytes, child)?;
        return Ok(Ok(id.to_string()));
    }
    let family = tx.first(FAMILY, &[Value::from(parent)], |row| {
        Ok((row.get::<i64>(0)?, row.get::<i64>(1)?))
    })?;
    let (depth, count) = family.unwrap_or((MAX_DEPTH, 0));
    if depth >= MAX_DEPTH {
        let why = format!("runs start runs at most {MAX_DEPTH} deep");
        return Ok(Err(why));
    }
    if count >= MAX_FAMILY {
        let why = format!("a run and those that it starts have at most {MAX_FAMILY} runs");
        return Ok(Err(why));
    }
    write(tx, parent, &bytes, child)?;
    Ok(Ok(id.to_string()))
}

/// Writes a run down that another one starts, or that takes its place.
fn write(
    tx: &Tx<'_>,
    parent: &[u8; 16],
    bytes: &[u8; 16],
    child: &NewChild,
) -> Result<(), RunsError> {
    let row = RunRow::get(tx, RunId::from_bytes(*parent))?;
    let begin = load::begin(tx, row.id)?;
    let name = match child.name.as_str() {
        "" => begin.name.clone(),
        name => name.to_owned(),
    };
    let above: StoredArgs = serde_json::from_str(&row.args).map_err(document)?;
    let script = texts::put(tx, row.tenant, bytes, child.script.as_bytes())?;
    let mut inputs = Vec::new();
    for (name, text) in &child.inputs {
        let digest = texts::put(tx, row.tenant, bytes, text.as_bytes())?;
        inputs.push((name.clone(), hex(&digest)));
    }
    let stored = StoredArgs {
        args: child.args.clone(),
        inputs,
        want_result: true,
        rules: above.rules,
    };
    let stored = serde_json::to_string(&stored).map_err(document)?;
    let values = [
        Value::from(parent),
        Value::from(bytes),
        Value::from(&name),
        Value::from(&script),
        Value::from(&stored),
        Value::Int(tx.now()),
        Value::Int(child.is_abandoned.into()),
    ];
    let (sql, values) = match child.continues {
        true => (CONTINUE, &values[..6]),
        false => (START, &values[..]),
    };
    tx.change_one(sql, values, "the run that starts another is gone")?;
    let begin = Begin {
        script,
        name,
        args: child.args.clone(),
        want_result: true,
        ..begin
    };
    let entry = Entry::Begin(Box::new(begin));
    let id = RunId::from_bytes(*bytes);
    Ok(sink::add(tx, id, &Head::beginning(), &entry)?)
}

/// Whether a run was started by that other one.
pub(crate) fn is_child(
    tx: &Tx<'_>,
    parent: &[u8; 16],
    child: &[u8; 16],
) -> Result<bool, StoreError> {
    let values = [Value::from(child), Value::from(parent)];
    let found = tx.first(THERE, &values, |row| row.get::<i64>(0))?;
    if found.is_some()
        || tx
            .first(FOLLOWS, &values, |row| row.get::<i64>(0))?
            .is_some()
    {
        return Ok(true);
    }
    // One that was removed since has left its end with its parent.
    inbox::is_there(tx, parent, &once(child))
}

/// A fork may wait for those of these runs that the run before it has started. They stay that run's.
pub(crate) fn follow(
    tx: &Tx<'_>,
    parent: &[u8; 16],
    fork: &[u8; 16],
    runs: &[RunId],
) -> Result<(), StoreError> {
    for run in runs.iter().map(RunId::bytes) {
        let (mine, letter) = (is_child(tx, parent, run)?, once(run));
        if !mine || inbox::is_there(tx, fork, &letter)? {
            continue;
        }
        let values = [Value::from(parent), Value::Text(&letter)];
        match tx.first(LETTER, &values, |row| row.get::<i64>(0))? {
            Some(number) => inbox::copy(tx, parent, fork, number as u64)?,
            None => {
                tx.execute(FOLLOW, &[Value::from(run), Value::from(fork)])?;
            }
        }
    }
    Ok(())
}

/// What the letter with the end of a run is known by: it comes once.
fn once(run: &[u8; 16]) -> String {
    format!("child:{}", RunId::from_bytes(*run))
}

/// A run is over: its parent is told, and the runs that it has started are cancelled, unless they are to go on. Those
/// that run are only listed: the caller decides whether to end them.
pub(crate) fn over(
    tx: &Tx<'_>,
    run: &[u8; 16],
    state: State,
    ending: &str,
) -> Result<Family, StoreError> {
    let mut family = Family::default();
    end_family(tx, run, state, ending, &mut family)?;
    Ok(family)
}

fn end_family(
    tx: &Tx<'_>,
    run: &[u8; 16],
    state: State,
    ending: &str,
    family: &mut Family,
) -> Result<(), StoreError> {
    tell(tx, run, state, ending)?;
    let running = tx.query(RUNNING, &[Value::from(run)], |row| row.get(0))?;
    family
        .running
        .extend(running.into_iter().map(RunId::from_bytes));
    for child in tx.query(LEFT, &[Value::from(run)], |row| row.get::<[u8; 16]>(0))? {
        tx.execute(END, &[Value::from(&child), Value::Int(tx.now())])?;
        family.cancelled.push(RunId::from_bytes(child));
        end_family(tx, &child, State::Cancelled, "{}", family)?;
    }
    Ok(())
}

/// Tells the end of a run to who waits for it, by the id of the first of the runs that have taken each other's place. A run
/// in whose place another one has come has not ended for them.
fn tell(tx: &Tx<'_>, run: &[u8; 16], state: State, ending: &str) -> Result<(), StoreError> {
    if continued(tx, run)?.is_some() {
        return Ok(());
    }
    let known = tx.first(PARENT, &[Value::from(run)], |row| {
        Ok((row.get::<Option<[u8; 16]>>(0)?, row.get::<[u8; 16]>(1)?))
    })?;
    let Some((parent, first)) = known else {
        return Ok(());
    };
    let followers = tx.query(FOLLOWERS, &[Value::from(&first)], |row| row.get(0))?;
    for told in parent.into_iter().chain(followers) {
        let id = RunId::from_bytes(first).to_string();
        let (letter, once) = (letter(state, ending), once(&first));
        // A run that a limit has ended may go on, and end again: its first end is what counts. A parent that was removed
        // asks for nothing any more.
        let is_kept = tx.first(KEPT, &[Value::from(&told)], |row| row.get::<i64>(0))?;
        if is_kept.is_some() && !inbox::is_there(tx, &told, &once)? {
            inbox::put(tx, &told, 1, [&id, &letter, "kael"], Some(&once))?;
        }
    }
    Ok(())
}

/// The run that has taken the place of another.
pub(crate) fn continued(tx: &Tx<'_>, run: &[u8; 16]) -> Result<Option<RunId>, StoreError> {
    let next = tx.first(CONTINUED, &[Value::from(run)], |row| row.get(0))?;
    Ok(next.map(RunId::from_bytes))
}

/// How a child ended, for its parent.
fn letter(state: State, ending: &str) -> String {
    let ending: serde_json::Value = serde_json::from_str(ending).unwrap_or_default();
    if state == State::Succeeded {
        let result = ending["result"].as_str().unwrap_or("null");
        let result: serde_json::Value = serde_json::from_str(result).unwrap_or_default();
        return json!({ "ok": true, "result": result }).to_string();
    }
    let state = match state {
        State::Cancelled => "was cancelled",
        _ => "failed",
    };
    let message = match (ending["message"].as_str(), ending["code"].as_i64()) {
        (Some(message), _) => message.to_owned(),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => String::new(),
    };
    json!({ "ok": false, "state": state, "message": message }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_call_starts_the_same_run() {
        let one = id_of(&[1; 16], 1);
        assert_eq!(one, id_of(&[1; 16], 1));
        assert!(one != id_of(&[1; 16], 2) && one != id_of(&[2; 16], 1));
        assert_eq!(
            RunId::parse(&RunId::from_bytes(one).to_string()),
            Some(RunId::from_bytes(one))
        );
    }
}
