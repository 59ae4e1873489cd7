//! A new run: a script that is checked while it is typed.

use axum::Form;
use axum::response::{IntoResponse as _, Redirect};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::{Page, Visitor};
use super::editor;
use super::layout;
use crate::api::submit::{new_run, put};
use crate::api::types::Submit;
use crate::problem::Problem;
use crate::role::Role;

/// What the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    csrf: String,
    script: String,
    name: String,
    args: String,
    labels: String,
    read_only: Option<String>,
}

pub(super) async fn show(visitor: Visitor) -> Page {
    visitor.scope.needs(Role::Submitter)?;
    let sent = Sent {
        script: "print('hello from ' .. (arg[1] or 'Kael'))\n".to_owned(),
        name: "script.lua".to_owned(),
        ..Sent::default()
    };
    Ok(layout::page(&visitor, "/runs", "New run", &form(&visitor, &sent, None)).into_response())
}

pub(super) async fn send(visitor: Visitor, Form(sent): Form<Sent>) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Submitter)?;
    let labels = sent
        .labels
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    let submit = Submit {
        // Browsers send line breaks of their own.
        script: Some(sent.script.replace("\r\n", "\n")),
        name: Some(sent.name.clone()).filter(|name| !name.is_empty()),
        args: sent.args.split_whitespace().map(str::to_owned).collect(),
        labels: labels
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        read_only: sent.read_only.is_some(),
        ..Submit::default()
    };
    let made = match new_run(&visitor.app, &visitor.scope, submit, "web").await {
        Ok(new) => put(&visitor.app, &visitor.scope.tenant, new, None).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok((run, _)) => Ok(Redirect::to(&format!("/runs/{}", run.id)).into_response()),
        Err(problem) => {
            let page = layout::page(
                &visitor,
                "/runs",
                "New run",
                &form(&visitor, &sent, Some(&problem)),
            );
            Ok((layout::status_of(Some(&problem)), page).into_response())
        }
    }
}

fn form(visitor: &Visitor, sent: &Sent, problem: Option<&Problem>) -> Markup {
    html! {
        div class="head" { h1 { "New run" } span class="soft" { "in " (visitor.scope.tenant.name) } }
        (layout::refusal(problem))
        form method="post" action="/runs/new" class="card pad" {
            input type="hidden" name="csrf" value=(visitor.csrf());
            (editor::field(visitor, &sent.script))
            div class="row" {
                div class="field" { label for="name" { "Name" } input id="name" name="name" value=(sent.name); }
                div class="field" { label for="args" { "Arguments" } input id="args" name="args" value=(sent.args) placeholder="--since 7d"; }
                div class="field" { label for="labels" { "Labels" } input id="labels" name="labels" value=(sent.labels) placeholder="team=web"; }
                label { input type="checkbox" name="read_only" checked[sent.read_only.is_some()]; " Read only" }
                span class="grow" {}
                (editor::dry_run())
                button class="main" data-run-text title="Ctrl+Enter" { "Run" }
            }
        }
        (editor::beside())
    }
}
