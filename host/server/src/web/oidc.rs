//! Signing in by an OpenID Connect provider: away to it, and back.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde_json::json;

use super::access::Page;
use super::alone;
use super::sign_in::{SESSION_LIVES, set_cookie};
use crate::app::App;
use crate::auth::{COOKIE, cookie};
use crate::id::Id;
use crate::oidc::{Answer, CALLBACK, Known, LIVES, Oidc, OidcError, Person};
use crate::problem::Problem;
use crate::tables::tokens::TokenRow;
use crate::tables::{audit, people, tokens};
use crate::{secret, time};

/// The cookie that ties a sign-in to its browser.
const BROWSER: &str = "kael_oidc";

/// Sends the browser to the provider.
pub(super) async fn begin(State(app): State<Arc<App>>) -> Page {
    let Some(oidc) = &app.oidc else {
        return Err(Problem::not_found("page", "/login/oidc").into());
    };
    let start = match oidc.begin().await {
        Ok(start) => start,
        Err(error) => return Ok(refused(&error)),
    };
    let mut response = Redirect::to(&start.url).into_response();
    set_browser(&app, &mut response, &start.cookie, LIVES.as_secs());
    Ok(response)
}

/// The browser is back. Whatever it brings, it is sent to a page of this server alone.
pub(super) async fn end(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Page {
    let Some(oidc) = &app.oidc else {
        return Err(Problem::not_found("page", CALLBACK).into());
    };
    let mut response = match oidc.finish(&answer, cookie(&headers, BROWSER)).await {
        Ok(known) => enter(&app, oidc, known).await?,
        Err(error) => refused(&error),
    };
    set_browser(&app, &mut response, "", 0);
    Ok(response)
}

async fn enter(app: &Arc<App>, oidc: &Oidc, known: Known) -> Page {
    let subject = known.subject;
    let found = known.person.and_then(|person| tenant_of(app, person));
    let (person, tenant) = match found {
        Ok(found) => found,
        Err(error) => {
            // Who may do nothing any more has nothing left from before.
            let gone = app.store.write(move |tx| {
                let gone = people::forget(tx, &subject)?;
                if let Some(gone) = &gone {
                    let (who, id) = (gone.name.as_str(), gone.id.to_string());
                    audit::add(tx, gone.tenant, who, "person.gone", &id, &json!({}))?;
                }
                Ok(gone.is_some())
            });
            if gone.await? {
                app.authority.forget();
            }
            return Ok(refused(&error));
        }
    };
    let session = secret::new("kael-session-")?;
    let csrf = secret::new("")?;
    let hash = secret::hash(&session);
    // Nobody knows the secret of this token: its sessions have it.
    let own = secret::hash(&secret::new(secret::TOKEN)?);
    let issuer = oidc.config.issuer.clone();
    let entered = app.store.write(move |tx| {
        let expires = tx.now() + SESSION_LIVES;
        let wanted = TokenRow {
            id: Id::new(),
            tenant,
            name: person.name,
            role: person.role,
            expires: Some(expires),
            created: tx.now(),
            created_by: issuer,
            last_used: None,
            parent: None,
        };
        let detail = json!({ "role": wanted.role.name(), "by": "oidc" });
        let who = wanted.name.clone();
        let (token, went) = people::sign_in(tx, &subject, wanted, &own)?;
        tokens::add_session(tx, &hash, &token, &csrf, expires)?;
        audit::add(
            tx,
            tenant,
            &who,
            "session.begin",
            &token.to_string(),
            &detail,
        )?;
        Ok(went)
    });
    if entered.await? {
        app.authority.forget();
    }
    let mut response = welcome();
    let lives = SESSION_LIVES / time::SECOND;
    let pair = format!("{COOKIE}={session}; Max-Age={lives}");
    set_cookie(app, &mut response, &pair);
    Ok(response)
}

/// The tenant that a person belongs to.
fn tenant_of(app: &App, person: Person) -> Result<(Person, Option<i64>), OidcError> {
    let Some(name) = &person.tenant else {
        return Ok((person, None));
    };
    let found = app.tenants.named(name);
    match found.filter(|tenant| !tenant.is_disabled()) {
        Some(tenant) => Ok((person, Some(tenant.id))),
        None => Err(OidcError::NoTenant(format!(
            "`{}`",
            crate::oidc::clean(name)
        ))),
    }
}

/// The page that a browser goes on from by itself. Going there from here, and not from the provider, it brings the session
/// along, whose cookie no other site's link sends.
fn welcome() -> Response {
    let body = html! {
        meta http-equiv="refresh" content="0; url=/runs";
        div class="card pad" {
            h1 { "Welcome" }
            p { a class="button" href="/runs" { "Go on" } }
        }
    };
    alone::alone("Signed in", &body).into_response()
}

fn refused(error: &OidcError) -> Response {
    let status = match error {
        OidcError::Provider(_) => StatusCode::BAD_GATEWAY,
        OidcError::NoRole(_) | OidcError::NoTenant(_) => StatusCode::FORBIDDEN,
        _ => StatusCode::UNAUTHORIZED,
    };
    tracing::warn!("nobody is signed in by the provider: {error}");
    let body = html! {
        div class="card pad" {
            h1 { "That did not work" }
            p { (error) "." }
            p { a class="button" href="/login" { "Sign in" } }
        }
    };
    (status, alone::alone("Sign in", &body)).into_response()
}

/// Sets the cookie of a sign-in. Its browser must send it when the provider sends the browser back.
fn set_browser(app: &App, response: &mut Response, value: &str, lives: u64) {
    let secure = match app.address().starts_with("https://") {
        true => "; Secure",
        false => "",
    };
    let text = format!(
        "{BROWSER}={value}; Max-Age={lives}; Path=/login/oidc; HttpOnly; SameSite=Lax{secure}"
    );
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
