//! The tools of code mode, and the calls of `--tools direct`.

use std::fmt::Write as _;
use std::sync::Arc;

use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde_json::{Value, json};

use kael_authoring::lint::Checker;
use kael_engine::gate::approval::{Approver, Asking, Question};
use kael_engine::run_info::RunInfo;
use kael_engine::runtime::RunOptions;
use kael_engine::sandbox::{Output, Script};
use kael_engine::text::{is_invisible_char, is_unsafe_char};
use kael_engine::units::TimeLimit;

use super::arguments::{self, PartName};
use super::job::{Job, Stop};
use super::report::{Outcome, Part};
use super::{Approvals, Inner};

/// How errors name the script of a model.
const NAME: &str = "script.lua";
/// Problems of a script that are listed.
const MAX_PROBLEMS: usize = 20;
/// Bytes of a part that one answer has.
pub(super) const MAX_PART: usize = 64 << 10;

/// A tool's answer: a document.
pub(crate) fn answer(document: Value, is_error: bool) -> CallToolResult {
    // For clients that show it, or hand it to a model, as it is: the same document, in which no
    // character is hidden or obeyed by a terminal.
    let text = visible(&document.to_string());
    let mut result = CallToolResult::structured(document);
    result.content = vec![ContentBlock::text(text)];
    result.is_error = Some(is_error);
    result
}

