//! `kael-host actions validate`: prints everything that is wrong with a repo.

use std::path::Path;

use serde_json::{Value, json};

use super::{ActionsContext, Ended, code};
use crate::exit;
use crate::settings::Settings;
use crate::snippet::{Excerpt, SourceMap};
use crate::terminal::{Look, say, say_json};
use kael_authoring::check::{self, Finding, RepoCheck};

pub(super) fn run(context: &ActionsContext<'_>, fetch: bool) -> u8 {
    let validated = || {
        let (settings, folder) = context.settings()?;
        check_and_tell(context, &settings, &folder, fetch)
    };
    code(validated())
}

pub(super) fn check_and_tell(
    context: &ActionsContext<'_>,
    settings: &Settings,
    folder: &Path,
    fetch: bool,
) -> Result<u8, Ended> {
    let checked = context.wait(async {
        let runtime = settings.runtime(2)?;
        check::check(&runtime, &settings.limits, &settings.policy, folder, fetch).await
    })?;
    let checked = checked.map_err(|error| context.load_error(&error))?;
    let exit_code = if checked.is_valid() {
        exit::SUCCESS
    } else {
        exit::CONFIG
    };
    let texts = SourceMap::default().with_repo(Some(folder));
    if context.json {
        let findings = checked.findings.iter();
        let findings: Vec<Value> = findings.map(|finding| told(&texts, finding)).collect();
        let document = json!({
            "ok": checked.is_valid(),
            "exit_code": exit_code,
            "actions": checked.actions,
            "problems": findings,
        });
        return Ok(say_json(&document, exit_code));
    }
    Ok(say(&text(context, &texts, &checked), exit_code))
}

/// The line of the mistake: that of the named field within the call of `define_action`.
fn excerpt(texts: &SourceMap, finding: &Finding) -> Option<Excerpt> {
    if finding.harmless {
        return None;
    }
    let (file, line, message) = (finding.file.as_ref()?, finding.line?, &finding.message);
    let about = match &finding.action {
        // A mistake of the implementation names no field.
        Some(_) => {
            let mut fields = ["entrypoint", "subdir"].into_iter();
            let field = fields.find(|field| message.starts_with(field));
            format!("field '{}'", field.unwrap_or("source"))
        }
        None => message.clone(),
    };
    texts.find(&format!("{file}:{line}: define_action: {about}"))
}

fn told(texts: &SourceMap, finding: &Finding) -> Value {
    json!({
        "file": finding.file,
        "line": finding.line,
        "action": finding.action.as_ref().map(|name| name.as_str()),
        "message": finding.message,
        "severity": if finding.harmless { "note" } else { "error" },
        "source": excerpt(texts, finding).map(|found| found.json()),
    })
}

fn text(context: &ActionsContext<'_>, texts: &SourceMap, checked: &RepoCheck) -> String {
    let paint = context.paint;
    let mut out = String::new();
    for finding in &checked.findings {
        let place = match (&finding.file, finding.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.clone(),
            (None, _) => String::new(),
        };
        let action = finding.action.as_ref().map(|name| format!("{name}: "));
        let (look, word) = match finding.harmless {
            true => (Look::Faint, "note: "),
            false => (Look::Bad, "error: "),
        };
        if !place.is_empty() {
            out += &format!("{}: ", paint.text(Look::Strong, &place));
        }
        out += &format!(
            "{}{}{}\n",
            paint.text(look, word),
            action.unwrap_or_default(),
            crate::sanitize::escape_control(&finding.message)
        );
        if let Some(excerpt) = excerpt(texts, finding) {
            out += &excerpt.lines();
        }
    }
    let errors = checked
        .findings
        .iter()
        .filter(|finding| !finding.harmless)
        .count();
    let count = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let (look, problems) = match errors {
        0 => (Look::Good, "no problems".to_owned()),
        n => (Look::Bad, count(n, "problem")),
    };
    out += &format!(
        "{}, {}\n",
        count(checked.actions, "valid action"),
        paint.text(look, &problems)
    );
    out
}
