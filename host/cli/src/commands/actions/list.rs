//! `kael-host actions list`: prints the tree.

use serde_json::{Value, json};

use super::{ActionsContext, Ended, code};
use crate::exit;
use crate::terminal::{Look, say, say_json, width};
use kael_engine::catalog::Definition;
use kael_engine::names::ActionName;
use kael_engine::runtime::Repo;
use kael_engine::sandbox::Output;
use kael_engine::text::fit;

pub(super) fn run(context: &ActionsContext<'_>) -> u8 {
    code(listed(context))
}

fn listed(context: &ActionsContext<'_>) -> Result<u8, Ended> {
    let repo = load(context)?;
    if context.json {
        let actions: Vec<Value> = repo.catalog.iter().map(|(n, d)| line(n, d)).collect();
        return Ok(say_json(&json!({ "actions": actions }), exit::SUCCESS));
    }
    Ok(say(&tree(context, &repo), exit::SUCCESS))
}

/// The repo, if it is valid.
pub(super) fn load(context: &ActionsContext<'_>) -> Result<Repo, Ended> {
    let (settings, folder) = context.settings()?;
    let loaded = context.wait(async {
        let runtime = settings.runtime(2)?;
        let options = settings.repo_options(&Output::in_memory());
        runtime.load(&folder, options).await
    })?;
    loaded.map_err(|error| context.load_error(&error))
}

fn line(name: &ActionName, definition: &Definition) -> Value {
    let other_names: Vec<&str> = definition
        .names
        .iter()
        .skip(1)
        .map(ActionName::as_str)
        .collect();
    json!({
        "name": name.as_str(),
        "other_names": other_names,
        "description": definition.contract.description,
        "file": definition.location.file,
        "line": definition.location.line,
    })
}

fn tree(context: &ActionsContext<'_>, repo: &Repo) -> String {
    let mut rows: Vec<(String, &str, Option<&Definition>)> = Vec::new();
    let mut above: Vec<&str> = Vec::new();
    for (name, definition) in repo.catalog.iter() {
        let parts: Vec<&str> = name.as_str().split('.').collect();
        let (own, namespaces) = parts.split_last().unwrap_or((&"", &[]));
        let shared = above
            .iter()
            .zip(namespaces)
            .take_while(|(a, b)| a == b)
            .count();
        above.truncate(shared);
        for namespace in &namespaces[shared..] {
            rows.push(("  ".repeat(above.len()), namespace, None));
            above.push(namespace);
        }
        rows.push(("  ".repeat(above.len()), own, Some(definition)));
    }
    if rows.is_empty() {
        return "no actions\n".to_owned();
    }
    let names = rows
        .iter()
        .map(|(indent, name, _)| indent.len() + name.len());
    let column = names.max().unwrap_or(0).min(40) + 2;
    let mut out = String::new();
    for (indent, name, definition) in rows {
        let used = indent.len() + name.len();
        let Some(definition) = definition else {
            out += &format!("{indent}{}\n", context.paint.text(Look::Strong, name));
            continue;
        };
        let description = definition
            .contract
            .description
            .as_deref()
            .unwrap_or_default();
        let first = description.lines().next().unwrap_or_default();
        let room = width().saturating_sub(column).max(20);
        let short = fit(first, room);
        let pad = " ".repeat(column.saturating_sub(used).max(1));
        let row = format!(
            "{indent}{}{pad}{}",
            context.paint.text(Look::Good, name),
            context.paint.text(Look::Faint, &short)
        );
        out += row.trim_end();
        out.push('\n');
    }
    out
}