/// JSON whose control characters, and those that a person does not see, are escapes.
fn visible(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe_char(c) || is_invisible_char(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// The answer to what a model can mend.
pub(crate) fn mistake(message: impl Into<String>) -> CallToolResult {
    answer(
        json!({ "status": "invalid", "error": message.into() }),
        true,
    )
}

/// The answer to a request that began nothing.
pub(crate) type Refusal = Box<CallToolResult>;

pub(crate) fn refusal(message: impl Into<String>) -> Refusal {
    Box::new(mistake(message))
}

/// Puts the questions of a job to a person.
struct JobApprover(Arc<Job>);

impl Approver for JobApprover {
    fn ask(&self, question: Question) -> Asking<'_> {
        Box::pin(self.0.ask(question))
    }
}

impl Inner {
    /// How a job runs.
    fn options_for(&self, job: &Arc<Job>, read_only: bool) -> RunOptions {
        let mut options = self.options.run.clone();
        options.output = Output::in_memory();
        options.policy.read_only |= read_only;
        options.policy.approver = match self.options.approvals {
            Approvals::Off => None,
            Approvals::Page | Approvals::Form => {
                Some(Arc::new(JobApprover(job.clone())) as Arc<dyn Approver>)
            }
        };
        options
    }

    /// Begins the run that `run` asks for, or says why not.
    pub(super) async fn start(
        self: &Arc<Self>,
        given: Option<JsonObject>,
    ) -> Result<Arc<Job>, Refusal> {
        let names = ["code", "args", "read_only", "timeout"];
        let asked: arguments::Run = arguments::read(given, &names).map_err(refusal)?;
        arguments::bounded(&asked.code, &asked.args).map_err(refusal)?;
        if let Some(problems) = self.problems(&asked.code).await? {
            return Err(Box::new(answer(problems, true)));
        }
        let job = Job::new();
        let mut options = self.options_for(&job, asked.read_only);
        if let Some(seconds) = asked.timeout {
            let wanted = TimeLimit::from_seconds(seconds)
                .map_err(|error| refusal(format!("`timeout`: {error}")))?;
            // Never more than the team allows.
            let wall = &mut options.limits.wall;
            if wanted.duration() < wall.duration() {
                *wall = wanted;
            }
        }
        self.jobs.keep(job.clone()).map_err(refusal)?;
        let script = Script {
            name: NAME.to_owned(),
            source: asked.code.into_bytes(),
            args: asked.args,
            want_result: true,
            ..Script::default()
        };
        let output = options.output.clone();
        let run = self
            .options
            .runtime
            .run(self.options.repo.as_ref(), script, options);
        job.named(run.id().to_string());
        job.stopped_by(Stop::Run(run.canceller()));
        let running = job.clone();
        tokio::spawn(async move {
            let report = run.await;
            running.end(Outcome::of_run(&report, output.take()));
        });
        Ok(job)
    }

    /// Begins the call of an action, or says why not.
    pub(super) fn call(
        self: &Arc<Self>,
        action: &str,
        given: Option<JsonObject>,
    ) -> Result<Arc<Job>, Refusal> {
        let Some(repo) = self.options.repo.clone() else {
            return Err(refusal("there is no actions repo"));
        };
        let job = Job::new();
        let run = RunInfo::new(self.options.run.tenant.clone());
        job.named(run.id.to_string());
        let mut options = self.options_for(&job, false);
        options.run = Some(run);
        self.jobs.keep(job.clone()).map_err(refusal)?;
        let params = Value::Object(given.unwrap_or_default()).to_string();
        let (runtime, action, running) =
            (self.options.runtime.clone(), action.to_owned(), job.clone());
        let task = tokio::spawn(async move {
            let ended = Ended(running);
            let report = runtime.call(&repo, &action, params, &options).await;
            ended.0.end(Outcome::of_call(report));
        });
        job.stopped_by(Stop::Call(task.abort_handle()));
        Ok(job)
    }

    /// What is wrong with a script, as `check` and `run` say it.
    pub(super) async fn problems(&self, code: &str) -> Result<Option<Value>, Refusal> {
        problems(&self.checker, code).await
    }

    /// The answer of `check`.
    pub(super) async fn check(&self, given: Option<JsonObject>) -> Result<CallToolResult, Refusal> {
        checked(&self.checker, given).await
    }
}

/// The answer to a call of `check`.
pub(crate) async fn checked(
    checker: &Checker,
    given: Option<JsonObject>,
) -> Result<CallToolResult, Refusal> {
    let asked: arguments::Check = arguments::read(given, &["code"]).map_err(refusal)?;
    arguments::bounded(&asked.code, &[]).map_err(refusal)?;
    Ok(match problems(checker, &asked.code).await? {
        Some(problems) => answer(problems, false),
        None => answer(json!({ "status": "ok", "problems": [] }), false),
    })
}

/// What is wrong with a script, if anything is.
pub(crate) async fn problems(checker: &Checker, code: &str) -> Result<Option<Value>, Refusal> {
    let checked = checker.check(NAME, code).await;
    let checked = checked.map_err(|error| refusal(error.to_string()))?;
    if checked.problems.is_empty() {
        return Ok(None);
    }
    let told = checked.problems.iter().take(MAX_PROBLEMS).map(|one| {
        json!({ "line": one.line, "column": one.column, "message": one.message, "hint": one.remedy })
    });
    let told: Vec<Value> = told.collect();
    Ok(Some(json!({
        "status": "invalid",
        "problems": told,
        "in_all": checked.problems.len(),
    })))
}

/// A part of what an ended job left.
pub(crate) fn part(outcome: &Outcome, part: PartName, from: usize) -> CallToolResult {
    let part = match part {
        PartName::Output => Part::Output,
        PartName::Result => Part::Result,
    };
    let text = outcome.part(part);
    let from = text.ceil_char_boundary(from.min(text.len()));
    let to = text.floor_char_boundary(from.saturating_add(MAX_PART).min(text.len()));
    let mut document = json!({
        "part": part.name(),
        "from": from,
        "bytes": text.len(),
        "text": &text[from..to],
    });
    if to < text.len() {
        document["next"] = to.into();
    }
    answer(document, false)
}

/// Notes that a call was cancelled, unless it has ended before this is dropped.
struct Ended(Arc<Job>);

impl Drop for Ended {
    fn drop(&mut self) {
        if !matches!(self.0.standing(), super::job::Standing::Ended(_)) {
            self.0.end(Outcome::cancelled());
        }
    }
}

/// The link to the rest of what was cut.
pub(crate) fn links(document: &Value) -> Vec<ContentBlock> {
    let cut = ["output_cut", "result_cut"];
    let links = cut.iter().filter_map(|field| {
        let link = document.get(field)?.get("link")?.as_str()?;
        let name = link.rsplit('/').next().unwrap_or_default();
        let resource = rmcp::model::Resource::new(link, name).with_mime_type("text/plain");
        Some(ContentBlock::resource_link(resource))
    });
    links.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_an_escape_and_the_document_the_same() {
        let document = json!({ "output": "a\u{9b}2J\u{202e}\u{e0041}\u{1b}[m é\n" });
        let text = visible(&document.to_string());
        assert_eq!(
            text,
            r#"{"output":"a\u009b2J\u202e\udb40\udc41\u001b[m é\n"}"#
        );
        assert_eq!(
            serde_json::from_str::<Value>(&text).expect("JSON"),
            document
        );
    }
}
