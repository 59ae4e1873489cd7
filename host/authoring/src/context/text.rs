//! A context as Markdown, and in the form of llmstxt.org.

use serde_json::Value;

use super::{Context, Item, RULES, Standing, globals, modules, plain, tokens};
use crate::lua;
use kael_engine::text::fit;

/// Columns of the description in a line.
const LINE: usize = 160;
/// Bytes of a schema or an example that is shown.
const MAX_JSON: usize = 4 << 10;

/// How much is said of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A link and a line.
    Links,
    /// Its description, a call, and its schemas.
    Full,
}

pub(super) fn write(context: &Context<'_>, budget: usize, style: Style) -> String {
    let mut out = format!(
        "# Actions of {}\n\n> Lua scripts run in a sandbox whose only way out is these actions.\n\n## Rules\n\n{RULES}\n## Globals\n\n",
        context.title
    );
    for global in globals::globals() {
        out += &format!("- `{}`: {}\n", global.signature, global.description);
    }
    out += "\n";
    // At most a third of the room is theirs.
    let third = budget.saturating_sub(tokens(&out)) / 3;
    out += &modules::section(&context.modules, third);
    out += "## Actions\n\n";
    // What is left out is said in a line of its own.
    let room = budget.saturating_sub(tokens(&out) + 60);
    let (mut used, mut left_out, mut in_full) = (0, 0, style == Style::Full);
    for item in &context.actions {
        let short = line(item);
        let full = in_full.then(|| section(item));
        let text = full.filter(|full| used + tokens(full) <= room);
        // Once one had to be short, so are those after it: they match less.
        in_full = text.is_some();
        let text = text.unwrap_or(short);
        if used + tokens(&text) > room {
            left_out += 1;
            continue;
        }
        used += tokens(&text);
        out += &text;
    }
    if context.actions.is_empty() {
        out += "None.\n";
    }
    if left_out > 0 {
        out += &format!(
            "\n{left_out} of {} actions did not fit. Search with: kael-host context QUERY\n",
            context.total
        );
    }
    out
}

/// One line.
fn line(item: &Item<'_>) -> String {
    let told = item.definition.contract.description.as_deref();
    let first = told.unwrap_or_default().lines().next().unwrap_or_default();
    let location = &item.definition.location;
    let note = match item.standing {
        Standing::Allowed | Standing::Denied => String::new(),
        standing => format!("({}) ", standing.word()),
    };
    let told = match plain(&fit(first, LINE)) {
        told if told.is_empty() => told,
        told => format!("{told} "),
    };
    format!(
        "- [{}]({}#L{}): {told}{note}`{}`\n",
        item.name,
        plain(&location.file),
        location.line,
        lua::example_call(item.name, item.definition)
    )
}

/// Everything.
fn section(item: &Item<'_>) -> String {
    let definition = item.definition;
    let contract = &definition.contract;
    let mut out = format!("### {}\n\n", item.name);
    if let Some(told) = &contract.description {
        out += &format!("{}\n\n", plain(told));
    }
    out += &format!(
        "Effects: {}. Calls: {}.\n\n```lua\n{}\n```\n\n",
        definition.effects.kind.name(),
        item.standing.word(),
        lua::example_call(item.name, definition)
    );
    let mut row = |label: &str, value: &Value| {
        let text = value.to_string();
        let shown = match text.len() > MAX_JSON {
            true => format!("{}…", &text[..text.floor_char_boundary(MAX_JSON)]),
            false => text,
        };
        out += &format!("{label}: `{}`\n\n", shown.replace('`', "'"));
    };
    if let Some(schema) = &contract.params {
        row("Parameters", schema.document());
    }
    if !definition.defaults.is_empty() {
        row("Defaults", &Value::Object(definition.defaults.clone()));
    }
    if !definition.locked.is_empty() {
        let keys: Vec<&str> = definition.locked.keys().map(String::as_str).collect();
        row("Locked", &keys.into());
    }
    if let Some(schema) = &contract.returns {
        row("Returns", schema.document());
    }
    if let Some(example) = &contract.example {
        row("Example result", example);
    }
    out
}
