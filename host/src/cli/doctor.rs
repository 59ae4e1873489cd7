//! `kael-host doctor`: prints what was found.

use std::io::{self, Write as _};

use serde_json::json;

use super::args::{Doctor, Shared};
use super::exit;
use super::report::Problem;
use super::run::{confinement, envyr_settings};
use super::text::visible;
use crate::app::Confinement;
use crate::doctor::{self, Finding, Status};
use crate::environment::Environment;

pub(super) fn run(shared: &Shared, doctor: &Doctor, environment: &Environment) -> u8 {
    let required = match confinement(None, environment) {
        Ok(confinement) => confinement == Confinement::Required,
        Err(message) => {
            Problem::usage(message).print(shared.quiet);
            return exit::USAGE;
        }
    };
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
    let settings = envyr_settings(shared, environment);
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
