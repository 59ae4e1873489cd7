//! Schedules: the list, and one with its next times and its newest fires.

use axum::Form;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Redirect};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::{Csrf, Page, Visitor};
use super::layout::{self, time};
use crate::api::conditions::Expected;
use crate::api::schedule_view::{PageParams, Schedule};
use crate::api::schedules::{keep, one, page, remove, run_now, set_paused};
use crate::problem::Problem;
use crate::role::Role;
use crate::triggers::due::CatchUp;
use crate::triggers::plan::{Overlap, Plan};

/// What the form of a schedule sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    csrf: String,
    name: String,
    cron: String,
    zone: String,
    script: String,
    args: String,
    overlap: Overlap,
    catch_up: CatchUp,
}

pub(super) async fn show(visitor: Visitor, Query(params): Query<PageParams>) -> Page {
    visitor.scope.needs(Role::Viewer)?;
    let sent = Sent {
        cron: "30 4 * * *".to_owned(),
        zone: "UTC".to_owned(),
        ..Sent::default()
    };
    list(&visitor, &params, &sent, None).await
}

pub(super) async fn put(visitor: Visitor, Form(sent): Form<Sent>) -> Page {
    visitor.scope.caller.sent_form(&sent.csrf)?;
    visitor.scope.needs(Role::Manager)?;
    let plan = Plan {
        cron: sent.cron.clone(),
        zone: sent.zone.clone(),
        script: sent.script.clone(),
        args: sent.args.split_whitespace().map(str::to_owned).collect(),
        overlap: sent.overlap,
        catch_up: sent.catch_up,
        ..Plan::default()
    };
    match keep(
        &visitor.app,
        &visitor.scope,
        &sent.name,
        Expected::Nothing,
        plan,
    )
    .await
    {
        Ok(row) => Ok(Redirect::to(&format!("/schedules/{}", row.name)).into_response()),
        Err(problem) => list(&visitor, &PageParams::default(), &sent, Some(&problem)).await,
    }
}

async fn list(
    visitor: &Visitor,
    params: &PageParams,
    sent: &Sent,
    problem: Option<&Problem>,
) -> Page {
    let found = page(&visitor.app, &visitor.scope, params).await?;
    let (schedules, behind) = (found.schedules, found.next);
    let body = html! {
        div class="head" { h1 { "Schedules" } span class="soft" { "stored scripts that run at set times" } }
        @if schedules.is_empty() {
            div class="card empty" {
                strong { "No schedules" }
                "Make one here, or with " code { "kael-host schedule set NAME CRON SCRIPT" }
            }
        } @else {
            div class="card scroll" { table {
                thead { tr { th { "Name" } th { "When" } th { "Script" } th { "Next" } th class="wide" { "Last" } } }
                tbody { @for schedule in &schedules { tr {
                    td { a class="name" href={ "/schedules/" (schedule.name) } { (schedule.name) } }
                    td { span class="mono whole" { (schedule.plan.cron) } div class="sub" { (schedule.plan.zone) } }
                    td { (layout::script_link(&schedule.plan.script)) }
                    td class="soft" { (next(schedule)) }
                    td class="wide soft" {
                        @match &schedule.last_fire { Some(at) => { (time(at)) }, None => { "never" } }
                        @if let Some(outcome) = &schedule.last_outcome { div class="sub" { (outcome) } }
                    }
                } } }
            } }
        }
        @if let Some(behind) = behind {
            div class="pages" { a class="button" href=(layout::address("/schedules", &[("cursor", Some(&behind))])) { "More schedules" } }
        }
        @if visitor.scope.caller.role >= Role::Manager {
            h2 { "New schedule" }
            (layout::refusal(problem))
            (form(visitor, sent))
        }
    };
    let page = layout::page(visitor, "/schedules", "Schedules", &body);
    Ok((layout::status_of(problem), page).into_response())
}

fn next(schedule: &Schedule) -> Markup {
    html! {
        @if schedule.paused { span class="badge" { "paused" } }
        @else if let Some(next) = schedule.next.first() { (time(next)) }
        @else { "–" }
    }
}

