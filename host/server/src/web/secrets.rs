//! The secrets of a tenant: their names, a form that keeps one, and how one is removed.

use axum::Form;
use axum::response::{IntoResponse as _, Redirect};
use maud::html;
use serde::Deserialize;

use super::access::{Page, Visitor};
use super::layout::{self, time};
use crate::api::secrets::{all, remove, set as keep};
use crate::role::Role;

#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    csrf: String,
    name: String,
    #[serde(default)]
    value: String,
}

pub(super) async fn show(visitor: Visitor) -> Page {
    visitor.scope.needs(Role::Manager)?;
    let secrets = all(&visitor.scope).await?;
    let body = html! {
        div class="head" { h1 { "Secrets" } span class="soft" { "for the actions of " (visitor.scope.tenant.name) "; values cannot be read back" } }
        form method="post" action="/secrets" class="card pad row" {
            input type="hidden" name="csrf" value=(visitor.csrf());
            div class="field" { label for="name" { "Name" } input id="name" name="name" required maxlength="100" placeholder="github/deploy" autocomplete="off"; }
            div class="field" { label for="value" { "Value" } input id="value" name="value" type="password" required minlength="8" autocomplete="new-password"; }
            button class="main" { "Keep" }
        }
        h2 { "Secrets" small { (secrets.len()) } }
        @if secrets.is_empty() {
            div class="card empty" {
                strong { "No secrets yet" }
                p { "A definition names one with " code { "secrets = { GITHUB_TOKEN = \"github/deploy\" }" } }
            }
        } @else {
            div class="card scroll" { table {
                thead { tr { th { "Name" } th { "Set" } th {} } }
                tbody { @for secret in &secrets { tr {
                    td class="mono" { (secret.name) }
                    td class="soft" { (time(&secret.set)) }
                    td class="num" {
                        form method="post" action="/secrets/delete" {
                            input type="hidden" name="csrf" value=(visitor.csrf());
                            input type="hidden" name="name" value=(secret.name);
                            button class="danger" aria-label={ "Remove " (secret.name) } { "Remove" }
                        }
                    }
                } } }
            } }
        }
    };
    Ok(layout::page(&visitor, "/secrets", "Secrets", &body).into_response())
}

pub(super) async fn set(visitor: Visitor, Form(sent): Form<Sent>) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    keep(&visitor.app, &visitor.scope, sent.name, sent.value).await?;
    Ok(Redirect::to("/secrets").into_response())
}

pub(super) async fn delete(visitor: Visitor, Form(sent): Form<Sent>) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    remove(&visitor.app, &visitor.scope, sent.name).await?;
    Ok(Redirect::to("/secrets").into_response())
}
