//! How JSON documents name the rule of a policy that decided.

use kael_engine::policy::Source;
use serde_json::{Value, json};

pub(super) fn document(source: &Source) -> Value {
    json!({
        "verdict": source.verdict.word(),
        "rule": source.rule,
        "file": source.file,
        "line": source.file.is_some().then_some(source.line),
        "reason": source.reason,
    })
}
