//! `kael-host modules`: what `require` finds beside the modules of an actions repo.

use kael_stdlib::ModuleHead;
use serde_json::{Value, json};

use crate::args::{Modules, ModulesCommand, Shared};
use crate::exit;
use crate::report::Problem;
use crate::terminal::{say, say_json};
use kael_engine::names;

pub(super) fn run(shared: &Shared, arguments: &Modules) -> u8 {
    let heads = kael_stdlib::modules();
    match &arguments.command {
        None if arguments.json => {
            let modules: Vec<Value> = heads.iter().map(document).collect();
            say_json(&json!({ "ok": true, "modules": modules }), exit::SUCCESS)
        }
        None => {
            let width = heads.iter().map(|head| head.name.len()).max();
            let width = width.unwrap_or_default();
            let lines = heads
                .iter()
                .map(|head| format!("{:width$}  {}\n", head.name, head.description));
            say(&lines.collect::<String>(), exit::SUCCESS)
        }
        Some(ModulesCommand::Describe { name, json }) => {
            let wanted = |head: &&ModuleHead| {
                head.name == name || head.name.strip_prefix("assay.") == Some(name.as_str())
            };
            let Some(head) = heads.iter().find(wanted) else {
                let near = names::nearest(name, heads.iter().map(|head| head.name));
                let hint = names::did_you_mean(near, '`');
                let message = format!("no module `{}`{hint}", names::printable(name));
                let problem = Problem::usage(message).hinted("kael-host modules lists them");
                return problem.report(shared, *json, exit::USAGE);
            };
            if *json {
                return say_json(
                    &json!({ "ok": true, "module": document(head) }),
                    exit::SUCCESS,
                );
            }
            say(&described(head), exit::SUCCESS)
        }
    }
}

fn document(head: &ModuleHead) -> Value {
    let methods = head.methods.iter().map(|method| {
        json!({ "signature": method.signature, "returns": method.returns, "text": method.text })
    });
    json!({
        "name": head.name,
        "description": head.description,
        "category": head.category,
        "keywords": head.keywords,
        "env": head.env,
        "methods": methods.collect::<Vec<_>>(),
    })
}

fn described(head: &ModuleHead) -> String {
    let mut text = format!("{}\n{}\n", head.name, head.description);
    if !head.env.is_empty() {
        text.push_str(&format!("\nreads the variables {}\n", head.env.join(", ")));
    }
    text.push_str(&format!("\nlocal m = require(\"{}\")\n", head.name));
    for method in &head.methods {
        let (signature, returns) = (method.signature, method.returns);
        text.push_str(&format!(
            "  {signature} -> {returns}\n      {}\n",
            method.text
        ));
    }
    text
}
