//! How the end of a run looks: for a person on stderr, or as one JSON document on stdout.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::args::Shared;
use super::deciding_rule;
use super::dry_run::Call;
use super::failure_details;
use super::sanitize::{escape_control, with_causes};
use super::snippet::{LOOK_UPS, SourceMap};
use super::stderr;
use super::terminal::say_json;
use crate::config::ConfigError;
use kael_authoring::hints;
use kael_engine::failure::{ActionError, Detail, ErrorKind};
use kael_engine::gate::Record;
use kael_engine::limits::{LimitHit, Limits};
use kael_engine::policy::PolicyError;
use kael_engine::run_info::timestamp;
use kael_engine::runtime::{LoadError, RunReport};
use kael_engine::sandbox::{Busy, Ending, EngineError, ErrorStage, ScriptError, Suspension};

/// What is wrong, where, and what would help.
pub(super) struct Problem {
    kind: &'static str,
    message: String,
    traceback: Vec<String>,
    action: Option<String>,
    limit: Option<&'static str>,
    hint: Option<String>,
    /// What is known of a failed action's process.
    detail: Option<Box<Detail>>,
    texts: SourceMap,
}

impl Problem {
    pub(super) fn usage(message: String) -> Self {
        Self {
            kind: "usage",
            message,
            traceback: Vec::new(),
            action: None,
            limit: None,
            hint: None,
            detail: None,
            texts: SourceMap::default(),
        }
    }

    pub(super) fn of_ending<T>(ending: &Ending<T>) -> Option<Self> {
        match ending {
            Ending::Done(_) | Ending::Exited(_) | Ending::OutputClosed => None,
            Ending::Failed(error) => Some(Self::of_script_error(error)),
            Ending::Limit(hit, frames) => Some(Self::of_limit(hit, hit.to_string(), frames)),
            Ending::Cancelled(frames) => Some(Self {
                kind: "cancelled",
                traceback: frames.clone(),
                ..Self::usage("the run was cancelled".to_owned())
            }),
            Ending::OutputFailed(error) => {
                let message = format!("the output cannot be written: {error}");
                Some(Self {
                    kind: "output",
                    ..Self::usage(message)
                })
            }
            Ending::Busy(busy) => Some(Self::busy(busy)),
            Ending::Suspended(why, frames) => Some(Self {
                kind: match why {
                    Suspension::Waiting(_) => "waiting",
                    _ => "suspended",
                },
                traceback: frames.clone(),
                ..Self::usage(why.to_string())
            }),
            Ending::Fault(fault) => Some(Self::bug(fault)),
        }
    }

    pub(super) fn of_load_error(error: &LoadError) -> Option<Self> {
        Some(match error {
            LoadError::OutputClosed => return None,
            LoadError::Load(error) => Self::of_script_error(error),
            LoadError::Limit { hit, frames, .. } => Self::of_limit(hit, error.to_string(), frames),
            LoadError::Busy(busy) => Self::busy(busy),
            LoadError::Fault(fault) => Self::bug(fault),
            LoadError::Engine(EngineError::Short(_)) => Self::short(error.to_string()),
            LoadError::Engine(_) => Self::bug(&with_causes(error)),
            LoadError::Policy(error) => Self::of_policy_error(error),
            LoadError::Confinement(_) => Self {
                kind: "confinement",
                hint: Some("kael-host doctor says what would help".to_owned()),
                ..Self::usage(error.to_string())
            },
            LoadError::Repo(_) | LoadError::Definitions(_) => Self {
                kind: "repo",
                ..Self::usage(with_causes(error))
            },
        })
    }

    pub(super) fn no_threads(error: &std::io::Error) -> Self {
        Self::short(format!(
            "the threads of the runtime cannot be started: {error}"
        ))
    }

    /// The process may have too little of something.
    pub(super) fn short(message: String) -> Self {
        let hint =
            "raise the limits of the process: ulimit -u (threads), -n (open files), -v (addresses)";
        Self {
            kind: "system",
            hint: Some(hint.to_owned()),
            ..Self::usage(message)
        }
    }

    pub(super) fn signal(number: u8) -> Self {
        Self::usage(format!("the run was ended by signal {number}"))
    }

    /// The same with texts that it may quote.
    pub(super) fn quoting(self, texts: SourceMap) -> Self {
        Self {
            texts: self.texts.and(texts),
            ..self
        }
    }

