//! Tokens: listed, made, taken away.

use axum::Form;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect};
use maud::html;
use serde::Deserialize;

use super::access::{Csrf, Page, Visitor};
use super::layout::{self, time};
use crate::api::tokens::{MadeToken, NewToken, all, make, revoke};
use crate::role::Role;

#[derive(Deserialize)]
pub(super) struct Sent {
    csrf: String,
    name: String,
    role: Role,
    #[serde(default)]
    expires_in: String,
}

pub(super) async fn show(visitor: Visitor) -> Page {
    visitor.scope.needs(Role::Manager)?;
    page(&visitor, None).await
}

pub(super) async fn create(visitor: Visitor, Form(sent): Form<Sent>) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    let new = NewToken {
        name: sent.name,
        role: sent.role,
        expires_in: Some(sent.expires_in),
    };
    let made = make(&visitor.app, &visitor.scope, new).await?;
    page(&visitor, Some(&made)).await
}

pub(super) async fn delete(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<Csrf>,
) -> Page {
    visitor.scope.caller.sent_form(&form.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    revoke(&visitor.app, &visitor.scope, &id).await?;
    Ok(Redirect::to("/tokens").into_response())
}

async fn page(visitor: &Visitor, made: Option<&MadeToken>) -> Page {
    let tokens = all(&visitor.app, &visitor.scope).await?;
    let body = html! {
        div class="head" { h1 { "Tokens" } span class="soft" { "who may do what in " (visitor.scope.tenant.name) } }
        @if let Some(made) = made { (layout::shown_once(&format!("The token “{}”", made.token.name), &made.secret, &html! {})) }
        form method="post" action="/tokens" class="card pad row" {
            input type="hidden" name="csrf" value=(visitor.csrf());
            div class="field" { label for="name" { "Name" } input id="name" name="name" required maxlength="100" placeholder="ci"; }
            div class="field" {
                label for="role" { "Role" }
                select id="role" name="role" {
                    @for role in Role::ALL.into_iter().filter(|role| *role <= visitor.scope.caller.role) {
                        option value=(role) selected[role == Role::Submitter] { (role) }
                    }
                }
            }
            div class="field" {
                label for="expires_in" { "Valid for" }
                select id="expires_in" name="expires_in" {
                    option value="30d" { "30 days" } option value="90d" selected { "90 days" } option value="365d" { "a year" } option value="" { "no end" }
                }
            }
            button class="main" { "Make a token" }
        }
        h2 { "Tokens" small { (tokens.len()) } }
        div class="card scroll" { table {
            thead { tr { th { "Name" } th { "Role" } th class="wide" { "Made by" } th class="wide" { "Last used" } th { "Expires" } th {} } }
            tbody { @for token in &tokens { tr {
                td { span class="name" { (token.name) } @if token.tenant.is_none() { div class="sub" { "all tenants" } } }
                td { span class="label" { (token.role) } }
                td class="wide soft" { (token.created_by) }
                td class="wide soft" { @match &token.last_used { Some(used) => { (time(used)) }, None => { "never" } } }
                td class="soft" { @match &token.expires { Some(end) => { (time(end)) }, None => { "no end" } } }
                td class="num" { (layout::button(visitor, &format!("/tokens/{}/delete", token.id), "danger", "Revoke", &token.name)) }
            } } }
        } }
    };
    Ok(layout::page(visitor, "/tokens", "Tokens", &body).into_response())
}
