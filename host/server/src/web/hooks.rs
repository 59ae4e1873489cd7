//! Webhooks: those that come in and run a stored script, and those that go out, which subscriptions send.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::{Csrf, Page, Visitor};
use super::layout::{self, button, status_of, time};
use crate::api::hooks::{self, Hook, MadeHook, NewHook};
use crate::api::subscriptions::{self, MadeSubscription, NewSubscription, Subscription};
use crate::deliveries::EVENTS;
use crate::problem::Problem;
use crate::role::Role;

/// What one of the two forms sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    csrf: String,
    name: String,
    script: String,
    url: String,
    /// The events that are chosen, each by its name.
    #[serde(flatten)]
    chosen: BTreeMap<String, String>,
}

impl Sent {
    fn wants(&self, event: &str) -> bool {
        self.chosen.contains_key(event)
    }
}

/// What the page says above its lists.
enum Told<'a> {
    Nothing,
    Hook(&'a MadeHook),
    Subscription(&'a MadeSubscription),
    Refused(&'a Problem),
}

pub(super) async fn show(visitor: Visitor) -> Page {
    visitor.scope.needs(Role::Manager)?;
    page(&visitor, &Sent::default(), &Told::Nothing).await
}

pub(super) async fn make_hook(visitor: Visitor, Form(sent): Form<Sent>) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    let new = NewHook {
        name: sent.name.clone(),
        script: sent.script.clone(),
    };
    match hooks::make(&visitor.app, &visitor.scope, new).await {
        Ok(made) => page(&visitor, &Sent::default(), &Told::Hook(&made)).await,
        Err(problem) => page(&visitor, &sent, &Told::Refused(&problem)).await,
    }
}

pub(super) async fn subscribe(visitor: Visitor, Form(sent): Form<Sent>) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    let events = EVENTS.into_iter().filter(|event| sent.wants(event));
    let new = NewSubscription {
        name: sent.name.clone(),
        url: sent.url.clone(),
        events: events.map(str::to_owned).collect(),
    };
    match subscriptions::make(&visitor.app, &visitor.scope, new).await {
        Ok(made) => page(&visitor, &Sent::default(), &Told::Subscription(&made)).await,
        Err(problem) => page(&visitor, &sent, &Told::Refused(&problem)).await,
    }
}

pub(super) async fn delete_hook(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<Csrf>,
) -> Page {
    visitor.scope.caller.sent_form(&form.csrf)?;
    hooks::remove(&visitor.app, &visitor.scope, &id).await?;
    Ok(Redirect::to("/webhooks").into_response())
}

