//! Calls that wait for a person: what exactly would run, what differs from the last that was approved, and the two
//! buttons.

use axum::Form;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::access::{Page, Visitor};
use super::layout::{self, time};
use crate::api::approvals::{Approval, Decide, decide_call, open};
use crate::role::Role;

pub(super) async fn show(visitor: Visitor) -> Page {
    let open = open(&visitor.app, &visitor.scope, None).await?;
    let body = html! {
        div class="head" { h1 { "Approvals" } span class="soft" { "calls that wait for a person" } }
        div id="runs" {
            @if open.is_empty() {
                div class="card empty" {
                    strong { "No call waits" }
                    p { "A policy asks for approvals with " code { "approve:" } "." }
                }
            }
            @for one in &open { (card(&visitor, one, true)) }
        }
    };
    Ok(layout::page(&visitor, "/approvals", "Approvals", &body).into_response())
}

/// One call, with what is needed to decide.
pub(super) fn card(visitor: &Visitor, one: &Approval, with_run: bool) -> Markup {
    let may_decide = visitor.scope.caller.role >= Role::Approver;
    let path = format!("/runs/{}/calls/{}/decision", one.run, one.call);
    html! {
        section class="card ask" aria-label={ "Approval of " (one.action) } {
            div class="what" {
                strong class="mono" { (one.action) }
                span class="soft" {
                    "call " (one.call)
                    @if with_run { " of " a href={ "/runs/" (one.run) } { (one.script) } }
                    ", submitted by " (one.submitter) ", asked " (time(&one.asked))
                }
            }
            (parameters(&one.params, one.last_approved.as_ref()))
            div class="more" {
                @for rule in &one.rules { div { (rule) } }
                @if one.count > 1 {
                    div { (one.approved_by.len()) " of " (one.count) " people have approved it"
                        @if !one.approved_by.is_empty() { ": " (one.approved_by.join(", ")) } }
                }
                @if one.not_submitter { div class="soft" { "Not by " (one.submitter) ", who submitted the run" } }
                @for role in &one.roles { div class="soft" { "By people with the role " (role) } }
                @if let Some(until) = &one.until { div class="soft" { "Until " (time(until)) } }
                @if may_decide {
                    form method="post" action=(path) class="row" {
                        input type="hidden" name="csrf" value=(visitor.csrf());
                        input type="hidden" name="digest" value=(one.digest);
                        input name="note" maxlength="1000" placeholder="Note (optional)" aria-label="Note";
                        button class="main" name="approve" value="yes" { "Approve" }
                        button class="danger" name="approve" value="no" { "Deny" }
                    }
                } @else {
                    p class="soft" { "The role approver decides." }
                }
            }
        }
    }
}

/// The parameters, beside those that were last approved where they differ.
fn parameters(now: &Value, before: Option<&Value>) -> Markup {
    let (Value::Object(now), before) = (now, before.and_then(Value::as_object)) else {
        return html! { pre class="code" { (now) } };
    };
    let gone = before.into_iter().flatten();
    let gone = gone.filter(|(key, _)| !now.contains_key(*key));
    html! {
        div class="scroll" { table {
            thead { tr { th { "Parameter" } th class="wide" { "Now" } @if before.is_some() { th class="wide" { "Last approved" } } } }
            tbody {
                @for (key, value) in now {
                    @let old = before.and_then(|before| before.get(key));
                    @let differs = before.is_some() && old != Some(value);
                    tr class=[differs.then_some("differs")] {
                        th scope="row" class="mono" { (key) }
                        td class="mono" { (text(value)) }
                        @if before.is_some() { td class="mono soft" { @match old { Some(old) if differs => (text(old)), Some(_) => "the same", None => "–" } } }
                    }
                }
                @for (key, value) in gone {
                    tr class="differs" { th scope="row" class="mono" { (key) } td { "–" } td class="mono soft" { (text(value)) } }
                }
            }
        } }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What the buttons send.
#[derive(Deserialize)]
pub(super) struct Decided {
    #[serde(default)]
    csrf: String,
    digest: String,
    approve: String,
    #[serde(default)]
    note: String,
}

pub(super) async fn decide(
    visitor: Visitor,
    Path((id, call)): Path<(String, u64)>,
    Form(form): Form<Decided>,
) -> Page {
    visitor.scope.caller.sent_form(&form.csrf)?;
    let note = Some(form.note.trim().to_owned()).filter(|note| !note.is_empty());
    let decision = Decide {
        digest: form.digest,
        approve: form.approve == "yes",
        note,
    };
    decide_call(&visitor.app, &visitor.scope, &id, call, decision).await?;
    Ok(Redirect::to(&format!("/runs/{id}")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_from_the_last_approval_stands_out() {
        let now = json!({ "app": "web", "replicas": 20, "env": "<prod>" });
        let before = json!({ "app": "web", "replicas": 10, "force": true });
        let shown = parameters(&now, Some(&before)).into_string();
        assert_eq!(shown.matches("class=\"differs\"").count(), 3, "{shown}");
        assert!(
            shown.contains("&lt;prod&gt;") && shown.contains("the same"),
            "{shown}"
        );
        let alone = parameters(&now, None).into_string();
        assert!(!alone.contains("differs") && !alone.contains("Last approved"));
    }
}
