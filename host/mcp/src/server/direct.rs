//! One tool for each action: the tools of `--tools direct`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use kael_authoring::context::{Item, plain, schema_of};
use kael_engine::catalog::{Catalog, Definition, Effects};
use kael_engine::names::ActionName;

/// Bytes of a name that clients take.
const MAX_NAME: usize = 64;

/// The names of the tools, and the actions that they call.
pub(super) struct Names(BTreeMap<String, ActionName>);

impl Names {
    /// Clients want letters, digits, `_` and `-`: a dot becomes `_`, and a name that is taken or too
    /// long gets a number.
    pub(super) fn new(
        catalog: &Catalog,
        callable: impl Fn(&ActionName, &Definition) -> bool,
    ) -> Self {
        let mut names = BTreeMap::new();
        for (action, _) in catalog.iter().filter(|(name, found)| callable(name, found)) {
            let mut name = action.as_str().replace('.', "_");
            name.truncate(MAX_NAME);
            let mut number = 1;
            while names.contains_key(&name) {
                number += 1;
                let end = format!("_{number}");
                name.truncate(MAX_NAME - end.len());
                name += &end;
            }
            names.insert(name, action.clone());
        }
        Self(names)
    }

    /// The action of a tool.
    pub(super) fn action(&self, tool: &str) -> Option<&ActionName> {
        self.0.get(tool)
    }

    /// All tools and their actions, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &ActionName)> {
        self.0.iter()
    }
}

/// The tool of an action.
pub(super) fn tool(name: &str, item: &Item<'_>) -> Tool {
    let definition = item.definition;
    let contract = &definition.contract;
    let told = contract.description.as_deref().unwrap_or_default();
    let description = plain(&format!("{}: {told}", item.name));
    let effects = definition.effects.kind;
    let hints = ToolAnnotations::with_title(item.name.as_str())
        .read_only(effects == Effects::None)
        .destructive(effects == Effects::Once)
        .idempotent(effects != Effects::Once);
    let tool = Tool::new(name.to_owned(), description, Arc::new(input(definition)));
    let tool = tool.with_annotations(hints);
    match schema_of(contract.returns.as_ref()) {
        Value::Object(schema) if schema.get("type") == Some(&json!("object")) => {
            tool.with_raw_output_schema(Arc::new(schema))
        }
        _ => tool,
    }
}

/// The schema of what a caller gives: without what is locked, and with what has a default optional.
fn input(definition: &Definition) -> Map<String, Value> {
    let schema = schema_of(definition.contract.params.as_ref());
    let Value::Object(mut schema) = schema else {
        return json!({ "type": "object" })
            .as_object()
            .cloned()
            .unwrap_or_default();
    };
    schema.insert("type".to_owned(), "object".into());
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.retain(|name, _| !definition.locked.contains_key(name));
        for (name, default) in &definition.defaults {
            if let Some(Value::Object(property)) = properties.get_mut(name) {
                property.insert("default".to_owned(), default.clone());
            }
        }
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        let set = |name: &str| {
            definition.defaults.contains_key(name) || definition.locked.contains_key(name)
        };
        required.retain(|name| name.as_str().is_none_or(|name| !set(name)));
    }
    schema
}
