//! One run: its state, its output as it comes, its calls over time, its error with the place in the
//! script, and what it showed.

use axum::Form;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect};
use kael_store::{StoreError, Tx};
use maud::{Markup, html};
use serde_json::Value;

use super::access::{Csrf, Page, Visitor};
use super::approvals::card;
use super::excerpt::error_card;
use super::layout::{self, badge, bytes, time, took};
use super::moment;
use super::timeline::timeline;
use crate::api::approvals::{Approval, open};
use crate::api::calls::calls_of;
use crate::api::cancel::cancel_run;
use crate::api::runs::{find, is_whole, removed, text_of};
use crate::api::types::Run;
use crate::api::waits::resume_run;
use crate::event::{Event, Kind};
use crate::id::Id;
use crate::role::Role;
use crate::tables::events;

/// Bytes of output that the page begins with.
const MAX_OUTPUT: usize = 1 << 20;
/// Pieces of output that are read at once.
const PIECES: i64 = 64;
/// Report items of one page.
const MAX_ITEMS: i64 = 50;

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Page {
    let row = find(&visitor.app, &visitor.scope, &id).await?;
    let run = Run::of(&row, &visitor.scope.tenant.name);
    let source = text_of(&visitor.app, &visitor.scope, &row)
        .await
        .unwrap_or_default();
    let source = String::from_utf8_lossy(&source).into_owned();
    let id = row.id;
    // The output up to one event: the script goes on behind it.
    let (last, newest, output, items) = visitor
        .app
        .store
        .read(move |tx| {
            let last = events::last(tx, &id)?;
            let newest = last.map_or(Ok(Vec::new()), |(seq, _)| {
                events::after(tx, &id, seq - 1, 1)
            })?;
            let output = printed(tx, &id)?;
            let items = events::of_kind(tx, &id, Kind::Report, MAX_ITEMS)?;
            Ok((last, newest, output, items))
        })
        .await?;
    let mut text = output;
    let cut = text.len() > MAX_OUTPUT || last.is_some_and(|(_, offset)| offset > text.len() as i64);
    text.truncate(MAX_OUTPUT);
    let calls = calls_of(&visitor.app, id).await?;
    let calls: Vec<Value> = calls
        .iter()
        .filter_map(|call| serde_json::from_str(call).ok())
        .collect();
    // The newest event of a run that waits says until when.
    let newest = newest
        .first()
        .map(|event| serde_json::from_slice::<Value>(&event.body));
    let until = newest.and_then(|event| Some(event.ok()?["until"].as_str()?.to_owned()));
    let asked = open(&visitor.app, &visitor.scope, Some(row.id)).await?;
    let is_whole = is_whole(&visitor.app, &row).await?;
    let journal = if is_whole {
        moment::section(&visitor, &row).await?
    } else {
        html! {}
    };
    let after = last.map_or_else(String::new, |(seq, offset)| format!("{seq}-{offset}"));
    let body = html! {
        div data-run=(run.id) data-state=(run.state) data-after=(after) {
            (facts(&visitor, &run, &asked, until.as_deref(), (&calls, &items, &source)))
            @if !is_whole { p class="card soft" id="removed" { (removed(&visitor.scope)) } }
            h2 { "Output" @if cut { small { "the beginning; " a href={ "/v1/runs/" (run.id) "/output" } { "all of it" } } } }
            div class="card" {
                pre class="log" id="log" tabindex="0" aria-label="Output" role="log" { (String::from_utf8_lossy(&text)) }
            }
            (journal)
            h2 { "Script" small { (run.name) } }
            div class="card" { pre class="code" tabindex="0" aria-label="Script" { (source) } }
        }
    };
    Ok(layout::page(&visitor, "/runs", &run.name, &body).into_response())
}

/// What a run has printed, up to a little more than the page shows.
fn printed(tx: &Tx<'_>, run: &Id) -> Result<Vec<u8>, StoreError> {
    let (mut text, mut from) = (Vec::new(), 0);
    loop {
        let pieces = events::output(tx, run, from, PIECES)?;
        let is_all = (pieces.len() as i64) < PIECES;
        for (end, piece) in pieces {
            from = end;
            text.extend_from_slice(&piece);
        }
        if is_all || text.len() > MAX_OUTPUT {
            return Ok(text);
        }
    }
}

