//! Alerts of rules: `kael-host rules run --server` sends them, and the page lists them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Body, Names, Params};
use crate::app::App;
use crate::auth::Scope;
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::Scoped;
use crate::tables::alerts::{self, AlertRow, Wanted};
use crate::time;

/// Alerts of one request.
pub const MAX_SENT: usize = 1000;
/// Alerts of a tenant that are kept; the oldest go.
const MAX_KEPT: i64 = 100_000;
/// Bytes of one of them.
const MAX_BYTES: usize = 1 << 20;
/// Bytes of its id, its rule and its title.
const MAX_TEXT: usize = 1 << 10;
/// Alerts of one answer.
const PAGE: i64 = 100;

/// Severities from the least, as rules write them.
const SEVERITIES: [&str; 5] = ["Informational", "Low", "Medium", "High", "Critical"];

/// Alerts as `kael-host rules run` writes them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SentAlerts {
    /// At most 1,000.
    pub alerts: Vec<Value>,
}

/// What became of alerts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TakenAlerts {
    /// How many are new; the others were there already.
    pub new: u64,
}

/// Which alerts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AlertParams {
    /// Of this rule alone.
    pub(crate) rule: Option<String>,
    /// Of this severity or above.
    pub(crate) severity: Option<String>,
    /// What an earlier answer gave as `next`.
    pub(crate) cursor: Option<String>,
}

/// A part of the alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alerts {
    /// The newest first.
    pub(crate) alerts: Vec<Alert>,
    /// What to send as `cursor` for the alerts before these; none at the end.
    pub(crate) next: Option<String>,
}

/// An alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alert {
    /// Its id on this server.
    pub(crate) id: String,
    /// When it came.
    pub(crate) at: String,
    /// The rule that it is of.
    pub(crate) rule: String,
    /// How bad it is: `Informational`, `Low`, `Medium`, `High` or `Critical`.
    pub(crate) severity: &'static str,
    /// What it is about.
    pub(crate) title: String,
    /// The alert as it was sent.
    pub(crate) alert: Value,
}

/// Send alerts.
///
/// An alert whose `id` is known is passed over, so that a request can be sent again.
#[utoipa::path(
    post, path = "/v1/alerts", tag = "alerts", operation_id = "send_alerts", request_body = SentAlerts,
    responses((status = 200, body = TakenAlerts), (status = 422, description = "One of them is no alert", body = Problem)),
    extensions(("x-kael-role" = json!("submitter")))
)]
pub(crate) async fn send(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Body(sent): Body<SentAlerts>,
) -> Result<Json<TakenAlerts>, Problem> {
    scope.needs(Role::Submitter)?;
    if sent.alerts.len() > MAX_SENT {
        let detail = format!(
            "{} alerts, and a request takes {MAX_SENT}",
            sent.alerts.len()
        );
        return Err(Problem::new(Kind::TooLarge, detail));
    }
    let rows = sent.alerts.iter().enumerate().map(|(at, alert)| {
        read(alert).map_err(|why| Problem::new(Kind::Invalid, format!("`alerts[{at}]` {why}")))
    });
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let scoped = Scoped(scope.tenant.id);
    let new = app
        .store
        .write(move |tx| {
            let mut new = 0;
            for mut row in rows {
                row.at = tx.now();
                new += u64::from(alerts::insert(tx, scoped, &row)?);
            }
            alerts::prune(tx, scoped, MAX_KEPT)?;
            Ok(new)
        })
        .await?;
    Ok(Json(TakenAlerts { new }))
}

