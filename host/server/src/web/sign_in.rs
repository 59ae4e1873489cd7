//! Signing in with a one-time link, and out again.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde::Deserialize;
use serde_json::json;

use super::access::{Csrf, Page, PageError, Visitor};
use super::alone;
use crate::api::session::{known_code, unknown_code};
use crate::app::App;
use crate::auth::{COOKIE, cookie};
use crate::tables::{audit, tokens};
use crate::{secret, time};

/// How long a session is valid.
pub(super) const SESSION_LIVES: i64 = 12 * 3600 * time::SECOND;

#[derive(Deserialize)]
pub(super) struct Code {
    #[serde(default)]
    code: String,
}

/// The page that a one-time link opens. It takes a click, so that a program that looks at links uses
/// none up.
pub(super) async fn show(State(app): State<Arc<App>>, Query(code): Query<Code>) -> Response {
    let body = html! {
        div class="card pad" {
            @if code.code.is_empty() {
                h1 { "Sign in" }
                @if let Some(oidc) = &app.oidc {
                    p { a class="button main" href="/login/oidc" { "Sign in with " (oidc.config.name) } }
                }
                p class="soft" { "Paste the code of a one-time link. " code { "kael-host login --link" } " makes one." }
            } @else {
                h1 { "Welcome" }
                p class="soft" { "This link signs this browser in, once, for twelve hours." }
            }
            form method="post" action="/login" {
                @if code.code.is_empty() {
                    div class="field" {
                        label for="code" { "Code" }
                        input id="code" name="code" required autocomplete="off" autofocus;
                    }
                } @else {
                    input type="hidden" name="code" value=(code.code);
                }
                button class="main" autofocus[!code.code.is_empty()] { "Sign in" }
            }
        }
    };
    alone::alone("Sign in", &body).into_response()
}

pub(super) async fn enter(State(app): State<Arc<App>>, Form(form): Form<Code>) -> Page {
    let code = form.code.trim();
    let code = code.split_once("code=").map_or(code, |(_, code)| code);
    let code = secret::hash(code);
    let session = secret::new("kael-session-")?;
    let csrf = secret::new("")?;
    let hash = secret::hash(&session);
    if known_code(&app, code).await.is_err() {
        return Ok(refused());
    }
    let entered = app.store.write(move |tx| {
        let Some(token) = tokens::take_sign_in(tx, &code)? else {
            return Ok(false);
        };
        tokens::used(tx, &token.id)?;
        let expires = tx.now() + SESSION_LIVES;
        tokens::add_session(tx, &hash, &token.id, &csrf, expires)?;
        let (who, object) = (token.name.as_str(), token.id.to_string());
        audit::add(tx, token.tenant, who, "session.begin", &object, &json!({}))?;
        Ok(true)
    });
    if !entered.await? {
        return Ok(refused());
    }
    let mut response = Redirect::to("/runs").into_response();
    set_cookie(
        &app,
        &mut response,
        &format!(
            "{COOKIE}={session}; Max-Age={}",
            SESSION_LIVES / time::SECOND
        ),
    );
    Ok(response)
}

/// The page for a code that opens nothing.
fn refused() -> Response {
    let problem = unknown_code();
    let body = html! {
        div class="card pad" {
            h1 { "That did not work" }
            p { (problem.detail) "." }
            p class="soft" { (problem.hint.unwrap_or_default()) "." }
            p { a class="button" href="/login" { "Try another code" } }
        }
    };
    (StatusCode::UNAUTHORIZED, alone::alone("Sign in", &body)).into_response()
}

pub(super) async fn leave(visitor: Visitor, headers: HeaderMap, Form(form): Form<Csrf>) -> Page {
    visitor.scope.caller.sent_form(&form.csrf)?;
    if let Some(session) = cookie(&headers, COOKIE) {
        let hash = secret::hash(session);
        visitor
            .app
            .store
            .write(move |tx| tokens::drop_session(tx, &hash))
            .await?;
        visitor.app.authority.forget();
    }
    let mut response = Redirect::to("/login").into_response();
    set_cookie(
        &visitor.app,
        &mut response,
        &format!("{COOKIE}=; Max-Age=0"),
    );
    Ok(response)
}

/// Sets a cookie that no script reads and no other site sends.
pub(super) fn set_cookie(app: &App, response: &mut Response, pair: &str) {
    let secure = if app.address().starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    let text = format!("{pair}; Path=/; HttpOnly; SameSite=Strict{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

impl From<std::io::Error> for PageError {
    fn from(error: std::io::Error) -> Self {
        crate::problem::Problem::from(error).into()
    }
}
