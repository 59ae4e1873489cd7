//! What the pages of those who have signed in have around them.

use axum::http::StatusCode;
use axum::response::Html;
use kael_engine::text::percent_encoded;
use maud::{DOCTYPE, Markup, html};

use super::access::Visitor;
use super::alone::{brand, head};
use crate::problem::Problem;
use crate::role::Role;

/// The pages that the navigation lists: path, name, and the role that it needs.
const PAGES: [(&str, &str, Role); 11] = [
    ("/runs", "Runs", Role::Viewer),
    ("/approvals", "Approvals", Role::Viewer),
    ("/scripts", "Scripts", Role::Viewer),
    ("/schedules", "Schedules", Role::Viewer),
    ("/webhooks", "Webhooks", Role::Manager),
    ("/catalog", "Actions", Role::Viewer),
    ("/alerts", "Alerts", Role::Viewer),
    ("/secrets", "Secrets", Role::Manager),
    ("/tokens", "Tokens", Role::Manager),
    ("/audit", "Audit", Role::Manager),
    ("/tenants", "Tenants", Role::Operator),
];

/// A page of somebody who has signed in.
pub(super) fn page(visitor: &Visitor, path: &str, title: &str, body: &Markup) -> Html<String> {
    let caller = &visitor.scope.caller;
    let tenants = match caller.tenant {
        None => visitor.app.tenants.all(),
        Some(_) => Vec::new(),
    };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head { (head(title)) }
            body {
                a class="skip" href="#content" { "Skip to the content" }
                header class="side" {
                    a class="brand" href="/runs" { (brand()) }
                    nav aria-label="Pages" {
                        @for (to, name, role) in PAGES {
                            @if caller.role >= role {
                                a href=(to) aria-current=[(to == path).then_some("page")] { (name) }
                            }
                        }
                    }
                    div class="who" {
                        @if tenants.len() > 1 {
                            form method="post" action="/tenants/choose" {
                                input type="hidden" name="csrf" value=(visitor.csrf());
                                select name="tenant" aria-label="Tenant" data-send {
                                    @for tenant in &tenants {
                                        option value=(tenant.name) selected[tenant.id == visitor.scope.tenant.id] { (tenant.name) }
                                    }
                                }
                                noscript { button { "Choose" } }
                            }
                        } @else {
                            span class="wide" { (visitor.scope.tenant.name) }
                        }
                        span class="wide" { strong { (caller.name) } br; (caller.role) }
                        form method="post" action="/logout" {
                            input type="hidden" name="csrf" value=(visitor.csrf());
                            button class="plain" { "Sign out" }
                        }
                    }
                }
                main id="content" { (body) }
            }
        }
    };
    Html(markup.into_string())
}

/// The state of a run.
pub(super) fn badge(state: &str, reason: Option<&str>) -> Markup {
    html! {
        span class={ "badge " (state) } {
            (state)
            @if let (Some(reason), "failed" | "parked") = (reason.filter(|reason| *reason != "failed"), state) { " · " (reason) }
        }
    }
}

/// A time, with the whole of it for those who point at it. It breaks between its day and its hour alone.
pub(super) fn time(text: &str) -> Markup {
    let shown = text.get(..19).unwrap_or(text);
    let (day, hour) = shown.split_once('T').unwrap_or((shown, ""));
    html! { time datetime=(text) title=(text) { span { (day) } " " span { (hour) } } }
}

/// A length of time as people say it.
pub(super) fn took(millis: f64) -> String {
    match millis {
        millis if millis < 1.0 => format!("{millis:.1} ms"),
        millis if millis < 1000.0 => format!("{millis:.0} ms"),
        millis if millis < 60_000.0 => format!("{:.1} s", millis / 1000.0),
        millis if millis < 3_600_000.0 => format!("{:.1} min", millis / 60_000.0),
        millis => format!("{:.1} h", millis / 3_600_000.0),
    }
}

/// A number of bytes as people say it.
pub(super) fn bytes(bytes: u64) -> String {
    kael_engine::units::ByteSize::new(bytes).to_string()
}

/// A path with what is known of its query.
pub(super) fn address(path: &str, query: &[(&str, Option<&str>)]) -> String {
    let parts = query.iter().filter_map(|(key, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(format!("{key}={}", percent_encoded(value)))
    });
    format!("{path}?{}", parts.collect::<Vec<_>>().join("&"))
}

/// What a form could not do, above it.
pub(super) fn refusal(problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem {
            div class="note bad" role="alert" { (problem.detail) @if let Some(hint) = &problem.hint { " — " (hint) } }
        }
    }
}

/// The status of a page with what a form could not do.
pub(super) fn status_of(problem: Option<&Problem>) -> StatusCode {
    let status = problem.and_then(|problem| StatusCode::from_u16(problem.status).ok());
    status.unwrap_or(StatusCode::OK)
}

/// A button that sends a form of its own. `of` is what it is about, for those who do not see its place.
pub(super) fn button(visitor: &Visitor, to: &str, class: &str, what: &str, of: &str) -> Markup {
    html! {
        form method="post" action=(to) {
            input type="hidden" name="csrf" value=(visitor.csrf());
            button class=(class) aria-label={ (what) " " (of) } { (what) }
        }
    }
}

/// A secret, which is shown once, and what is said of it.
pub(super) fn shown_once(what: &str, secret: &str, more: &Markup) -> Markup {
    html! {
        div class="note" role="status" {
            strong { (what) " is shown once:" }
            pre tabindex="0" { (secret) }
            (more)
        }
    }
}

/// A link to a stored script, which is named `NAME` or `NAME@VERSION`.
pub(super) fn script_link(reference: &str) -> Markup {
    let (name, version) = match reference.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (reference, None),
    };
    let to = match version {
        Some(version) => address(&format!("/scripts/{name}"), &[("version", Some(version))]),
        None => format!("/scripts/{name}"),
    };
    html! { a class="mono" href=(to) { (reference) } }
}