    /// The same with a hint.
    pub(super) fn hinted(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(super) fn of_action(name: &str, error: &ActionError) -> Self {
        // A name that there is not names itself.
        let message = match error.kind {
            ErrorKind::UnknownAction => error.message.clone(),
            _ => format!("{name} failed: {}", error.message),
        };
        Self {
            kind: error.kind.name(),
            action: Some(name.to_owned()),
            hint: error.detail.as_ref().and_then(|detail| detail.hint.clone()),
            detail: error.detail.clone(),
            ..Self::usage(message)
        }
    }

    /// The error of a run on a server.
    #[cfg(feature = "serve")]
    pub(super) fn of_server(error: &kael_server::client::RunError) -> Self {
        Self {
            traceback: error.traceback.clone(),
            hint: error.hint.clone(),
            detail: error
                .detail
                .clone()
                .and_then(|detail| serde_json::from_value(detail).ok()),
            ..Self::usage(error.message.clone())
        }
    }

    pub(super) fn of_policy_error(error: &PolicyError) -> Self {
        let texts = error.texts.iter();
        Self {
            kind: "policy",
            texts: texts.fold(SourceMap::default(), |all, (name, text)| {
                all.with(name, text)
            }),
            ..Self::usage(error.to_string())
        }
    }

    pub(super) fn of_config_error(error: &ConfigError) -> Self {
        Self {
            kind: "config",
            hint: error.hint.clone(),
            texts: error
                .texts
                .iter()
                .fold(SourceMap::default(), |all, (name, text)| {
                    all.with(name, text)
                }),
            ..Self::usage(error.to_string())
        }
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn traceback(&self) -> &[String] {
        &self.traceback
    }

    /// What a failed action left behind, in lines.
    pub(super) fn details(&self) -> String {
        let detail = self.detail.as_ref();
        detail.map_or_else(String::new, |detail| {
            failure_details::of_process(detail, &self.message)
        })
    }

    pub(super) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn of_script_error(error: &ScriptError) -> Self {
        let (kind, action) = match (&error.stage, &error.action) {
            (ErrorStage::Repo, _) => ("repo", None),
            (ErrorStage::Syntax, _) => ("syntax", None),
            (ErrorStage::Output, _) => ("result", None),
            (ErrorStage::Script, None) => ("script", None),
            (ErrorStage::Script, Some((name, kind))) => (kind.name(), Some((name.clone(), *kind))),
        };
        let own = error.detail.as_ref().and_then(|detail| detail.hint.clone());
        let hint = action.as_ref().and_then(|(_, kind)| match kind {
            // The message names what it was; nothing more of the failure comes this far.
            ErrorKind::Timeout if error.message.contains("`limits.cpu`") => Some(
                "the definition's `limits.cpu` says how long the action may compute".to_owned(),
            ),
            ErrorKind::Timeout => {
                Some("the definition's `timeout` says how long the action may take".to_owned())
            }
            _ => None,
        });
        Self {
            kind,
            message: error.message.clone(),
            traceback: error.traceback.clone(),
            // What an action itself brought with it knows more.
            hint: match &action {
                Some(_) => own.or(hint),
                None => hints::of_error(&error.message),
            },
            action: action.map(|(name, _)| name),
            detail: error.detail.clone(),
            ..Self::usage(String::new())
        }
    }

    fn of_limit(hit: &LimitHit, message: String, frames: &[String]) -> Self {
        let hint = Some(format!("{} allows more", hit.option()));
        Self {
            kind: "limit",
            limit: Some(hit.name()),
            traceback: frames.to_vec(),
            hint,
            ..Self::usage(message)
        }
    }

    fn busy(busy: &Busy) -> Self {
        Self {
            kind: "busy",
            hint: Some("nothing was run: try it again when others have ended".to_owned()),
            ..Self::usage(busy.to_string())
        }
    }

    fn bug(fault: &str) -> Self {
        let hint = Some("this is a bug in Kael: please report it with the script".to_owned());
        Self {
            kind: "bug",
            hint,
            ..Self::usage(fault.to_owned())
        }
    }

    /// Writes it to stderr.
    pub(super) fn print(&self, quiet: bool) {
        let mut text = "Error: ".to_owned();
        let mut quoted = false;
        for (number, line) in self.message.split('\n').enumerate() {
            let indent = if number == 0 { "" } else { "  " };
            text.push_str(&format!("{indent}{}\n", escape_control(line)));
            if number < LOOK_UPS
                && let Some(excerpt) = self.texts.find(line)
            {
                text.push_str(&excerpt.lines());
                quoted = true;
            }
        }
        for (number, frame) in self.traceback.iter().enumerate() {
            text.push_str(&format!("  {}\n", escape_control(frame)));
            // A message that names no place has come about in the innermost frame.
            if !quoted
                && number < LOOK_UPS
                && let Some(excerpt) = self.texts.find(frame)
            {
                text.push_str(&excerpt.lines());
                quoted = true;
            }
        }
        text.push_str(&self.details());
        if let (Some(hint), false) = (&self.hint, quiet) {
            text.push_str(&format!("hint: {}\n", escape_control(hint)));
        }
        stderr::last(&text);
    }

    /// Tells it the way that was asked for: on stderr, or as `{"error": …}` on stdout.
    pub(super) fn report(&self, shared: &Shared, as_json: bool, code: u8) -> u8 {
        if as_json {
            return say_json(
                &json!({ "ok": false, "exit_code": code, "error": self.json() }),
                code,
            );
        }
        self.print(shared.quiet);
        code
    }

    pub(super) fn json(&self) -> Value {
        let lines = self.message.split('\n');
        let lines = lines.chain(self.traceback.iter().map(String::as_str));
        let excerpt = lines.take(LOOK_UPS).find_map(|line| self.texts.find(line));
        json!({
            "kind": self.kind,
            "message": self.message,
            "traceback": self.traceback,
            "action": self.action,
            "limit": self.limit,
            "hint": self.hint,
            "detail": self.detail,
            "source": excerpt.map(|found| found.json()),
        })
    }
}

/// The report of a run as one JSON document.
pub(super) fn json<'a>(
    report: Option<&'a RunReport>,
    error: Option<&Problem>,
    output: &'a str,
    limits: &Limits,
    exit_code: u8,
) -> Document<'a> {
    // The guest made it from a value, so it is JSON, and stays the text that it is; anything else would be a bug that
    // shows as null.
    let result = match report.map(|report| &report.ending) {
        Some(Ending::Done(Some(text))) => serde_json::from_str(text).unwrap_or(RawValue::NULL),
        _ => RawValue::NULL,
    };
    let usage = report.map(|report| {
        json!({
            "cpu_ms": millis(report.usage.cpu),
            "wall_ms": millis(report.usage.wall),
            "memory_bytes": report.usage.memory.bytes(),
            "output_bytes": report.usage.output,
            "calls": report.usage.calls,
        })
    });
    Document {
        calls: Calls(report.map_or(&[], |report| &report.calls)),
        ended: report.map(|report| timestamp(report.ended_at())),
        error: error.map(Problem::json),
        exit_code,
        limits: json!({
            "cpu_ms": millis(limits.cpu.duration()),
            "wall_ms": millis(limits.wall.duration()),
            "memory_bytes": limits.memory.bytes(),
            "output_bytes": limits.output.bytes(),
            "calls": limits.calls,
            "parallel": limits.parallel,
        }),
        ok: error.is_none() && exit_code == 0,
        output,
        planned: None,
        planned_left_out: None,
        result,
        run: report.map(|report| report.run.id.to_string()),
        started: report.map(|report| timestamp(report.started_at())),
        tenant: report.map(|report| report.run.tenant.to_string()),
        usage,
    }
}

