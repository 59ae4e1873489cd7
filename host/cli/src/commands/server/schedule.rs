//! `kael-host schedule`: stored scripts of a server that run at set times.

use hyper::Method;
use kael_engine::text::percent_encoded;
use kael_server::client::{Plan, Run, Schedule, Schedules};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::args::{Schedule as Arguments, ScheduleCommand, SetSchedule, Target};
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::labels;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let target = match &arguments.command {
        ScheduleCommand::Ls { target } => target,
        ScheduleCommand::Set(set) => &set.target,
        ScheduleCommand::Rm(one)
        | ScheduleCommand::Run(one)
        | ScheduleCommand::Pause(one)
        | ScheduleCommand::Resume(one) => &one.target,
    };
    let context = Context::new(shared, environment, target);
    code(match &arguments.command {
        ScheduleCommand::Ls { .. } => list(&context, target),
        ScheduleCommand::Set(set) => put(&context, set),
        ScheduleCommand::Rm(one) => remove(&context, target, &one.name),
        ScheduleCommand::Run(one) => run_now(&context, target, &one.name),
        ScheduleCommand::Pause(one) => changed(&context, target, &one.name, "pause"),
        ScheduleCommand::Resume(one) => changed(&context, target, &one.name, "resume"),
    })
}

fn path(name: &str) -> String {
    format!("/v1/schedules/{}", percent_encoded(name))
}

fn list(context: &Context<'_>, target: &Target) -> Result<u8, u8> {
    let client = context.client(target)?;
    let mut all: Schedules = context.ask(client.get("/v1/schedules?limit=500"))?;
    while let Some(next) = all.next.take() {
        let at = format!("/v1/schedules?limit=500&cursor={}", percent_encoded(&next));
        let more: Schedules = context.ask(client.get(&at))?;
        all.schedules.extend(more.schedules);
        all.next = more.next;
    }
    if context.json {
        return Ok(say_json(&all, exit::SUCCESS));
    }
    let lines = all.schedules.iter().map(|schedule| {
        let next = schedule.next.first().map_or("never", String::as_str);
        let next = if schedule.paused { "paused" } else { next };
        let (plan, name) = (&schedule.plan, &schedule.name);
        let line = format!(
            "{name:<24} {:<16} {:<20} {:<24} {next}",
            plan.cron, plan.zone, plan.script
        );
        format!("{}\n", escape_control(&line))
    });
    Ok(say(&lines.collect::<String>(), exit::SUCCESS))
}

fn put(context: &Context<'_>, set: &SetSchedule) -> Result<u8, u8> {
    let usage = |why: String| context.fail(&Problem::usage(why), exit::USAGE);
    let plan = Plan {
        cron: set.cron.clone(),
        zone: set.zone.clone(),
        script: set.script.clone(),
        args: set.args.clone(),
        labels: labels::labels(&set.labels).map_err(usage)?,
        read_only: set.read_only,
        overlap: word(&set.overlap).map_err(usage)?,
        catch_up: word(&set.catch_up).map_err(usage)?,
        jitter: set.jitter.clone(),
        from: set.from.clone(),
        ..Plan::default()
    };
    let client = context.client(&set.target)?;
    let schedule: Schedule = context.ask(client.send(Method::PUT, &path(&set.name), &plan))?;
    Ok(shown(context, &schedule))
}

/// What one of the words of an option stands for.
fn word<T: DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(json!(word)).map_err(|error| error.to_string())
}

/// The next times of a schedule, one a line.
fn shown(context: &Context<'_>, schedule: &Schedule) -> u8 {
    if context.json {
        return say_json(schedule, exit::SUCCESS);
    }
    let lines = schedule.next.iter().map(|next| format!("{next}\n"));
    say(
        &escape_control_lines(&lines.collect::<String>()),
        exit::SUCCESS,
    )
}

fn escape_control_lines(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| format!("{}\n", escape_control(line)));
    lines.collect()
}

fn run_now(context: &Context<'_>, target: &Target, name: &str) -> Result<u8, u8> {
    let client = context.client(target)?;
    let at = format!("{}/run", path(name));
    let run: Run = context.ask(client.send(Method::POST, &at, &json!({})))?;
    Ok(match context.json {
        true => say_json(&run, exit::SUCCESS),
        false => say(&format!("{}\n", escape_control(&run.id)), exit::SUCCESS),
    })
}

fn changed(context: &Context<'_>, target: &Target, name: &str, what: &str) -> Result<u8, u8> {
    let client = context.client(target)?;
    let at = format!("{}/{what}", path(name));
    let schedule: Schedule = context.ask(client.send(Method::POST, &at, &json!({})))?;
    Ok(shown(context, &schedule))
}

fn remove(context: &Context<'_>, target: &Target, name: &str) -> Result<u8, u8> {
    let client = context.client(target)?;
    context.ask(client.delete(&path(name)))?;
    Ok(match context.json {
        true => say_json(&json!({ "ok": true, "name": name }), exit::SUCCESS),
        false => exit::SUCCESS,
    })
}
