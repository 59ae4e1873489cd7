//! One run: its state, its output as it comes, its calls over time, its error with the place in the
//! script, and what it showed.

use axum::Form;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect};
use maud::{Markup, html};
use serde_json::Value;

use super::access::{Csrf, Page, Visitor};
use super::approvals::card;
use super::layout::{self, badge, bytes, time, took};
use super::moment;
use crate::api::approvals::{Approval, open};
use crate::api::calls::calls_of;
use crate::api::cancel::cancel_run;
use crate::api::runs::{find, is_whole, removed, text_of};
use crate::api::types::{Run, RunError};
use crate::api::waits::resume_run;
use crate::event::{Event, Kind};
use crate::role::Role;
use crate::tables::events;

/// Bytes of output that the page begins with.
const MAX_OUTPUT: usize = 1 << 20;
/// Calls and report items of one page.
const MAX_CALLS: usize = 200;
const MAX_ITEMS: i64 = 50;
/// Lines around the place of an error.
const AROUND: usize = 3;

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Page {
    let row = find(&visitor.app, &visitor.scope, &id).await?;
    let run = Run::of(&row, &visitor.scope.tenant.name);
    let source = text_of(&visitor.app, &visitor.scope, &row)
        .await
        .unwrap_or_default();
    let source = String::from_utf8_lossy(&source).into_owned();
    let id = row.id;
    // The output up to one event: the script goes on behind it.
    let (last, output, items) = visitor
        .app
        .store
        .read(move |tx| {
            let last = events::last(tx, &id)?;
            let output = events::output(tx, &id, 0, 64)?;
            let items = events::of_kind(tx, &id, Kind::Report, MAX_ITEMS)?;
            Ok((last, output, items))
        })
        .await?;
    let mut text = Vec::new();
    for (_, piece) in output {
        text.extend_from_slice(&piece);
    }
    let cut = text.len() > MAX_OUTPUT || last.is_some_and(|(_, offset)| offset > text.len() as i64);
    text.truncate(MAX_OUTPUT);
    let calls = calls_of(&visitor.app, id).await?;
    let calls: Vec<Value> = calls
        .iter()
        .filter_map(|call| serde_json::from_str(call).ok())
        .collect();
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
            (facts(&visitor, &run, &asked, (&calls, &items, &source)))
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

/// All that changes while the run runs, but its output.
fn facts(
    visitor: &Visitor,
    run: &Run,
    asked: &[Approval],
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
                @if run.state == "waiting" { (fact("Waits for", html! { (run.reason.as_deref().unwrap_or("")) })) }
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

fn error_card(run: &Run, error: &RunError, source: &str) -> Markup {
    let places =
        std::iter::once(error.message.as_str()).chain(error.traceback.iter().map(String::as_str));
    let line = places.into_iter().find_map(|text| line_in(text, &run.name));
    html! {
        section class="card error" aria-label="Error" {
            div class="what" { (error.message) }
            @if !error.traceback.is_empty() || error.hint.is_some() {
                div class="more" {
                    @if !error.traceback.is_empty() {
                        div class="mono" { @for frame in &error.traceback { div { (frame) } } }
                    }
                    @if let Some(hint) = &error.hint { div class="hint" { "Hint: " (hint) } }
                }
            }
            @if let Some(line) = line { (excerpt(source, line)) }
        }
    }
}

/// The number of the line that a text names of a script. Lua leaves out the beginning of a long name.
pub(super) fn line_in(text: &str, name: &str) -> Option<usize> {
    let rest = match text.split_once(&format!("{name}:")) {
        Some((_, rest)) => rest,
        None => {
            let (end, rest) = text.trim_start().strip_prefix("...")?.split_once(':')?;
            (end.len() > 8 && name.ends_with(end)).then_some(rest)?
        }
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|line| *line > 0)
}

/// The lines around the place of an error.
pub(super) fn excerpt(source: &str, at: usize) -> Markup {
    let first = at.saturating_sub(AROUND + 1);
    let lines = source.lines().enumerate().skip(first).take(2 * AROUND + 1);
    html! {
        pre class="code excerpt" {
            @for (index, line) in lines {
                b class=[(index + 1 == at).then_some("at")] { i { (index + 1) } (line) "\n" }
            }
        }
    }
}

/// The calls, one a row, each with its place in the time of the run.
fn timeline(calls: &[Value], run_waits: bool) -> Markup {
    let micros = |call: &Value| {
        call["started"]
            .as_str()
            .and_then(|text| crate::time::parse(text).ok())
            .unwrap_or(0)
    };
    let first = calls.iter().map(&micros).min().unwrap_or(0);
    let end =
        |call: &Value| (micros(call) - first) as f64 / 1000.0 + call["ms"].as_f64().unwrap_or(0.0);
    let whole = calls.iter().map(end).fold(1.0, f64::max);
    let mut ordered: Vec<&Value> = calls.iter().collect();
    ordered.sort_by_key(|call| call["call"].as_u64());
    html! {
        h2 { "Calls" small { (calls.len()) } }
        div class="card scroll" {
            table {
                thead { tr { th { "Action" } th { "Outcome" } th class="wide" { "Time" } th class="num" { "Took" } } }
                tbody {
                    @for call in ordered.iter().take(MAX_CALLS) {
                        @let outcome = call["outcome"].as_str();
                        @let start = (micros(call) - first) as f64 / 1000.0;
                        @let width = (call["ms"].as_f64().unwrap_or(whole - start) / whole * 1000.0).max(4.0);
                        @let class = match outcome { None => "busy", Some("ok" | "journaled") => "", Some(_) => "bad" };
                        tr {
                            td {
                                span class="name" { (call["action"].as_str().unwrap_or("")) }
                                @if let Some(rule) = call["decision"]["rule"].as_str() { div class="sub" { (rule) } }
                            }
                            td { @match outcome {
                                None if run_waits => { (badge("waiting", None)) },
                                None => { (badge("running", None)) },
                                Some("ok") => { span class="badge succeeded" { "ok" } },
                                Some("journaled") => { span class="badge" title="The server died before it had written how the call ended; the journal of the run has it" { "journaled" } },
                                Some(outcome) => { span class="badge failed" { (outcome) } },
                            } }
                            td class="wide" {
                                svg class="line" viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true" {
                                    rect class=(class) x=(format!("{:.1}", start / whole * 1000.0)) y="3" width=(format!("{width:.1}")) height="8" rx="3" {}
                                }
                            }
                            td class="num" { @match call["ms"].as_f64() { Some(ms) => { (took(ms)) }, None => { "–" } } }
                        }
                    }
                }
            }
        }
        @if calls.len() > MAX_CALLS { p class="soft" { "and " (calls.len() - MAX_CALLS) " more" } }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_error_is_found_and_shown() {
        assert_eq!(line_in("report.lua:12: no luck", "report.lua"), Some(12));
        assert_eq!(
            line_in("  report.lua:3: in function 'x'", "report.lua"),
            Some(3)
        );
        assert_eq!(line_in("other.lua:3: x", "report.lua"), None);
        assert_eq!(line_in("report.lua:x", "report.lua"), None);
        let long = "the-report-of-all-that-was.lua";
        assert_eq!(line_in("...of-all-that-was.lua:7: no", long), Some(7));
        assert_eq!(line_in("...of-nothing-that-was.lua:7: no", long), None);
        let shown = excerpt("a\nb\n<c>\nd\n", 3).into_string();
        assert!(
            shown.contains("<b class=\"at\"><i>3</i>&lt;c&gt;"),
            "{shown}"
        );
    }
}
