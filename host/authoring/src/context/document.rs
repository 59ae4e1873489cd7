//! A context as JSON, and the facts of one action.

use serde_json::{Map, Value, json};

use super::{Context, Item, RULES, globals, modules, plain, tokens};
use crate::lua;
use kael_engine::catalog::{Definition, Schema};

/// The document of a schema, if there is one.
#[must_use]
pub fn schema_of(schema: Option<&std::sync::Arc<Schema>>) -> Value {
    schema.map_or(Value::Null, |schema| schema.document().clone())
}

/// All that a script's author needs of an action. Fields that say nothing are left out.
#[must_use]
pub fn described(item: &Item<'_>) -> Value {
    let Item {
        name, definition, ..
    } = item;
    let mut told = short(item);
    let contract = &definition.contract;
    let fields = [
        ("call", lua::example_call(name, definition).into()),
        ("params", schema_of(contract.params.as_ref())),
        ("defaults", non_empty(&definition.defaults)),
        ("locked", locked(definition)),
        ("returns", schema_of(contract.returns.as_ref())),
        ("example", contract.example.clone().unwrap_or_default()),
    ];
    for (field, value) in fields {
        if !value.is_null() {
            told[field] = value;
        }
    }
    told
}

/// What a list has of an action.
#[must_use]
pub fn short(item: &Item<'_>) -> Value {
    json!({
        "name": item.name.as_str(),
        "description": item.definition.contract.description.as_deref().map(plain),
        "effects": item.definition.effects.kind.name(),
        "decision": item.standing.word(),
    })
}

fn non_empty(values: &Map<String, Value>) -> Value {
    match values.is_empty() {
        true => Value::Null,
        false => Value::Object(values.clone()),
    }
}

/// The names alone: a value may be what a script should not know.
fn locked(definition: &Definition) -> Value {
    match definition.locked.is_empty() {
        true => Value::Null,
        false => definition.locked.keys().cloned().collect(),
    }
}

pub(super) fn write(context: &Context<'_>, budget: usize) -> String {
    let rules: Vec<String> = RULES
        .split("\n- ")
        .map(|rule| {
            rule.trim_start_matches("- ")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let globals = globals::globals().into_iter();
    let globals: Map<String, Value> = globals
        .map(|global| (global.signature, global.description.into()))
        .collect();
    let mut document = json!({
        "repo": context.title,
        "query": context.query,
        "rules": rules,
        "globals": globals,
        "actions": [],
        "actions_in_all": context.total,
        "left_out": 0,
    });
    if !context.modules.is_empty() {
        let third = budget.saturating_sub(tokens(&document.to_string())) / 3;
        document["modules"] = modules::documents(&context.modules, third).into();
    }
    let room = budget.saturating_sub(tokens(&document.to_string()) + 8);
    let (mut used, mut left_out, mut in_full) = (0, 0, true);
    let mut actions = Vec::new();
    for item in &context.actions {
        let full = in_full.then(|| described(item));
        let told = full.filter(|told| used + tokens(&told.to_string()) <= room);
        in_full = told.is_some();
        let told = told.unwrap_or_else(|| short(item));
        let cost = tokens(&told.to_string()) + 1;
        if used + cost > room {
            left_out += 1;
            continue;
        }
        used += cost;
        actions.push(told);
    }
    document["actions"] = actions.into();
    document["left_out"] = left_out.into();
    document.to_string()
}
