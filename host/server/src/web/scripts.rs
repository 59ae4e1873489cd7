//! Stored scripts: the list, and one with its text, its versions and a way to run and to change it.

use axum::Form;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Redirect};
use maud::html;
use serde::Deserialize;

use super::access::{Csrf, Page, Visitor};
use super::editor;
use super::layout::{self, status_of, time};
use crate::api::conditions::Expected;
use crate::api::scripts::{StoredScript, VersionParams, all, one, remove, store};
use crate::api::submit::{new_run, put};
use crate::api::types::Submit;
use crate::problem::Problem;
use crate::role::Role;

/// What the form of a script sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    csrf: String,
    name: String,
    script: String,
    /// The version that the form began with; none for a new script.
    version: Option<i64>,
}

/// What the form of a run sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    csrf: String,
    args: String,
    version: Option<u32>,
}

pub(super) async fn show(visitor: Visitor) -> Page {
    visitor.scope.needs(Role::Viewer)?;
    let sent = Sent {
        script: "print('hello from ' .. (arg[1] or 'Kael'))\n".to_owned(),
        ..Sent::default()
    };
    list(&visitor, &sent, None).await
}

pub(super) async fn make(visitor: Visitor, Form(sent): Form<Sent>) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    let name = sent.name.clone();
    match keep(&visitor, &name, Expected::Nothing, &sent).await {
        Ok(()) => Ok(Redirect::to(&format!("/scripts/{name}")).into_response()),
        Err(problem) => list(&visitor, &sent, Some(&problem)).await,
    }
}

async fn keep(
    visitor: &Visitor,
    name: &str,
    expected: Expected,
    sent: &Sent,
) -> Result<(), Problem> {
    // Browsers send line breaks of their own.
    let text = sent.script.replace("\r\n", "\n");
    store(&visitor.app, &visitor.scope, name, expected, text).await?;
    Ok(())
}

async fn list(visitor: &Visitor, sent: &Sent, problem: Option<&Problem>) -> Page {
    let scripts = all(&visitor.app, &visitor.scope).await?;
    let body = html! {
        div class="head" { h1 { "Scripts" } span class="soft" { "stored in " (visitor.scope.tenant.name) } }
        @if scripts.is_empty() {
            div class="card empty" {
                strong { "No scripts" }
                "Store one here, or with " code { "kael-host script put NAME FILE" }
            }
        } @else {
            div class="card scroll" { table {
                thead { tr { th { "Name" } th class="num" { "Version" } th class="wide" { "By" } th { "Changed" } } }
                tbody { @for script in &scripts { tr {
                    td { a class="name mono" href={ "/scripts/" (script.name) } { (script.name) } }
                    td class="num" { (script.version) }
                    td class="wide soft" { (script.by) }
                    td class="soft" { (time(&script.at)) }
                } } }
            } }
        }
        @if visitor.scope.caller.role >= Role::Manager {
            h2 { "New script" }
            (layout::refusal(problem))
            form method="post" action="/scripts" class="card pad" {
                input type="hidden" name="csrf" value=(visitor.csrf());
                div class="field" { label for="name" { "Name" } input id="name" name="name" required maxlength="100" value=(sent.name) placeholder="nightly"; }
                (editor::field(visitor, &sent.script))
                div class="row" { span class="grow" {} (editor::buttons()) button class="main" data-store title="Ctrl+S" { "Store" } }
            }
            (editor::beside())
        }
    };
    let status = status_of(problem);
    Ok((status, layout::page(visitor, "/scripts", "Scripts", &body)).into_response())
}

pub(super) async fn detail(
    visitor: Visitor,
    Path(name): Path<String>,
    Query(params): Query<VersionParams>,
) -> Page {
    visitor.scope.needs(Role::Viewer)?;
    let script = one(&visitor.app, &visitor.scope, &name, params.version).await?;
    page(&visitor, &script, None, None)
}

pub(super) async fn change(
    visitor: Visitor,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    let expected = Expected::Version(sent.version.into_iter().collect());
    match keep(&visitor, &name, expected, &sent).await {
        Ok(()) => Ok(Redirect::to(&format!("/scripts/{name}")).into_response()),
        Err(problem) => {
            let script = one(&visitor.app, &visitor.scope, &name, None).await?;
            page(&visitor, &script, Some(&sent), Some(&problem))
        }
    }
}

