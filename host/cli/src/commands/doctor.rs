//! `kael-host doctor`: prints the findings and the fixes.

use std::io::{self, Write as _};

use serde_json::{Value, json};

use crate::args::{Bounds, Doctor, Shared};
#[cfg(feature = "serve")]
use crate::config::{Config, ConfigError};
use crate::doctor::{self, Finding, Fixed, Status};
use crate::exit;
use crate::report::Problem;
use crate::runtime::{Driven, block_with_signals};
use crate::sanitize::escape_control;
use crate::settings;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(super) fn run(shared: &Shared, doctor: &Doctor, environment: &Environment) -> u8 {
    let config = settings::config(shared, &Bounds::default(), environment);
    #[cfg(feature = "serve")]
    if doctor.server {
        return of_server(shared, doctor, environment, &config);
    }
    let examine = || block_with_signals(doctor::examine(config.as_ref(), environment));
    let mut examined = examine();
    let mut fixed = Vec::new();
    if let (Ok(Driven::Done(findings)), true) = (&examined, doctor.fix) {
        let announce = |text: &str| {
            io::stderr().write_all(format!("{text}\n").as_bytes()).ok();
        };
        fixed = doctor::fix(findings, environment, announce);
        if !fixed.is_empty() {
            examined = examine();
        }
    }
    let findings = match examined {
        Ok(Driven::Done(findings)) => findings,
        Ok(Driven::Signal(number)) => {
            return Problem::signal(number).report(shared, doctor.json, exit::SIGNAL + number);
        }
        Err(error) => {
            return Problem::no_threads(&error).report(shared, doctor.json, exit::CONFIG);
        }
    };
    tell(doctor, &findings, &fixed)
}

/// The same for a server.
#[cfg(feature = "serve")]
fn of_server(
    shared: &Shared,
    doctor: &Doctor,
    environment: &Environment,
    config: &Result<Config, ConfigError>,
) -> u8 {
    let fail = |problem: &Problem| problem.report(shared, doctor.json, exit::CONFIG);
    let confinement = match config {
        Ok(config) => config.confinement(),
        Err(error) => return fail(&Problem::of_config_error(error)),
    };
    let (file, data) = (doctor.config.as_deref(), doctor.data.as_deref());
    let serve = match super::server::settings_of(file, data, environment) {
        Ok(serve) => serve,
        Err(problem) => return fail(&problem),
    };
    match block_with_signals(doctor::examine_server(file, &serve, confinement)) {
        Ok(Driven::Done(findings)) => tell(doctor, &findings, &[]),
        Ok(Driven::Signal(number)) => exit::SIGNAL + number,
        Err(error) => fail(&Problem::no_threads(&error)),
    }
}

fn tell(doctor: &Doctor, findings: &[Finding], fixed: &[Fixed]) -> u8 {
    let missing = findings
        .iter()
        .any(|finding| finding.status == Status::Missing);
    let code = if missing {
        exit::SCRIPT_FAILED
    } else {
        exit::SUCCESS
    };
    if doctor.json {
        let mut document = json!({ "ok": !missing, "findings": findings });
        if doctor.fix {
            document["fixed"] = fixed.iter().map(fixed_json).collect();
        }
        return say_json(&document, code);
    }
    let mut text: String = fixed.iter().map(fixed_line).collect();
    text.extend(findings.iter().map(line));
    say(&text, code)
}

fn fixed_json(fixed: &Fixed) -> Value {
    json!({
        "name": fixed.name,
        "done": fixed.outcome.as_ref().ok(),
        "problem": fixed.outcome.as_ref().err(),
    })
}

fn fixed_line(fixed: &Fixed) -> String {
    let (word, text) = match &fixed.outcome {
        Ok(done) => ("fixed", done),
        Err(error) => ("UNFIXED", error),
    };
    format!("{word:<8} {:<11} {}\n", fixed.name, escape_control(text))
}

fn line(finding: &Finding) -> String {
    let status = match finding.status {
        Status::Ok => "ok",
        Status::Limited => "limited",
        Status::Absent => "absent",
        Status::Missing => "MISSING",
    };
    let mut text = format!(
        "{status:<8} {:<11} {}\n",
        finding.name,
        escape_control(&finding.detail)
    );
    if let Some(remedy) = &finding.remedy {
        text.push_str(&format!("{:20} remedy: {}\n", "", escape_control(remedy)));
    }
    text
}
