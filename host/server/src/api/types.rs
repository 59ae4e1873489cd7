//! What requests and answers look like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::role::Role;
use crate::tables::runs::RunRow;
use crate::tables::tokens::TokenRow;
use crate::tenant_settings::RunLimits;
use crate::time;

/// A script to run.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The text of the script. Either this or `name` of a stored script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "print('hello')")]
    pub script: Option<String>,
    /// How errors name the script; without `script`, the stored script to run: `NAME` or `NAME@VERSION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the script finds in `arg` and `...`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Texts by which runs can be found again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Limits that are stricter than the tenant's own.
    #[serde(default)]
    pub limits: RunLimits,
    /// Runs of a higher priority begin earlier: −100 to 100.
    #[serde(default)]
    #[schema(minimum = -100, maximum = 100)]
    pub priority: i32,
    /// When it may begin, as RFC 3339 has it; at once without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<String>,
    /// When it must have begun: 24 hours after it may begin, unless this says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Whether only actions without effects may be called.
    #[serde(default)]
    pub read_only: bool,
}

/// A run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its id, a UUID of version 7.
    pub id: String,
    /// The name of its tenant.
    pub tenant: String,
    /// `queued`, `running`, `waiting`, `parked`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// Why: the kind of its error, `expired`, `in_doubt`, or what it waits for.
    pub reason: Option<String>,
    /// How far its script says that it is.
    pub status: Option<String>,
    /// The name of its script.
    pub name: String,
    /// The SHA-256 of the text of its script.
    pub script_digest: String,
    /// What the script finds in `arg`.
    pub args: Vec<String>,
    /// Texts by which it can be found.
    pub labels: BTreeMap<String, String>,
    /// The limits that were asked for.
    pub limits: RunLimits,
    /// Whether only actions without effects may be called.
    pub read_only: bool,
    /// Runs of a higher priority begin earlier.
    pub priority: i64,
    /// What submitted it: `api`, `web`, `mcp`, `schedule NAME`, `hook NAME`, `function NAME`; `run` for another run.
    pub origin: String,
    /// The run that has started it.
    pub parent: Option<String>,
    /// The name of the token that submitted it.
    pub submitter: String,
    /// When it was submitted.
    pub created: String,
    /// When it may begin.
    pub start_at: String,
    /// When it must have begun.
    pub deadline: Option<String>,
    /// When it began.
    pub started: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// The exit code that `kael-host run` would have ended with.
    pub exit_code: Option<i64>,
    /// The error that ended it, or why it is parked.
    pub error: Option<RunError>,
    /// What it used.
    pub usage: Option<Usage>,
}

/// Why a run did not succeed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RunError {
    /// A word: `script`, `syntax`, `limit`, `denied`, `failed`, `interrupted`, …
    pub kind: String,
    /// What happened.
    pub message: String,
    /// The Lua frames, innermost first.
    #[serde(default)]
    pub traceback: Vec<String>,
    /// The action that failed.
    #[serde(default)]
    pub action: Option<String>,
    /// The limit that was reached.
    #[serde(default)]
    pub limit: Option<String>,
    /// What to do.
    #[serde(default)]
    pub hint: Option<String>,
    /// What is known of the failed action's process, or of the rule that denied the call.
    #[serde(default)]
    pub detail: Option<Value>,
}

/// What a run used.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Time that the script computed.
    pub cpu_ms: f64,
    /// From its start to its end.
    pub wall_ms: f64,
    /// The most memory that was in use.
    pub memory_bytes: u64,
    /// Bytes printed.
    pub output_bytes: u64,
    /// Actions called.
    pub calls: u64,
}

/// A page of runs, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Runs {
    /// The runs.
    pub runs: Vec<Run>,
    /// What to send as `cursor` for the runs before these; none at the end.
    pub next: Option<String>,
}

impl Run {
    /// What is shown of a row.
    pub(crate) fn of(row: &RunRow, tenant: &str) -> Self {
        let json = |text: &Option<String>| {
            text.as_deref()
                .and_then(|text| serde_json::from_str::<Value>(text).ok())
        };
        let read =
            |value: Option<Value>| value.and_then(|value| serde_json::from_value(value).ok());
        Self {
            id: row.id.to_string(),
            tenant: tenant.to_owned(),
            state: row.state.name().to_owned(),
            reason: row.reason.clone(),
            status: row.status.clone(),
            name: row.name.clone(),
            script_digest: kael_engine::text::hex(&row.source),
            args: serde_json::from_str(&row.args).unwrap_or_default(),
            labels: serde_json::from_str(&row.labels).unwrap_or_default(),
            limits: serde_json::from_str(&row.limits).unwrap_or_default(),
            read_only: row.read_only,
            priority: row.priority,
            origin: row.origin.clone(),
            parent: row.parent.map(|parent| parent.to_string()),
            submitter: row.submitter.clone(),
            created: time::text(row.created),
            start_at: time::text(row.ready),
            deadline: row.deadline.map(time::text),
            started: row.started.map(time::text),
            ended: row.ended.map(time::text),
            exit_code: row.exit_code,
            error: read(json(&row.error)),
            usage: json(&row.usage).and_then(|usage| serde_json::from_value(usage).ok()),
        }
    }
}

/// A token, without its secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// Its tenant; none for the operator's.
    pub tenant: Option<String>,
    /// When it was made.
    pub created: String,
    /// Who made it.
    pub created_by: String,
    /// When it expires.
    pub expires: Option<String>,
    /// When it was used last, to the minute.
    pub last_used: Option<String>,
}

impl Token {
    /// What is shown of a row.
    pub(crate) fn of(row: &TokenRow, tenant: Option<String>) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            role: row.role,
            tenant,
            created: time::text(row.created),
            created_by: row.created_by.clone(),
            expires: row.expires.map(time::text),
            last_used: row.last_used.map(time::text),
        }
    }
}

/// Mistakes that were found in a script.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Checked {
    /// In the order of their places.
    pub(crate) problems: Vec<CheckProblem>,
    /// Why names and literals were not checked, if they were not.
    pub(crate) note: Option<String>,
}

/// A mistake in a script.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CheckProblem {
    /// From 1.
    pub(crate) line: u32,
    /// In characters, from 1.
    pub(crate) column: u32,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: String,
}