fn form(visitor: &Visitor, sent: &Sent) -> Markup {
    html! {
        form method="post" action="/schedules" class="card pad row" {
            input type="hidden" name="csrf" value=(visitor.csrf());
            div class="field" { label for="name" { "Name" } input id="name" name="name" required maxlength="100" value=(sent.name) placeholder="nightly"; }
            div class="field" { label for="cron" { "Minute, hour, day, month, weekday" } input id="cron" name="cron" required class="mono" value=(sent.cron); }
            div class="field" { label for="zone" { "Time zone" } input id="zone" name="zone" required value=(sent.zone); }
            div class="field" { label for="stored" { "Stored script" } input id="stored" name="script" required value=(sent.script) placeholder="report"; }
            div class="field" { label for="args" { "Arguments" } input id="args" name="args" value=(sent.args); }
            div class="field" { label for="overlap" { "While the last run goes on" } select id="overlap" name="overlap" {
                @for (value, name, what) in [
                    ("skip", "leave it out", Overlap::Skip),
                    ("queue", "wait for it", Overlap::Queue),
                    ("cancel_previous", "cancel it", Overlap::CancelPrevious),
                    ("allow", "run beside it", Overlap::Allow),
                ] { option value=(value) selected[sent.overlap == what] { (name) } }
            } }
            div class="field" { label for="catch_up" { "After a time without a server" } select id="catch_up" name="catch_up" {
                @for (value, name, what) in [
                    ("last", "run once, within an hour", CatchUp::Last),
                    ("none", "run nothing", CatchUp::None),
                    ("all", "run all, up to 100", CatchUp::All),
                ] { option value=(value) selected[sent.catch_up == what] { (name) } }
            } }
            button class="main" { "Make" }
        }
    }
}

pub(super) async fn detail(visitor: Visitor, Path(name): Path<String>) -> Page {
    visitor.scope.needs(Role::Viewer)?;
    let schedule = one(&visitor.app, &visitor.scope, &name).await?;
    let (plan, at) = (&schedule.plan, format!("/schedules/{}", schedule.name));
    let role = visitor.scope.caller.role;
    let action = |what: &str, name: &str, class: &str| {
        html! {
            form method="post" action={ (at) "/" (what) } {
                input type="hidden" name="csrf" value=(visitor.csrf());
                button class=(class) { (name) }
            }
        }
    };
    let origin = format!("schedule {}", schedule.name);
    let body = html! {
        div class="head" {
            h1 { (schedule.name) }
            @if schedule.paused { span class="badge" { "paused" } }
            span class="soft" { span class="mono" { (plan.cron) } " in " (plan.zone) ", by " (schedule.by) }
            span class="grow" {}
            @if role >= Role::Submitter { (action("run", "Run now", "main")) }
            @if role >= Role::Manager {
                @if schedule.paused { (action("resume", "Resume", "")) } @else { (action("pause", "Pause", "")) }
                (action("delete", "Delete", "danger"))
            }
        }
        div class="card pad" {
            p { "Runs " (layout::script_link(&plan.script)) @for arg in &plan.args { " " span class="label" { (arg) } } ". "
                a href=(layout::address("/runs", &[("origin", Some(&origin))])) { "Its runs" } }
        }
        h2 { "Next" }
        @if schedule.next.is_empty() { p class="soft" { "No times." } } @else {
            ol class="card pad" { @for next in &schedule.next { li { (time(next)) " UTC" } } }
        }
        h2 { "Fires" small { @if schedule.waiting > 0 { "the newest; " (schedule.waiting) " wait for the run before them" } @else { "the newest" } } }
        @if schedule.fires.is_empty() { p class="soft" { "None yet." } } @else {
            div class="card scroll" { table {
                thead { tr { th { "Due" } th { "What became of it" } th class="wide" { "Why" } } }
                tbody { @for fire in &schedule.fires { tr {
                    td class="soft" { (time(&fire.at)) }
                    td { @match &fire.run { Some(run) => a href={ "/runs/" (run) } { (fire.outcome) }, None => (fire.outcome) } }
                    td class="wide soft" { (fire.why.as_deref().unwrap_or("")) }
                } } }
            } }
        }
    };
    Ok(layout::page(&visitor, "/schedules", &schedule.name, &body).into_response())
}

pub(super) async fn act(
    visitor: Visitor,
    Path((name, what)): Path<(String, String)>,
    Form(form): Form<Csrf>,
) -> Page {
    visitor.scope.caller.sent_form(&form.csrf)?;
    let (app, scope) = (&visitor.app, &visitor.scope);
    scope.needs(if what == "run" {
        Role::Submitter
    } else {
        Role::Manager
    })?;
    let to = match what.as_str() {
        "run" => format!("/runs/{}", run_now(app, scope, &name).await?.id),
        "pause" | "resume" => {
            let row = set_paused(app, scope, &name, what == "pause").await?;
            format!("/schedules/{}", row.name)
        }
        "delete" => {
            remove(app, scope, &name, Expected::Anything).await?;
            "/schedules".to_owned()
        }
        _ => return Err(Problem::not_found("action", what).into()),
    };
    Ok(Redirect::to(&to).into_response())
}
