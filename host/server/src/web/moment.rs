//! The journal of a run as a slider through time: where its script was behind an entry, and what it had printed.

use axum::extract::{Path, Query};
use axum::response::IntoResponse as _;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::access::{Page, Visitor};
use super::excerpt::{excerpt, line_in};
use super::layout::{self, time};
use crate::api::moment::{Moment, last, moment};
use crate::api::runs::{find_whole, text_of};
use crate::tables::runs::RunRow;

/// Which entry.
#[derive(Deserialize)]
pub(super) struct At {
    at: Option<String>,
}

/// The journal alone, at an entry: what the slider loads, and the whole page without JavaScript.
pub(super) async fn show(visitor: Visitor, Path(id): Path<String>, Query(at): Query<At>) -> Page {
    let run = find_whole(&visitor.app, &visitor.scope, &id).await?;
    let at = at.at.unwrap_or_else(|| "last".to_owned());
    let moment = moment(&visitor.app, &visitor.scope.tenant, &run, &at).await?;
    let source = text_of(&visitor.app, &visitor.scope, &run).await?;
    let source = String::from_utf8_lossy(&source).into_owned();
    let body = html! {
        div class="head" {
            h1 { "Journal of " (run.name) }
            span class="grow" {}
            a class="button" href={ "/runs/" (run.id) } { "The run" }
        }
        (slider(&run, moment.seq, moment.last))
        (shown(&run, &moment, &source))
    };
    let title = format!("Journal of {}", run.name);
    Ok(layout::page(&visitor, "/runs", &title, &body).into_response())
}

/// The section of a run's page; nothing without a journal.
pub(super) async fn section(
    visitor: &Visitor,
    run: &RunRow,
) -> Result<Markup, super::access::PageError> {
    let last = last(&visitor.app, run).await?;
    Ok(html! {
        section id="journal" aria-label="Journal" { @if let Some(last) = last {
            h2 { "Journal" small { (last + 1) " entries" } }
            (slider(run, last, last))
            div id="moment" { p class="soft hint" { "The slider goes through the run: where its script was, its variables, and what it had printed." } }
        } }
    })
}

fn slider(run: &RunRow, at: u64, last: u64) -> Markup {
    let path = format!("/runs/{}/journal", run.id);
    html! {
        form method="get" action=(path) class="card pad slider" data-slider=(path) {
            label for="at" { "Entry" }
            input type="range" id="at" name="at" min="0" max=(last) value=(at) step="1";
            output for="at" { (at) " of " (last) }
            button { "Look" }
        }
    }
}

fn shown(run: &RunRow, moment: &Moment, source: &str) -> Markup {
    let (what, detail) = summary(&moment.entry);
    let line = moment
        .frames
        .iter()
        .find_map(|frame| line_in(frame, &run.name));
    html! {
        div id="moment" {
            div class="card pad entry" {
                span class="label" { (moment.entry["kind"].as_str().unwrap_or("entry")) }
                strong { (what) }
                span class="grow" {}
                span class="soft" { "entry " (moment.seq) ", " (time(&moment.at)) }
                @if let Some(detail) = detail { pre class="detail" tabindex="0" aria-label="Entry" { (detail) } }
            }
            @if let Some(ended) = &moment.ended { p class="note" { (ended) } }
            div class="split" {
                div {
                    h3 { "Where the script was" }
                    (frames(moment))
                    @if let Some(line) = line { div class="card here" { (excerpt(source, line)) } }
                }
                div {
                    h3 { "Output so far" @if moment.output_before > 0 { small { "behind " (layout::bytes(moment.output_before)) } } }
                    div class="card" { pre class="log" tabindex="0" aria-label="Output so far" { (moment.output) } }
                    @if !moment.variables.is_empty() {
                        h3 { "Variables" }
                        div class="card scroll" { table { tbody { @for (name, value) in &moment.variables { tr {
                            th scope="row" class="mono" { (name) }
                            td class="mono value" { (value) }
                        } } } } }
                    }
                }
            }
        }
    }
}

fn frames(moment: &Moment) -> Markup {
    if moment.frames.is_empty() {
        return html! { p class="soft" { "Nothing was running." } };
    }
    html! {
        ol class="card frames" { @for frame in &moment.frames { li {
            @match frame.split_once("; locals ") {
                None => { span class="mono" { (frame) } },
                Some((place, names)) => {
                    span class="mono" { (place) }
                    div class="sub" { @for name in names.split(", ") { span class="label mono" { (name) } } }
                },
            }
        } } }
    }
}

/// What an entry says, in a line, and what belongs to it.
fn summary(entry: &Value) -> (String, Option<String>) {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    let answer = |answer: &Value| match (answer["ok"].as_str(), answer["error"].as_str()) {
        (Some(ok), _) => (true, ok.to_owned()),
        (None, Some(error)) => (false, error.to_owned()),
        (None, None) => (true, answer.to_string()),
    };
    match text("kind") {
        "begin" => (format!("{} begins", text("name")), None),
        "turn" => {
            let count = entry["delivered"].as_array().map_or(0, Vec::len);
            let what = match (text("asked"), count) {
                ("", 1) => "an answer arrives".to_owned(),
                ("", count) => format!("{count} answers arrive"),
                (asked, 0) => format!("asks for {asked}"),
                (asked, _) => format!("asks for {asked}, and gets an answer"),
            };
            let delivered = entry["delivered"].as_array().into_iter().flatten();
            let own = delivered
                .filter_map(|one| one.get("answer"))
                .map(|one| answer(one).1);
            let own: Vec<_> = own.collect();
            (what, Some(own.join("\n")).filter(|own| !own.is_empty()))
        }
        "own" => (text("name").to_owned(), Some(answer(&entry["answer"]).1)),
        "prints" => (format!("prints {} bytes", entry["bytes"]), None),
        "intent" => (
            format!("{} is about to run", text("action")),
            Some(text("params").to_owned()),
        ),
        "outcome" => match answer(&entry["outcome"]) {
            (true, answer) => ("a call has answered".to_owned(), Some(answer)),
            (false, error) => ("a call has failed".to_owned(), Some(error)),
        },
        "wait" => ("a call waits".to_owned(), Some(entry["for"].to_string())),
        "resolve" => (format!("{} has settled a call in doubt", text("by")), None),
        "cancel" => (format!("{} cancels", text("by")), None),
        "takeover" => (
            "the run goes on in another process, or after a wait".to_owned(),
            None,
        ),
        "end" => (
            "the run ends".to_owned(),
            Some(text("text").to_owned()).filter(|text| !text.is_empty()),
        ),
        other => (other.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_are_told_in_a_line() {
        for (entry, what, detail) in [
            (
                json!({ "kind": "begin", "name": "a.lua" }),
                "a.lua begins",
                None,
            ),
            (
                json!({ "kind": "prints", "bytes": 7 }),
                "prints 7 bytes",
                None,
            ),
            (
                json!({ "kind": "intent", "action": "t.a", "params": "{}" }),
                "t.a is about to run",
                Some("{}"),
            ),
            (
                json!({ "kind": "outcome", "outcome": { "error": "no" } }),
                "a call has failed",
                Some("no"),
            ),
            (
                json!({ "kind": "turn", "asked": "", "delivered": [{ "id": 1, "at": 4 }] }),
                "an answer arrives",
                None,
            ),
            (json!({ "kind": "unreadable" }), "unreadable", None),
        ] {
            let told = summary(&entry);
            assert_eq!(
                (told.0.as_str(), told.1.as_deref()),
                (what, detail),
                "{entry}"
            );
        }
    }
}