pub(super) async fn change_subscription(
    visitor: Visitor,
    Path((id, what)): Path<(String, String)>,
    Form(form): Form<Csrf>,
) -> Page {
    visitor.scope.caller.sent_form(&form.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    let (app, scope) = (&visitor.app, &visitor.scope);
    match what.as_str() {
        "resume" => _ = subscriptions::send_again(app, scope, &id).await?,
        "delete" => subscriptions::remove(app, scope, &id).await?,
        _ => return Err(Problem::not_found("action", what).into()),
    }
    Ok(Redirect::to("/webhooks").into_response())
}

async fn page(visitor: &Visitor, sent: &Sent, told: &Told<'_>) -> Page {
    // The name belongs to the form that was sent.
    let (hook, subscription) = match sent.url.is_empty() {
        true => (&*sent.name, ""),
        false => ("", &*sent.name),
    };
    let hooks = hooks::all(&visitor.app, &visitor.scope).await?;
    let subscriptions = subscriptions::all(&visitor.app, &visitor.scope).await?;
    let body = html! {
        div class="head" { h1 { "Webhooks" } span class="soft" { "requests that start scripts, and events that are sent out" } }
        (note(told))
        h2 { "In" small { (hooks.len()) } }
        form method="post" action="/webhooks" class="card pad row" {
            input type="hidden" name="csrf" value=(visitor.csrf());
            div class="field" { label for="name" { "Name" } input id="name" name="name" required maxlength="100" value=(hook) placeholder="alerts"; }
            div class="field" { label for="stored" { "Stored script" } input id="stored" name="script" required value=(sent.script) placeholder="triage"; }
            button class="main" { "Make a webhook" }
        }
        (coming_in(visitor, &hooks))
        h2 { "Out" small { (subscriptions.len()) } }
        form method="post" action="/webhooks/subscriptions" class="card pad row" {
            input type="hidden" name="csrf" value=(visitor.csrf());
            div class="field" { label for="to" { "Name" } input id="to" name="name" required maxlength="100" value=(subscription) placeholder="chat"; }
            div class="field" { label for="url" { "Address" } input id="url" name="url" type="url" required value=(sent.url) placeholder="https://example.org/hook"; }
            fieldset class="field" { legend { "Of" }
                @for event in EVENTS { label class="choice" {
                    input type="checkbox" name=(event) checked[sent.wants(event) || event == "run.finished" && sent.url.is_empty()]; " " (event)
                } }
            }
            button class="main" { "Subscribe" }
        }
        (going_out(visitor, &subscriptions))
    };
    let problem = match told {
        Told::Refused(problem) => Some(*problem),
        _ => None,
    };
    let page = layout::page(visitor, "/webhooks", "Webhooks", &body);
    Ok((status_of(problem), page).into_response())
}

fn note(told: &Told<'_>) -> Markup {
    html! {
        @match told {
            Told::Nothing => {}
            Told::Refused(problem) => { (layout::refusal(Some(problem))) }
            Told::Hook(made) => {
                (layout::shown_once(&format!("The key of “{}”", made.hook.name), &made.secret, &html! {
                    "Send to " span class="mono" { (made.hook.url) }
                }))
            }
            Told::Subscription(made) => {
                (layout::shown_once(&format!("The key of “{}”", made.subscription.name), &made.secret, &html! {
                    "The receiver checks signatures with it."
                }))
            }
        }
    }
}

fn coming_in(visitor: &Visitor, hooks: &[Hook]) -> Markup {
    html! {
        @if hooks.is_empty() {
            div class="card empty" { strong { "No webhooks" } "A webhook runs a stored script with each request that it gets" }
        } @else {
            div class="card scroll" { table {
                thead { tr { th { "Name" } th { "Script" } th class="wide" { "Address" } th { "Last used" } th {} } }
                tbody { @for hook in hooks { tr {
                    td { span class="name" { (hook.name) } div class="sub" { "by " (hook.by) } }
                    td { (layout::script_link(&hook.script)) }
                    td class="wide mono" { (hook.url) }
                    td class="soft" { @match &hook.last_used { Some(at) => { (time(at)) }, None => { "never" } } }
                    td class="num" { (button(visitor, &format!("/webhooks/{}/delete", hook.id), "danger", "Delete", &hook.name)) }
                } } }
            } }
        }
    }
}

fn going_out(visitor: &Visitor, subscriptions: &[Subscription]) -> Markup {
    html! {
        @if subscriptions.is_empty() {
            div class="card empty" { strong { "No subscriptions" } "A subscription sends events to an address, signed" }
        } @else {
            div class="card scroll" { table {
                thead { tr { th { "Name" } th class="wide" { "Address" } th class="wide" { "Of" } th { "Last try" } th {} } }
                tbody { @for one in subscriptions { tr {
                    td {
                        span class="name" { (one.name) }
                        @if one.stopped.is_some() { " " span class="badge failed" { "stopped" } }
                        div class="sub" { "by " (one.by) }
                    }
                    td class="wide mono" { (one.url) }
                    td class="wide" { @for event in &one.events { span class="label" { (event) } " " } }
                    td class="soft" {
                        @match &one.last_at { Some(at) => { (time(at)) }, None => { "none yet" } }
                        @if let Some(why) = one.stopped.as_ref().or(one.last.as_ref()) { div class="sub" { (why) } }
                        @if one.waiting > 0 { div class="sub" { (one.waiting) " wait" } }
                        @if one.held > 0 { div class="sub" { (one.held) " of a backup are held: resume sends them" } }
                    }
                    td class="num" {
                        @let at = format!("/webhooks/subscriptions/{}", one.id);
                        @if one.stopped.is_some() || one.held > 0 { (button(visitor, &format!("{at}/resume"), "", "Resume", &one.name)) }
                        (button(visitor, &format!("{at}/delete"), "danger", "Delete", &one.name))
                    }
                } } }
            } }
        }
    }
}
