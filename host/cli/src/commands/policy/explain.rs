//! `kael-host policy explain`: which rule decides on a call, and what would change the answer.

use std::path::PathBuf;

use serde_json::json;

use super::super::actions::describe::{find, unknown};
use super::super::actions::{ActionsContext, Ended};
use super::loaded;
use crate::deciding_rule;
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{Look, say, say_json};
use kael_engine::gate;
use kael_engine::json::unmarked;
use kael_engine::policy::{Explanation, SourceKind, Truth, Verdict};

pub(super) fn run(
    context: &ActionsContext<'_>,
    action: &str,
    params: &str,
    tenant: &str,
    files: &[PathBuf],
) -> Result<u8, Ended> {
    let (repo, policy) = loaded(context, files)?;
    let Some((name, definition)) = find(&repo.catalog, action) else {
        return Err(context.fail(&unknown(&repo.catalog, action), exit::USAGE));
    };
    let merged = gate::merged(definition, unmarked(params).to_owned());
    let params = merged.map_err(|error| {
        let problem = Problem::of_action(name.as_str(), &error)
            .hinted("the gate refuses such a call before any rule is asked");
        context.fail(&problem, exit::USAGE)
    })?;
    let decision = policy.answer(definition, &params, tenant);
    let explanation = policy
        .rulebook
        .as_ref()
        .map(|rules| rules.explain(definition, &params, Some(tenant)));
    let verdict = decision
        .as_ref()
        .map_or(Verdict::Allow, |decision| decision.verdict);
    let by = decision.as_ref().map(|decision| {
        let source = &decision.source;
        match source.kind {
            SourceKind::Pattern => format!("{source} (--deny, or `deny` of the configuration)"),
            _ => source.to_string(),
        }
    });
    if context.json {
        let document = json!({
            "action": name.as_str(),
            "params": serde_json::from_str::<serde_json::Value>(&params).unwrap_or_default(),
            "tenant": tenant,
            "verdict": verdict.word(),
            "by": by,
            "decision": decision.as_ref().map(|decision| deciding_rule::document(&decision.source)),
            "rules": explanation.iter().flat_map(|found| &found.rules).map(|rule| json!({
                "rule": deciding_rule::document(&rule.source),
                "holds": rule.holds,
                "conditions": rule.conditions.iter().map(|(words, truth)| json!({
                    "condition": words,
                    "holds": word(*truth),
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "budgets": explanation.iter().flat_map(|found| &found.budgets).map(deciding_rule::document).collect::<Vec<_>>(),
            "changes": explanation.as_ref().map(|found| found.changes.clone()).unwrap_or_default(),
        });
        return Ok(say_json(&document, exit::SUCCESS));
    }
    let (look, answer) = match verdict {
        Verdict::Allow => (Look::Good, "allowed"),
        Verdict::Approve => (Look::Strong, "waits for a person's approval"),
        Verdict::Deny => (Look::Bad, "denied"),
    };
    let mut out = format!(
        "{}: {}{}\n",
        context.paint.text(Look::Strong, name.as_str()),
        context.paint.text(look, answer),
        match &by {
            Some(by) => escape_control(&format!(" by {by}")),
            None => ": there is no policy".to_owned(),
        }
    );
    out += &escape_control(&format!("  params {params}"));
    out += &escape_control(&format!(", tenant {tenant}"));
    out.push('\n');
    if let Some(explanation) = &explanation {
        out += &details(context, explanation);
    }
    Ok(say(&out, exit::SUCCESS))
}

fn details(context: &ActionsContext<'_>, explanation: &Explanation) -> String {
    let mut out = "rules:\n".to_owned();
    for rule in &explanation.rules {
        let (look, sign) = if rule.holds {
            (Look::Good, "holds")
        } else {
            (Look::Faint, "does not hold")
        };
        out += &format!(
            "  {}: {}\n",
            escape_control(&rule.source.to_string()),
            context.paint.text(look, sign)
        );
        for (words, truth) in &rule.conditions {
            out += &escape_control(&format!("    {words}: {}", word(*truth)));
            out.push('\n');
        }
    }
    if !explanation.budgets.is_empty() {
        out += "budgets that count it:\n";
        for budget in &explanation.budgets {
            out += &escape_control(&format!("  {budget}"));
            out.push('\n');
        }
    }
    if !explanation.changes.is_empty() {
        out += "what would change the answer:\n";
        for change in &explanation.changes {
            out += &escape_control(&format!("  {change}"));
            out.push('\n');
        }
    }
    out
}

fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::Yes => "yes",
        Truth::No => "no",
        Truth::Unknown => "in doubt",
    }
}