/// All that changes while the run runs, but its output.
fn facts(
    visitor: &Visitor,
    run: &Run,
    asked: &[Approval],
    until: Option<&str>,
    (calls, items, source): (&[Value], &[Event], &str),
) -> Markup {
    let is_over = run.ended.is_some();
    html! {
        div id="facts" {
            div class="head" {
                h1 { (run.name) }
                (badge(&run.state, run.reason.as_deref()))
                span class="grow" {}
                @if run.state == "parked" && run.reason.as_deref() != Some("in_doubt") && visitor.scope.caller.role >= Role::Submitter {
                    form method="post" action={ "/runs/" (run.id) "/resume" } {
                        input type="hidden" name="csrf" value=(visitor.csrf());
                        button class="main" { "Go on" }
                    }
                }
                @if !is_over && visitor.scope.caller.role >= Role::Submitter {
                    form method="post" action={ "/runs/" (run.id) "/cancel" } {
                        input type="hidden" name="csrf" value=(visitor.csrf());
                        button class="danger" { "Cancel run" }
                    }
                }
            }
            @if let Some(error) = &run.error { (error_card(run, error, source)) }
            @for one in asked { (card(visitor, one, false)) }
            dl class="card facts" {
                (broad("Run", html! { span class="mono" { (run.id) } }))
                (fact("Submitted", time(&run.created)))
                (fact("By", html! { (run.submitter) " · " (run.origin) }))
                @if let Some(status) = &run.status { (fact("Status", html! { (status) })) }
                @if run.state == "waiting" {
                    (fact("Waits for", html! { (run.reason.as_deref().unwrap_or("")) }))
                    @if let Some(until) = until { (fact("Until", time(until))) }
                }
                @if let Some(parent) = &run.parent { (fact("Started by", html! { a class="mono" href={ "/runs/" (parent) } { (parent) } })) }
                @if let Some(started) = &run.started { (fact("Started", time(started))) }
                @if let Some(usage) = &run.usage {
                    (fact("Took", html! { (took(usage.wall_ms)) }))
                    (fact("Computed", html! { (took(usage.cpu_ms)) }))
                    (fact("Memory", html! { (bytes(usage.memory_bytes)) }))
                }
                @if let Some(code) = run.exit_code { (fact("Exit code", html! { (code) })) }
                @if !run.args.is_empty() { (fact("Arguments", html! { span class="mono" { (run.args.join(" ")) } })) }
                @if !run.labels.is_empty() {
                    (fact("Labels", html! { @for (key, value) in &run.labels { span class="label" { (key) "=" (value) } } }))
                }
            }
            @if !calls.is_empty() { (timeline(calls, run.state == "waiting")) }
            @for item in items { (report_item(item)) }
        }
    }
}

fn fact(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// One that needs more room.
fn broad(name: &str, value: Markup) -> Markup {
    html! { div class="broad" { dt { (name) } dd { (value) } } }
}

/// A table, or the points of a chart, that the run showed.
fn report_item(event: &Event) -> Markup {
    let Ok(item) = serde_json::from_slice::<Value>(&event.body) else {
        return html! {};
    };
    let table = &item["table"];
    if table.is_object() {
        let columns = table["columns"].as_array().cloned().unwrap_or_default();
        let class = |at: usize| {
            columns
                .get(at)
                .is_some_and(|column| column["right"] == true)
                .then_some("num")
        };
        return html! {
            h2 { (table["title"].as_str().unwrap_or("Table")) }
            div class="card scroll" { table {
                thead { tr { @for (at, column) in columns.iter().enumerate() { th class=[class(at)] { (column["title"].as_str().unwrap_or("")) } } } }
                tbody { @for row in table["rows"].as_array().into_iter().flatten() {
                    tr { @for (at, cell) in row.as_array().into_iter().flatten().enumerate() { td class=[class(at)] { (cell.as_str().unwrap_or("")) } } }
                } }
            } }
            @if let Some(more) = table["more"].as_u64().filter(|more| *more > 0) { p class="soft" { "and " (more) " more rows" } }
        };
    }
    super::chart::figure(&item["chart"])
}

pub(super) async fn cancel(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<Csrf>,
) -> Page {
    visitor.scope.caller.sent_form(&form.csrf)?;
    visitor.scope.needs(Role::Submitter)?;
    let run = find(&visitor.app, &visitor.scope, &id).await?;
    let run = cancel_run(&visitor.app, &visitor.scope, run, None).await?;
    Ok(Redirect::to(&format!("/runs/{}", run.id)).into_response())
}

pub(super) async fn resume(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<Csrf>,
) -> Page {
    visitor.scope.caller.sent_form(&form.csrf)?;
    visitor.scope.needs(Role::Submitter)?;
    let run = find(&visitor.app, &visitor.scope, &id).await?;
    resume_run(&visitor.app, &visitor.scope, &run, None).await?;
    Ok(Redirect::to(&format!("/runs/{}", run.id)).into_response())
}