/// The row of an alert, or what it lacks.
fn read(alert: &Value) -> Result<AlertRow, String> {
    let text = |key: &str| match alert.get(key).and_then(Value::as_str) {
        Some(text) if (1..=MAX_TEXT).contains(&text.len()) => Ok(text.to_owned()),
        _ => Err(format!(
            "needs a text of at most {MAX_TEXT} bytes as `{key}`"
        )),
    };
    let severity = text("severity")?;
    let severity = SEVERITIES.iter().position(|known| *known == severity);
    let severity =
        severity.ok_or_else(|| format!("needs one of {} as `severity`", SEVERITIES.join(", ")))?;
    let body = alert.to_string();
    if body.len() > MAX_BYTES {
        return Err(format!(
            "has {} bytes, and may have {MAX_BYTES}",
            body.len()
        ));
    }
    Ok(AlertRow {
        id: Id::new(),
        at: 0,
        alert: text("id")?,
        rule: text("rule_id")?,
        severity: i64::try_from(severity).unwrap_or(0),
        title: text("title")?,
        body,
    })
}

/// List alerts.
#[utoipa::path(
    get, path = "/v1/alerts", tag = "alerts", operation_id = "list_alerts", params(AlertParams),
    responses((status = 200, body = Alerts)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Params(params): Params<AlertParams>,
) -> Result<Json<Alerts>, Problem> {
    scope.needs(Role::Viewer)?;
    Ok(Json(page(&app, &scope, &params).await?))
}

/// Read one alert.
#[utoipa::path(
    get, path = "/v1/alerts/{id}", tag = "alerts", operation_id = "get_alert", params(("id" = String, Path)),
    responses((status = 200, body = Alert), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn get(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
) -> Result<Json<Alert>, Problem> {
    scope.needs(Role::Viewer)?;
    Ok(Json(one(&app, &scope, &id).await?))
}

/// One alert of the tenant.
pub(crate) async fn one(app: &App, scope: &Scope, id: &str) -> Result<Alert, Problem> {
    let missing = || Problem::new(Kind::NotFound, format!("there is no alert `{id}`"));
    let parsed = id.parse::<Id>().map_err(|()| missing())?;
    let scoped = Scoped(scope.tenant.id);
    let found = app
        .store
        .read(move |tx| alerts::get(tx, scoped, &parsed))
        .await?;
    found.map(Alert::of).ok_or_else(missing)
}

/// A page of alerts.
pub(crate) async fn page(
    app: &App,
    scope: &Scope,
    params: &AlertParams,
) -> Result<Alerts, Problem> {
    let wanted = wanted(params)?;
    let scoped = Scoped(scope.tenant.id);
    let mut rows = app
        .store
        .read(move |tx| alerts::list(tx, scoped, &wanted, PAGE + 1))
        .await?;
    let more = rows.len() as i64 > PAGE;
    rows.truncate(usize::try_from(PAGE).unwrap_or(0));
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    Ok(Alerts {
        alerts: rows.into_iter().map(Alert::of).collect(),
        next,
    })
}

fn wanted(params: &AlertParams) -> Result<Wanted, Problem> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let before = match given(&params.cursor) {
        None => None,
        Some(cursor) => Some(cursor.parse::<Id>().map_err(|()| {
            let detail = "`cursor` is none of an earlier answer";
            Problem::new(Kind::InvalidRequest, detail)
        })?),
    };
    let severity = match given(&params.severity) {
        None => 0,
        Some(name) => {
            let at = SEVERITIES.iter().position(|known| *known == name);
            at.ok_or_else(|| {
                let all = SEVERITIES.join(", ");
                Problem::new(
                    Kind::InvalidRequest,
                    format!("`severity` must be one of {all}"),
                )
            })?
        }
    };
    Ok(Wanted {
        before,
        severity: i64::try_from(severity).unwrap_or(0),
        rule: given(&params.rule),
    })
}

impl Alert {
    fn of(row: AlertRow) -> Self {
        let severity = usize::try_from(row.severity).ok();
        let severity = severity.and_then(|at| SEVERITIES.get(at));
        Self {
            id: row.id.to_string(),
            at: time::text(row.at),
            rule: row.rule,
            severity: severity.unwrap_or(&SEVERITIES[0]),
            title: row.title,
            alert: serde_json::from_str(&row.body).unwrap_or(Value::Null),
        }
    }
}
