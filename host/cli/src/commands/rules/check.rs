//! `kael-host rules check`: loads rules, and says what is wrong with them.

use serde_json::json;

use super::args::Check;
use super::load::{options, runtime, shown};
use crate::args::Shared;
use crate::exit;
use crate::terminal::{Look, Paint, say, say_json};
use kael_engine::environment::Environment;
use kael_rules::engine::{Engine, WasmEngine};
use kael_rules::lint;
use kael_rules::problem::Problem;
use kael_rules::rule_set::RuleSet;
use kael_rules::schema::Schema;
use std::sync::Arc;

pub(super) fn run(
    shared: &Shared,
    check: &Check,
    wasm: &Arc<WasmEngine>,
    environment: &Environment,
) -> u8 {
    let mut problems = Vec::new();
    let named = check.set.schema.as_deref();
    let schema = named.map(|path| Schema::read_file(path, &mut problems).map(Arc::new));
    let mut count = 0;
    if !matches!(schema, Some(None)) {
        let set = RuleSet::read(&check.set.folders, schema.flatten());
        problems.extend(set.problems.iter().cloned());
        count = set.packages.len();
        if let Some(schema) = &set.schema {
            let instances = u32::try_from(set.packages.len() + 1).unwrap_or(u32::MAX);
            let runtime = match runtime(shared, instances) {
                Ok(runtime) => runtime,
                Err(code) => return code,
            };
            let loaded = Engine::load(
                &runtime,
                schema,
                set.packages.clone(),
                options(wasm, 1, None),
            );
            if let Err(wrong) = loaded {
                problems.extend(wrong);
            }
            for package in &set.packages {
                lint::check(package, schema, &mut problems);
            }
        }
    }
    let errors = problems.iter().filter(|problem| !problem.warning).count();
    let code = if errors == 0 {
        exit::SUCCESS
    } else {
        exit::CONFIG
    };
    if check.json {
        let document = json!({
            "ok": errors == 0,
            "exit_code": code,
            "rules": count,
            "problems": problems.iter().map(document).collect::<Vec<_>>(),
        });
        return say_json(&document, code);
    }
    let paint = Paint::new(environment);
    let mut out = String::new();
    for problem in &problems {
        let (look, kind) = match problem.warning {
            true => (Look::Faint, "warning: "),
            false => (Look::Bad, "error: "),
        };
        out += &format!("{}{}\n", paint.text(look, kind), shown(problem));
    }
    let rules = if count == 1 {
        "1 rule".to_owned()
    } else {
        format!("{count} rules")
    };
    let (look, words) = match errors {
        0 => (Look::Good, format!("{rules}, no problems")),
        1 => (Look::Bad, format!("{rules}, 1 problem")),
        n => (Look::Bad, format!("{rules}, {n} problems")),
    };
    out += &format!("{}\n", paint.text(look, &words));
    say(&out, code)
}

fn document(problem: &Problem) -> serde_json::Value {
    json!({
        "file": problem.file,
        "message": problem.message,
        "hint": problem.hint,
        "warning": problem.warning,
    })
}