pub(super) async fn run(
    visitor: Visitor,
    Path(name): Path<String>,
    Form(sent): Form<Wanted>,
) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Submitter)?;
    let named = match sent.version {
        Some(version) => format!("{name}@{version}"),
        None => name,
    };
    let submit = Submit {
        name: Some(named),
        args: sent.args.split_whitespace().map(str::to_owned).collect(),
        ..Submit::default()
    };
    let new = new_run(&visitor.app, &visitor.scope, submit, "web").await?;
    let (run, _) = put(&visitor.app, &visitor.scope.tenant, new, None).await?;
    Ok(Redirect::to(&format!("/runs/{}", run.id)).into_response())
}

pub(super) async fn delete(
    visitor: Visitor,
    Path(name): Path<String>,
    Form(form): Form<Csrf>,
) -> Page {
    visitor.scope.caller.sent_form(&form.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    remove(&visitor.app, &visitor.scope, &name, Expected::Anything).await?;
    Ok(Redirect::to("/scripts").into_response())
}

fn page(
    visitor: &Visitor,
    script: &StoredScript,
    sent: Option<&Sent>,
    problem: Option<&Problem>,
) -> Page {
    let (shown, role) = (&script.shown, visitor.scope.caller.role);
    let newest = script
        .versions
        .first()
        .map_or(shown.version, |newest| newest.version);
    let at = format!("/scripts/{}", shown.name);
    let body = html! {
        div class="head" {
            h1 { (shown.name) }
            span class="soft" id="shown" { "version " (shown.version) " by " (shown.by) ", " (time(&shown.at)) }
            span class="badge queued" id="unstored" hidden { "not stored" }
            span class="grow" {}
            a class="button" href=(layout::address("/runs", &[("name", Some(&shown.name))])) { "Its runs" }
        }
        @if role >= Role::Submitter {
            form method="post" action={ (at) "/run" } class="card pad row" data-plain[role >= Role::Manager] {
                input type="hidden" name="csrf" value=(visitor.csrf());
                @if shown.version != newest { input type="hidden" name="version" value=(shown.version); }
                div class="field" { label for="args" { "Arguments" } input id="args" name="args" placeholder="--since 7d"; }
                button class="main" { "Run" @if shown.version != newest { " version " (shown.version) } }
            }
        }
        (layout::refusal(problem))
        @if role >= Role::Manager {
            form method="post" action=(at) class="card pad" data-name=(shown.name) data-shown=(shown.version) data-changed[sent.is_some()] {
                input type="hidden" name="csrf" value=(visitor.csrf());
                input type="hidden" name="version" value=(sent.and_then(|sent| sent.version).unwrap_or(newest));
                (editor::field(visitor, sent.map_or(&script.script, |sent| &sent.script)))
                div class="row" {
                    div class="field" data-with-editor hidden { label for="try-args" { "Arguments" } input id="try-args" name="args" placeholder="--since 7d"; }
                    span class="grow" {}
                    (editor::buttons())
                    button class="main" data-store title="Ctrl+S" { "Store as version " (newest + 1) }
                }
            }
            (editor::beside())
        } @else {
            div class="card" { pre class="code" tabindex="0" aria-label="Script" { (script.script) } }
        }
        div id="versions" {
        h2 { "Versions" small { (script.versions.len()) } }
        div class="card scroll" { table {
            thead { tr { th class="num" { "Version" } th { "By" } th { "Stored" } th class="wide" { "SHA-256" } } }
            tbody { @for version in &script.versions { tr {
                td class="num" { a href={ (at) "?version=" (version.version) } aria-current=[(version.version == shown.version).then_some("true")] { (version.version) } }
                td class="soft" { (version.by) }
                td class="soft" { (time(&version.at)) }
                td class="wide mono soft" { (version.digest.get(..16).unwrap_or(&version.digest)) }
            } } }
        } }
        }
        @if role >= Role::Manager {
            form method="post" action={ (at) "/delete" } class="row" {
                input type="hidden" name="csrf" value=(visitor.csrf());
                button class="danger" { "Delete the script with all versions" }
            }
        }
    };
    let status = status_of(problem);
    Ok((
        status,
        layout::page(visitor, "/scripts", &shown.name, &body),
    )
        .into_response())
}