/// The report of a run.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    calls: Calls<'a>,
    /// When the run ended, as RFC 3339 has it; null when it did not begin.
    ended: Option<String>,
    error: Option<Value>,
    exit_code: u8,
    limits: Value,
    ok: bool,
    output: &'a str,
    /// What a dry run has planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) planned: Option<Vec<Call>>,
    /// Calls for which there was no room in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) planned_left_out: Option<u64>,
    result: &'a RawValue,
    /// The id of the run.
    run: Option<String>,
    started: Option<String>,
    tenant: Option<String>,
    usage: Option<Value>,
}

#[cfg(feature = "stdlib")]
impl Document<'_> {
    /// The document of Assay's tool mode.
    pub(super) fn for_assay(&self, code: u8) -> Value {
        crate::for_assay::envelope(code, self.result, self.error.as_ref(), self.run.as_deref())
    }
}

/// The calls of a run: up to 100,000, so that none of them is made a tree.
struct Calls<'a>(&'a [Record]);

impl Serialize for Calls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            action: &'a str,
            attempts: u32,
            call: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            decision: Option<Value>,
            ended: String,
            ms: f64,
            outcome: &'a str,
            params_digest: &'a str,
            runner: Option<&'static str>,
            started: String,
        }
        serializer.collect_seq(self.0.iter().map(|call| {
            Row {
                action: &call.name,
                attempts: call.attempts,
                call: call.call,
                decision: call
                    .decision
                    .as_ref()
                    .map(|decision| deciding_rule::document(&decision.source)),
                ended: timestamp(call.ended_at()),
                ms: millis(call.duration),
                outcome: call.failed.map_or("ok", ErrorKind::name),
                params_digest: &call.digest,
                runner: call.runner,
                started: timestamp(call.started_at()),
            }
        }))
    }
}

fn millis(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
