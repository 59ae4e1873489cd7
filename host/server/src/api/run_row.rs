//! What a request asks of a run, and the row that it becomes.

use kael_engine::limits::Limits;

use super::types::Submit;
use crate::auth::Caller;
use crate::id::Id;
use crate::problem::{Kind, Problem};

use crate::tables::runs::RunRow;
use crate::tenant::Tenant;

/// Bytes of all arguments, and of all labels.
const MAX_ARGS: usize = 2 << 20;
const MAX_LABELS: usize = 8 << 10;

/// A script as a run names it.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) digest: [u8; 32],
}

/// The row of a run that may begin at once.
pub(crate) fn queued(
    caller: &Caller,
    tenant: i64,
    script: Named,
    body: &Submit,
    origin: &str,
    now: i64,
) -> RunRow {
    RunRow {
        name: script.name,
        source: script.digest,
        args: serde_json::to_string(&body.args).unwrap_or_default(),
        labels: serde_json::to_string(&body.labels).unwrap_or_default(),
        limits: serde_json::to_string(&body.limits).unwrap_or_default(),
        read_only: body.read_only,
        priority: i64::from(body.priority),
        submitter: caller.name.clone(),
        token: Some(caller.token),
        ..RunRow::fresh(Id::new(), tenant, origin, now)
    }
}

/// Refuses what a run of the tenant may not have: arguments, labels, a priority or limits. Returns its limits.
pub(crate) fn check_fields(tenant: &Tenant, body: &Submit) -> Result<Limits, Problem> {
    let invalid = |detail: String| Problem::new(Kind::Invalid, detail);
    let args: usize = body.args.iter().map(String::len).sum();
    if args > MAX_ARGS || body.args.len() > 10_000 {
        return Err(invalid(format!(
            "`args` may have {MAX_ARGS} bytes in 10000 texts"
        )));
    }
    let labels = serde_json::to_string(&body.labels).unwrap_or_default();
    if labels.len() > MAX_LABELS || body.labels.len() > 64 {
        return Err(invalid(format!(
            "`labels` may have {MAX_LABELS} bytes in 64 texts"
        )));
    }
    if !(-100..=100).contains(&body.priority) {
        let detail = format!("`priority` must be from -100 to 100, got {}", body.priority);
        return Err(invalid(detail));
    }
    body.limits
        .within(tenant.limits())
        .map_err(|why| invalid(why).hint("the operator can give the tenant more"))
}
