//! The record of what people did.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::extract::{self, Params};
use crate::app::App;
use crate::auth::Scope;
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::audit;
use crate::time;

/// Which part of the record.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditParams {
    /// What an earlier answer gave as `next`.
    pub(crate) cursor: Option<String>,
    /// Entries of one answer: 1 to 500, 100 unless this says otherwise.
    pub(crate) limit: Option<i64>,
}

/// A part of the record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Audit {
    /// The newest first.
    pub(crate) entries: Vec<AuditEntry>,
    /// What to send as `cursor` for the entries before these; none at the end.
    pub(crate) next: Option<String>,
}

/// One thing that was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// When.
    pub(crate) at: String,
    /// The name of the token of the person or program.
    pub(crate) who: String,
    /// What: `token.create`, `run.cancel`, …
    pub(crate) what: String,
    /// To which thing.
    pub(crate) object: String,
    /// More about it.
    pub(crate) detail: Value,
}

/// Entries of one answer, unless the caller says otherwise.
pub(crate) const PAGE: i64 = 100;

/// Read the record of the tenant.
#[utoipa::path(
    get, path = "/v1/audit", tag = "audit", operation_id = "list_audit", params(AuditParams),
    responses((status = 200, body = Audit)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Params(params): Params<AuditParams>,
) -> Result<Json<Audit>, Problem> {
    scope.needs(Role::Manager)?;
    let limit = extract::limit(params.limit, PAGE)?;
    Ok(Json(
        page(&app, &scope, params.cursor.as_deref(), limit).await?,
    ))
}

/// A page of the record.
pub(crate) async fn page(
    app: &App,
    scope: &Scope,
    cursor: Option<&str>,
    limit: i64,
) -> Result<Audit, Problem> {
    let before = match cursor.filter(|cursor| !cursor.is_empty()) {
        None => None,
        Some(cursor) => Some(cursor.parse::<Id>().map_err(|()| {
            Problem::new(
                Kind::InvalidRequest,
                "`cursor` is none of an earlier answer",
            )
        })?),
    };
    let tenant = scope.tenant.id;
    let mut rows = app
        .store
        .read(move |tx| audit::list(tx, Some(tenant), before, limit + 1))
        .await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(0));
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    let entries = rows.into_iter().map(|row| AuditEntry {
        at: time::text(row.at),
        who: row.who,
        what: row.what,
        object: row.object,
        detail: serde_json::from_str(&row.detail).unwrap_or(Value::Null),
    });
    Ok(Audit {
        entries: entries.collect(),
        next,
    })
}
