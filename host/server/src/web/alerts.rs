//! Alerts of rules: the list, and one with its events.

use axum::extract::{Path, Query};
use axum::response::IntoResponse as _;
use maud::{Markup, html};
use serde_json::Value;

use super::access::{Page, Visitor};
use super::layout::{self, time};
use crate::api::alerts::{Alert, AlertParams, one, page};
use crate::role::Role;

pub(super) async fn show(visitor: Visitor, Query(params): Query<AlertParams>) -> Page {
    visitor.scope.needs(Role::Viewer)?;
    let alerts = page(&visitor.app, &visitor.scope, &params).await?;
    let (rule, severity) = (
        params.rule.as_deref().unwrap_or_default(),
        params.severity.as_deref().unwrap_or_default(),
    );
    let body = html! {
        div class="head" { h1 { "Alerts" } span class="soft" { "what rules have found" } }
        form method="get" action="/alerts" class="card pad row" {
            div class="field" { label for="rule" { "Rule" } input id="rule" name="rule" value=(rule) maxlength="128" placeholder="any"; }
            div class="field" { label for="severity" { "Severity" } select id="severity" name="severity" {
                option value="" { "any" }
                @for name in ["Low", "Medium", "High", "Critical"] {
                    option value=(name) selected[name == severity] { (name) @if name != "Critical" { " and above" } }
                }
            } }
            div class="field" { button class="button" type="submit" { "Show" } }
        }
        @if alerts.alerts.is_empty() {
            div class="card empty" {
                strong { "No alerts" }
                p { "Rules send theirs with " code { "kael-host rules run DIR --server" } "." }
            }
        } @else {
            div class="card scroll" { table {
                thead { tr { th { "When" } th { "Severity" } th class="wide" { "Alert" } th { "Rule" } } }
                tbody { @for alert in &alerts.alerts { tr {
                    td class="soft" { (time(&alert.at)) }
                    td { (badge(alert.severity)) }
                    td class="wide" { a href={ "/alerts/" (alert.id) } { (alert.title) } }
                    td class="mono" { (alert.rule) }
                } } }
            } }
            @if let Some(next) = &alerts.next { div class="pages" {
                a class="button" href=(older(rule, severity, next)) { "Older" }
            } }
        }
    };
    Ok(layout::page(&visitor, "/alerts", "Alerts", &body).into_response())
}

fn older(rule: &str, severity: &str, next: &str) -> String {
    let query = [
        ("rule", Some(rule)),
        ("severity", Some(severity)),
        ("cursor", Some(next)),
    ];
    layout::address("/alerts", &query)
}

pub(super) async fn detail(visitor: Visitor, Path(id): Path<String>) -> Page {
    visitor.scope.needs(Role::Viewer)?;
    let alert = one(&visitor.app, &visitor.scope, &id).await?;
    let events = alert.alert["events"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let text = |key: &str| alert.alert[key].as_str().unwrap_or_default().to_owned();
    let body = html! {
        div class="head" { h1 { (alert.title) } (badge(alert.severity)) span class="soft" { (time(&alert.at)) } }
        div class="card pad" {
            (facts(&alert))
            @let description = text("description");
            @if !description.is_empty() { p { (description) } }
        }
        @let captures = &alert.alert["context"]["captures"];
        @if !captures.is_null() { h2 { "Captures" } (table(captures)) }
        @for event in &events {
            h2 { (event["event_type"].as_str().unwrap_or("event")) " " span class="soft" { "event " (event["seq"]) } }
            (table(&event["fields"]))
        }
    };
    Ok(layout::page(&visitor, "/alerts", &alert.title, &body).into_response())
}

fn facts(alert: &Alert) -> Markup {
    let version = alert.alert["rule_version"].as_str().unwrap_or_default();
    let count = alert.alert["context"]["count"].as_u64().unwrap_or(1);
    html! {
        p { "Rule " a class="mono" href=(layout::address("/alerts", &[("rule", Some(&alert.rule))])) { (alert.rule) } " " span class="soft" { (version) }
            @if count > 1 { ", " (count) " matches" } }
    }
}

/// A JSON object as a table of its keys.
fn table(value: &Value) -> Markup {
    let entries = value.as_object().cloned().unwrap_or_default();
    html! {
        div class="card scroll" { table { tbody { @for (key, value) in &entries { tr {
            th scope="row" class="mono" { (key) }
            td class="wide mono" { @match value { Value::String(text) => (text), other => (other.to_string()) } }
        } } } } }
    }
}

fn badge(severity: &str) -> Markup {
    let class = match severity {
        "Critical" | "High" => "badge failed",
        "Medium" => "badge queued",
        _ => "badge",
    };
    html! { span class=(class) { (severity) } }
}
