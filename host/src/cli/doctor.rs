//! `kael-host doctor`: prints what was found.

use std::io::{self, Write as _};

use serde_json::json;

use super::args::{Bounds, Doctor, Shared};
use super::exit;
use super::report::Problem;
use super::settings;
use super::text::visible;
use crate::config::Confinement;
use crate::doctor::{self, Finding, Status};
use crate::environment::Environment;

pub(super) fn run(shared: &Shared, doctor: &Doctor, environment: &Environment) -> u8 {
    let config = match settings::config(shared, &Bounds::default(), environment) {
        Ok(config) => config,
        Err(error) => {
            return Problem::of_config_error(&error).report(shared, doctor.json, exit::CONFIG);
        }
    };
    let required = config.confinement() == Confinement::Required;
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(problem) => {
            let message = format!("the runtime cannot be started: {problem}");
            Problem::usage(message).print(shared.quiet);
            return exit::BUG;
        }
    };
    let settings = settings::envyr(&config);
    let findings = runtime.block_on(doctor::examine(&settings, environment, required));
    let missing = findings
        .iter()
        .any(|finding| finding.status == Status::Missing);
    let text = if doctor.json {
        format!("{:#}\n", json!({ "ok": !missing, "findings": findings }))
    } else {
        findings.iter().map(line).collect()
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(_) => exit::OUTPUT_CLOSED,
        Ok(()) if missing => exit::SCRIPT_FAILED,
        Ok(()) => exit::SUCCESS,
    }
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
        visible(&finding.detail)
    );
    if let Some(remedy) = &finding.remedy {
        text.push_str(&format!("{:20} remedy: {}\n", "", visible(remedy)));
    }
    text
}
