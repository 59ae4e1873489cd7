//! A run as it was just after an entry of its journal: the Lua frames, their variables, and the output so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use kael_engine::run_info::RunId;
use kael_runs::export;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::extract::Names;
use super::runs::find_whole;
use crate::app::App;
use crate::auth::Scope;
use crate::looks::replay::replay;
use crate::looks::{fits, look, start};
use crate::problem::Problem;
use crate::tables::runs::RunRow;
use crate::tenant::Tenant;
use crate::time;

/// Bytes of a text of the entry that the answer has.
const MAX_TEXT: usize = 4 << 10;

/// A run behind an entry of its journal.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Moment {
    /// The number of the entry.
    pub(crate) seq: u64,
    /// The number of the last entry.
    pub(crate) last: u64,
    /// When the entry was written.
    pub(crate) at: String,
    /// The entry, whose long texts are cut.
    #[schema(value_type = Object)]
    pub(crate) entry: Value,
    /// The Lua frames that were running there, innermost first, with the names of their local variables.
    pub(crate) frames: Vec<String>,
    /// The values of these variables, the innermost of each name.
    pub(crate) variables: BTreeMap<String, String>,
    /// What the script had printed: the end, up to 64 KiB.
    pub(crate) output: String,
    /// The bytes of output before that.
    pub(crate) output_before: u64,
    /// How the script had ended there, if it had.
    pub(crate) ended: Option<String>,
}

/// Look at a run as it was behind an entry of its journal.
///
/// Its script runs again out of the journal, up to there. Nothing is called. It may take 10 seconds, and one runs at a
/// time for each tenant.
#[utoipa::path(
    get, path = "/v1/runs/{id}/at/{seq}", tag = "runs", operation_id = "get_moment",
    params(
        ("id" = String, Path, description = "The id of the run"),
        ("seq" = String, Path, description = "The number of the entry, or `last`")
    ),
    responses(
        (status = 200, body = Moment),
        (status = 404, description = "There is no such run, or no such entry", body = Problem),
        (status = 422, description = "The script takes too long to get there", body = Problem),
        (status = 410, description = "The journal was removed", body = Problem),
        (status = 413, description = "The journal is too large", body = Problem),
        (status = 429, description = "Another one goes on", body = Problem),
        (status = 503, description = "The journal was written by another version of Kael", body = Problem)
    ),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn at(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names((id, seq)): Names<(String, String)>,
) -> Result<Json<Moment>, Problem> {
    let run = find_whole(&app, &scope, &id).await?;
    moment(&app, &scope.tenant, &run, &seq).await.map(Json)
}

/// The number of the last entry of a run's journal; none without a journal.
pub(crate) async fn last(app: &App, run: &RunRow) -> Result<Option<u64>, Problem> {
    let id = RunId::from_bytes(*run.id.bytes());
    let size = app.store.read(move |tx| export::size(tx, id)).await?;
    Ok(size.0.checked_sub(1))
}

/// The run behind the entry of that number.
pub(crate) async fn moment(
    app: &Arc<App>,
    tenant: &Arc<Tenant>,
    run: &RunRow,
    seq: &str,
) -> Result<Moment, Problem> {
    let id = RunId::from_bytes(*run.id.bytes());
    let (entries, bytes) = app.store.read(move |tx| export::size(tx, id)).await?;
    let last = entries.saturating_sub(1);
    let wanted = match seq {
        "last" => Some(last),
        seq => seq.parse::<u64>().ok(),
    };
    let Some(seq) = wanted.filter(|seq| *seq < entries) else {
        let shown: String = seq.chars().take(40).collect();
        return Err(Problem::not_found("entry", shown).hint(match entries {
            0 => "the run has no journal yet".to_owned(),
            _ => format!("the journal has the entries 0 to {last}"),
        }));
    };
    fits(bytes)?;
    let line = app
        .store
        .read(move |tx| export::page(tx, id, seq, 0))
        .await?;
    let mut entry: Value = serde_json::from_str(line.0.trim_end()).unwrap_or_default();
    shorten(&mut entry);
    let (of_look, tenant_of_look) = (app.clone(), tenant.clone());
    let replayed =
        move |held| async move { replay(&of_look, &tenant_of_look, id, seq, &held).await };
    let replayed = look(app, tenant.id, replayed).await?;
    Ok(Moment {
        seq,
        last,
        at: time::text(entry["at"].as_i64().unwrap_or(0)),
        entry,
        frames: replayed.frames,
        variables: replayed.variables,
        output: replayed.output,
        output_before: replayed.output_before,
        ended: replayed.ended,
    })
}

/// Cuts the long texts of an entry.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > MAX_TEXT => *text = start(text, MAX_TEXT),
        Value::Array(all) => {
            all.truncate(100);
            all.iter_mut().for_each(shorten);
        }
        Value::Object(all) => all.values_mut().for_each(shorten),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_texts_of_an_entry_are_cut() {
        let mut entry = json!({ "answer": { "ok": "é".repeat(MAX_TEXT) }, "many": vec![1; 200] });
        shorten(&mut entry);
        assert!(entry["answer"]["ok"].as_str().expect("a text").len() <= MAX_TEXT + 4);
        assert_eq!(entry["many"].as_array().expect("a list").len(), 100);
    }
}
