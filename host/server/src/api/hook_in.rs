//! A webhook comes in: its signature says who sends it, and its body becomes the argument of a run.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State as AppState};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::extract::{self, Names};
use super::submit;
use super::types::Submit;
use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::tables::hooks::{self, HookRow};
use crate::time;
use crate::triggers;
use crate::triggers::signature::Sent;

/// Bytes of the id of a delivery, and of the name of its event.
const MAX_HEADER: usize = 200;

/// What a sender hears.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivered {
    /// The id of the run.
    pub(crate) run: String,
}

/// Send to a webhook.
///
/// `Kael-Signature: t=SECONDS,v1=HEX` is HMAC-SHA256 with the secret of the webhook over
/// `SECONDS.DELIVERY.BODY`, where DELIVERY is the header `Kael-Delivery`; a time that is more than five minutes
/// away is refused. Instead, `X-Hub-Signature-256` is taken as GitHub sends it. A delivery whose id is known
/// makes no second run within 24 hours.
#[utoipa::path(
    post, path = "/v1/hooks/in/{id}", tag = "hooks", operation_id = "send_hook",
    request_body(content = String, description = "JSON or text, at most 1 MiB: the first of the script's arguments"),
    params(
        ("id" = String, Path, description = "The id of the webhook"),
        ("Kael-Signature" = Option<String>, Header, description = "Who sends it, and when"),
        ("Kael-Delivery" = Option<String>, Header, description = "The id of the delivery")
    ),
    responses(
        (status = 202, body = Delivered),
        (status = 401, description = "The signature is not right", body = Problem),
        (status = 404, body = Problem),
        (status = 409, description = "The id belongs to another delivery", body = Problem),
        (status = 413, body = Problem),
        (status = 422, description = "The body is no text", body = Problem),
        (status = 429, body = Problem)
    ),
    security(())
)]
pub(crate) async fn take(
    AppState(app): AppState<Arc<App>>,
    Names(id): Names<String>,
    request: Request,
) -> Result<Response, Problem> {
    let taken = deliver(&app, &id, request).await;
    app.metrics.delivered(match &taken {
        Ok(_) => "taken",
        Err(problem) if problem.status == 401 => "unsigned",
        Err(_) => "refused",
    });
    let run = taken?;
    Ok((StatusCode::ACCEPTED, Json(Delivered { run })).into_response())
}

async fn deliver(app: &Arc<App>, id: &str, request: Request) -> Result<String, Problem> {
    let id = extract::id("webhook", id)?;
    let found = app.store.read(move |tx| hooks::any(tx, &id)).await?;
    let tenant = found.as_ref().and_then(|hook| app.tenants.get(hook.tenant));
    let tenant = tenant.filter(|tenant| !tenant.is_disabled());
    let (Some(hook), Some(tenant)) = (found, tenant) else {
        return Err(Problem::not_found("webhook", id));
    };
    let (parts, body) = request.into_parts();
    let body = extract::unsigned(&tenant.reading, body).await?;
    let headers = &parts.headers;
    let delivery = id_of(headers);
    let sent = Sent {
        kael: extract::header(headers, "kael-signature"),
        github: extract::header(headers, "x-hub-signature-256"),
        delivery: delivery.unwrap_or_default(),
        body: &body,
    };
    if !sent.is_of(&hook.secret, time::now()) {
        return Err(
            Problem::new(Kind::Unauthenticated, "the signature is not right")
                .hint("docs/triggers.md says what is signed; the clocks of both sides must agree"),
        );
    }
    let submit = asked(&hook, headers, delivery, &body)?;
    // No key of a submitter can be one of these: theirs have no control characters.
    let key = delivery.map(|delivery| {
        let digest: [u8; 32] = Sha256::digest(&body).into();
        (format!("\u{1}{id} {delivery}"), digest)
    });
    let origin = format!("hook {}", hook.name);
    let scope = triggers::scope(tenant, hook.token, hook.submitter.clone());
    let new = submit::new_run(app, &scope, submit, &origin).await?;
    let (run, _) = submit::put(app, &scope.tenant, new, key).await?;
    // Nobody waits for it.
    drop(app.store.write(move |tx| hooks::used(tx, &id)));
    Ok(run.id.to_string())
}

/// The id of a delivery, by which it is known when it is sent again.
fn id_of(headers: &HeaderMap) -> Option<&str> {
    let named = ["kael-delivery", "x-github-delivery"].into_iter();
    let mut found = named.filter_map(|name| extract::header(headers, name));
    found
        .next()
        .filter(|id| (1..=MAX_HEADER).contains(&id.len()))
}

/// The run that a delivery asks for: its body is the first argument, and what is known of it the second.
fn asked(
    hook: &HookRow,
    headers: &HeaderMap,
    delivery: Option<&str>,
    body: &[u8],
) -> Result<Submit, Problem> {
    let text = String::from_utf8(body.to_vec()).map_err(|_| {
        Problem::new(Kind::Invalid, "the body is not UTF-8").hint("send JSON or text")
    })?;
    let event =
        extract::header(headers, "x-github-event").filter(|event| event.len() <= MAX_HEADER);
    let about = json!({
        "hook": hook.name,
        "delivery": delivery,
        "event": event,
        "content_type": extract::header(headers, "content-type").filter(|kind| kind.len() <= MAX_HEADER),
    });
    Ok(Submit {
        name: Some(hook.script.clone()),
        args: vec![text, about.to_string()],
        ..Submit::default()
    })
}
