//! `kael-host policy test`: calls and the answers that a policy is to give to them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::actions::{ActionsContext, Ended};
use super::{DEFAULT_TENANT, loaded};
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{Look, say, say_json};
use kael_engine::catalog::Catalog;
use kael_engine::gate::{self, Policy};
use kael_engine::policy::{self, Kind, Node, PolicyError, Verdict, parse_yaml, value_of};

/// One case.
struct Case {
    line: u32,
    action: String,
    params: Value,
    tenant: String,
    expect: String,
}

pub(super) fn run(
    context: &ActionsContext<'_>,
    path: &Path,
    files: &[PathBuf],
) -> Result<u8, Ended> {
    let name = path.display().to_string();
    let fail = |error: PolicyError| context.fail(&Problem::of_policy_error(&error), exit::CONFIG);
    let text = policy::read(path).map_err(fail)?;
    let cases = cases(&text).map_err(|(line, message)| {
        fail(PolicyError {
            problems: vec![format!("{name}:{line}: {message}")],
            texts: vec![(name.clone(), text.clone())],
        })
    })?;
    let (repo, policy) = loaded(context, files)?;
    let mut failures = Vec::new();
    for case in &cases {
        let (answer, by) = answer(&policy, &repo.catalog, case);
        if answer != case.expect {
            failures.push((case, answer, by));
        }
    }
    let code = match failures.is_empty() {
        true => exit::SUCCESS,
        false => exit::SCRIPT_FAILED,
    };
    if context.json {
        let failures: Vec<Value> = failures
            .iter()
            .map(|(case, answer, by)| {
                json!({
                    "file": name, "line": case.line, "action": case.action,
                    "expected": case.expect, "got": answer, "by": by,
                })
            })
            .collect();
        let document = json!({
            "ok": failures.is_empty(), "exit_code": code, "cases": cases.len(), "failures": failures,
        });
        return Ok(say_json(&document, code));
    }
    let mut out = String::new();
    for (case, answer, by) in &failures {
        out += &format!(
            "{}: {}{}\n",
            context
                .paint
                .text(Look::Strong, &format!("{name}:{}", case.line)),
            context.paint.text(Look::Bad, "failed: "),
            escape_control(&format!(
                "{} is to be {}, and is {answer} ({by})",
                case.action, case.expect
            )),
        );
    }
    let count = match cases.len() {
        1 => "1 case".to_owned(),
        count => format!("{count} cases"),
    };
    let (look, result) = match failures.len() {
        0 => (Look::Good, "all as expected".to_owned()),
        failed => (Look::Bad, format!("{failed} failed")),
    };
    out += &format!("{count}, {}\n", context.paint.text(look, &result));
    Ok(say(&out, code))
}

/// What the policy says of a case, and what decided.
fn answer(policy: &Policy, catalog: &Catalog, case: &Case) -> (String, String) {
    let Some(definition) = catalog.get(&case.action) else {
        return ("unknown_action".to_owned(), "no such action".to_owned());
    };
    let params = match gate::merged(definition, case.params.to_string()) {
        Ok(params) => params,
        Err(error) => return ("invalid_params".to_owned(), error.message),
    };
    match policy.answer(definition, &params, &case.tenant) {
        None => (
            Verdict::Allow.word().to_owned(),
            "there is no policy".to_owned(),
        ),
        Some(decision) => (
            decision.verdict.word().to_owned(),
            decision.source.to_string(),
        ),
    }
}

type Wrong = (u32, String);

fn cases(text: &str) -> Result<Vec<Case>, Wrong> {
    let root = parse_yaml(text).map_err(|mistake| (mistake.line, mistake.message))?;
    let Kind::Table(entries) = &root.kind else {
        return Err((root.line, "expected `cases:` and a list".to_owned()));
    };
    let mut cases = Vec::new();
    for (key, line, value) in entries {
        match (key.as_str(), &value.kind) {
            ("cases", Kind::List(elements)) => {
                for element in elements {
                    cases.push(case(element)?);
                }
            }
            ("cases", _) => return Err((*line, "`cases` must be a list".to_owned())),
            (other, _) => return Err((*line, format!("unknown key `{}`", other.escape_debug()))),
        }
    }
    match cases.is_empty() {
        true => Err((root.line, "there are no cases".to_owned())),
        false => Ok(cases),
    }
}

fn case(node: &Node) -> Result<Case, Wrong> {
    let Kind::Table(entries) = &node.kind else {
        return Err((
            node.line,
            "a case must be a table with `action` and `expect`".to_owned(),
        ));
    };
    let (mut action, mut expect) = (None, None);
    let mut params = Value::Object(Map::new());
    let mut tenant = DEFAULT_TENANT.to_owned();
    for (key, line, value) in entries {
        let word = match &value.kind {
            Kind::Word(word) | Kind::Text(word) => Some(word.clone()),
            _ => None,
        };
        match (key.as_str(), word) {
            ("action", Some(word)) => action = Some(word),
            ("tenant", Some(word)) => tenant = word,
            ("expect", Some(word)) => {
                let known = [
                    "allow",
                    "approve",
                    "deny",
                    "invalid_params",
                    "unknown_action",
                ];
                if !known.contains(&word.as_str()) {
                    return Err((
                        value.line,
                        format!("`expect` must be one of {}", known.join(", ")),
                    ));
                }
                expect = Some(word);
            }
            ("params", _) => {
                params = value_of(value).map_err(|mistake| (mistake.line, mistake.message))?;
            }
            ("action" | "tenant" | "expect", None) => {
                return Err((*line, format!("`{key}` must be a word")));
            }
            (other, _) => return Err((*line, format!("unknown key `{}`", other.escape_debug()))),
        }
    }
    let missing = |key: &str| (node.line, format!("a case needs `{key}`"));
    Ok(Case {
        line: node.line,
        action: action.ok_or_else(|| missing("action"))?,
        expect: expect.ok_or_else(|| missing("expect"))?,
        params,
        tenant,
    })
}
