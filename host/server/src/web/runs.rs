//! The list of runs.

use axum::extract::Query;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use super::access::{Page, Visitor};
use super::layout::{self, badge, time, took};
use crate::api::runs::ListParams;
use crate::api::types::Run;
use crate::role::Role;
use crate::tables::runs;

/// Runs of one page.
const PAGE: i64 = 40;

pub(super) async fn home() -> Response {
    Redirect::to("/runs").into_response()
}

pub(super) async fn show(visitor: Visitor, Query(params): Query<ListParams>) -> Page {
    let filter = params.filter()?;
    let scoped = visitor.scope.scoped();
    let mut rows = visitor
        .app
        .store
        .read(move |tx| runs::list(tx, scoped, &filter, PAGE + 1))
        .await?;
    let more = rows.len() as i64 > PAGE;
    rows.truncate(usize::try_from(PAGE).unwrap_or(0));
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    let tenant = &visitor.scope.tenant.name;
    let all: Vec<Run> = rows.iter().map(|row| Run::of(row, tenant)).collect();
    let load = visitor.app.runner.fair().load(visitor.scope.tenant.id);
    let body = html! {
        div class="head" {
            h1 { "Runs" }
            span class="soft" { (load.running) " running · " (load.queued) " queued" }
            span class="grow" {}
            @if visitor.scope.caller.role >= Role::Submitter {
                a class="button main" href="/runs/new" { "New run" }
            }
        }
        (filters(&params))
        div id="runs" {
            (table(&all, &params))
            @if let Some(next) = next {
                div class="pages" { a class="button" href=(address(&params, params.state.as_deref(), Some(&next))) { "Older runs" } }
            }
        }
    };
    Ok(layout::page(&visitor, "/runs", "Runs", &body).into_response())
}

fn filters(params: &ListParams) -> Markup {
    let now = params.state.as_deref().unwrap_or("");
    html! {
        form class="filters" method="get" action="/runs" role="search" {
            div class="tabs" role="group" aria-label="State" {
                @for state in ["", "queued", "running", "waiting", "parked", "succeeded", "failed", "cancelled"] {
                    @let name = if state.is_empty() { "All" } else { state };
                    a href=(address(params, Some(state), None)) aria-current=[(state == now).then_some("true")] { (name) }
                }
            }
            @if !now.is_empty() { input type="hidden" name="state" value=(now); }
            @if let Some(origin) = &params.origin { input type="hidden" name="origin" value=(origin); }
            input name="name" placeholder="Script" aria-label="Script" value=(params.name.as_deref().unwrap_or(""));
            input name="label" placeholder="Label key=value" aria-label="Label" value=(params.label.as_deref().unwrap_or(""));
            button { "Filter" }
        }
    }
}

/// The address of the list with a filter.
fn address(params: &ListParams, state: Option<&str>, cursor: Option<&str>) -> String {
    let parts = [
        ("state", state),
        ("name", params.name.as_deref()),
        ("label", params.label.as_deref()),
        ("origin", params.origin.as_deref()),
        ("cursor", cursor),
    ];
    layout::address("/runs", &parts)
}

fn table(all: &[Run], params: &ListParams) -> Markup {
    if all.is_empty() {
        let filtered = params
            .state
            .as_deref()
            .is_some_and(|state| !state.is_empty())
            || params.name.as_deref().is_some_and(|name| !name.is_empty())
            || params
                .label
                .as_deref()
                .is_some_and(|label| !label.is_empty());
        return html! {
            div class="card empty" {
                @if filtered {
                    strong { "No run passes this filter" }
                    a href="/runs" { "Show all runs" }
                } @else {
                    strong { "No runs yet" }
                    "Submit one here, or with " code { "kael-host submit script.lua" }
                }
            }
        };
    }
    html! {
        div class="card scroll" {
            table {
                thead { tr {
                    th { "Script" } th { "State" } th class="wide" { "Submitted" } th class="wide" { "By" } th class="num" { "Took" }
                } }
                tbody {
                    @for run in all {
                        tr {
                            td {
                                a class="name" href={ "/runs/" (run.id) } { (run.name) }
                                div class="sub" {
                                    span class="mono" { (run.id.get(..13).unwrap_or(&run.id)) }
                                    " "
                                    @for (key, value) in run.labels.iter().take(3) { span class="label" { (key) "=" (value) } }
                                }
                            }
                            td { (badge(&run.state, run.reason.as_deref())) }
                            td class="wide soft" { (time(&run.created)) }
                            td class="wide by" { (run.submitter) div class="sub" { (run.origin) } }
                            td class="num" { @if let Some(usage) = &run.usage { (took(usage.wall_ms)) } @else { "–" } }
                        }
                    }
                }
            }
        }
    }
}
