//! What was reviewed of a server's tools: written once by `actions mcp add`, read by a person, and
//! loaded with the repo, which needs no server.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use kael_authoring::context::plain;
use kael_authoring::lua;
use kael_engine::catalog::{Definition, McpTool, Schema};
use kael_engine::executor::RepoContext;
use kael_engine::failure::ActionError;

use super::connection::{Connection, Place, words};
use super::digest::digest;

/// One tool as it was reviewed.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// What its server calls it.
    pub tool: String,
    /// What it says of itself, without characters that a reviewer does not see.
    pub description: String,
    /// The schema of its parameters.
    pub params: Value,
    /// The schema of its structured results.
    pub returns: Option<Value>,
    /// Of all that the server says of it.
    pub digest: String,
}

/// The tools of a server by the names of their actions.
pub type Lock = BTreeMap<String, Tool>;

/// What a server offers.
#[derive(Debug, Default)]
pub struct Listed {
    /// What can be an action.
    pub tools: Lock,
    /// What cannot, and why.
    pub left_out: Vec<String>,
}

/// Starts a server or connects to it as its actions will, and asks for its tools.
///
/// # Errors
/// When it cannot be started, or does not answer.
pub async fn list(
    place: &Place,
    repo: &RepoContext,
    within: Duration,
) -> Result<Listed, ActionError> {
    let asking = async {
        let connection = Connection::open(place, repo, within).await?;
        connection
            .tools()
            .await
            .map_err(|error| ActionError::unavailable(words(&error.to_string()), None))
    };
    let tools = tokio::time::timeout(within, asking)
        .await
        .unwrap_or_else(|_| {
            Err(ActionError::unavailable(
                "the server did not answer in time",
                None,
            ))
        })?;
    Ok(Listed::of(tools))
}

impl Listed {
    /// What a server offers that has these tools.
    #[must_use]
    pub fn of(tools: Vec<rmcp::model::Tool>) -> Self {
        let mut listed = Self::default();
        for tool in tools {
            let name = action_name(&tool.name);
            let Some(name) = name.filter(|name| !listed.tools.contains_key(name)) else {
                let why = format!("{}: not a name for an action", words(&tool.name));
                listed.left_out.push(why);
                continue;
            };
            let reviewed = Tool {
                tool: tool.name.to_string(),
                description: plain(tool.description.as_deref().unwrap_or_default()),
                params: schema(&tool.input_schema),
                returns: tool.output_schema.as_deref().map(schema),
                digest: digest(&tool),
            };
            listed.tools.insert(name, reviewed);
        }
        listed
    }
}

/// A tool's name as a field of a Lua table that an action's name may have.
fn action_name(tool: &str) -> Option<String> {
    let name: String = tool
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (starts_well && name.len() <= 100).then_some(name)
}

/// A schema as a definition takes it: the draft is the engine's to know. Its prose is for reviewers
/// and models, as the tool's own is.
fn schema(given: &Map<String, Value>) -> Value {
    let mut schema = given.clone();
    schema.remove("$schema");
    let mut schema = Value::Object(schema);
    show_prose(&mut schema);
    schema
}

/// Takes characters that a reader does not see out of the prose of a schema.
fn show_prose(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(show_prose),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text)
                        if matches!(name.as_str(), "description" | "title" | "$comment") =>
                    {
                        *text = plain(text);
                    }
                    other => show_prose(other),
                }
            }
        }
        _ => {}
    }
}

impl Tool {
    /// What a definition of the repo has of a tool.
    #[must_use]
    pub fn of(definition: &Definition, tool: &McpTool) -> Self {
        let contract = &definition.contract;
        let schema = |schema: &Option<std::sync::Arc<Schema>>| {
            schema.as_ref().map(|schema| schema.document().clone())
        };
        Self {
            tool: tool.tool.clone(),
            description: contract.description.clone().unwrap_or_default(),
            params: schema(&contract.params).unwrap_or_default(),
            returns: schema(&contract.returns),
            digest: tool.digest.clone(),
        }
    }
}

/// A lock file: Lua that returns a table of tools.
#[must_use]
pub fn locked(lock: &Lock) -> String {
    let mut out = String::from(
        "-- What a server says of its tools, for a person to review: models read these descriptions.\n\
         -- Written by kael-host actions mcp; a tool that its server describes otherwise is not called.\nreturn {\n",
    );
    for (name, tool) in lock {
        out += &format!(
            "  {} = {{\n    tool = {},\n    digest = {},\n    description = {},\n    params = {},\n",
            lua::key(name),
            lua::quote(&tool.tool),
            lua::quote(&tool.digest),
            lua::quote(&tool.description),
            literal(&tool.params, 2),
        );
        if let Some(returns) = &tool.returns {
            out += &format!("    returns = {},\n", literal(returns, 2));
        }
        out += "  },\n";
    }
    out + "}\n"
}

/// A value over several lines, in which an empty list stays one.
fn literal(value: &Value, depth: usize) -> String {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    let block = |lines: Vec<String>| format!("{{\n{}\n{outer}}}", lines.join("\n"));
    match value {
        Value::Array(list) if list.is_empty() => "json.array({})".to_owned(),
        Value::Array(list) if list.iter().all(|one| !one.is_object() && !one.is_array()) => {
            let words: Vec<String> = list.iter().map(lua::literal).collect();
            format!("{{ {} }}", words.join(", "))
        }
        Value::Array(list) => {
            let line = |one: &Value| format!("{inner}{},", literal(one, depth + 1));
            block(list.iter().map(line).collect())
        }
        Value::Object(fields) if !fields.is_empty() => {
            let line = |(name, value): (&String, &Value)| {
                format!("{inner}{} = {},", lua::key(name), literal(value, depth + 1))
            };
            block(fields.iter().map(line).collect())
        }
        other => lua::literal(other),
    }
}

/// What is different, a line for each part of each tool; empty when nothing is.
#[must_use]
pub fn changes(before: &Lock, now: &Lock) -> String {
    let mut out = String::new();
    for (name, old) in before {
        let Some(new) = now.get(name) else {
            out += &format!("- {name}: is not there any more\n");
            continue;
        };
        if old.digest == new.digest {
            continue;
        }
        out += &format!("~ {name}: changed since it was reviewed\n");
        for (part, old, new) in [
            (
                "description",
                old.description.as_str().into(),
                new.description.as_str().into(),
            ),
            ("params", old.params.clone(), new.params.clone()),
            ("returns", json!(old.returns), json!(new.returns)),
        ] {
            if old != new {
                out += &format!("    - {part}: {old}\n    + {part}: {new}\n");
            }
        }
    }
    for (name, new) in now.iter().filter(|(name, _)| !before.contains_key(*name)) {
        out += &format!("+ {name}: {}\n", Value::from(new.description.as_str()));
    }
    out
}
