//! The calls of a run over its time.

use maud::{Markup, html};
use serde_json::Value;

use super::layout::{badge, took};

/// Calls of one page.
const MAX_CALLS: usize = 200;

/// The calls, one a row, each with its place in the time of the run.
pub(super) fn timeline(calls: &[Value], run_waits: bool) -> Markup {
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
