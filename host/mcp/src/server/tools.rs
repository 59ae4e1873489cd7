//! The list of the tools of code mode.

use std::sync::Arc;

use rmcp::model::{CacheScope, ListToolsResult, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// What the list of tools may cost, in tokens of four bytes, for a repo of any size.
pub const TOKENS: usize = 1500;

/// What a client is told of the server as a whole.
pub(crate) const INSTRUCTIONS: &str = "Kael runs Lua 5.5 scripts in a sandbox whose only way out is the actions \
of a team. Use `search` to find actions, `describe` for their parameters, then `run` one script that does the \
whole job: call actions as actions.NAME({ ... }), filter and join in Lua, and `return` only what is needed.";

/// What a tool does to the world.
enum Effect {
    Reads,
    Acts,
}

fn tool(name: &'static str, description: &'static str, effect: Effect, input: Value) -> Tool {
    let schema = input.as_object().cloned().unwrap_or_default();
    let annotations = match effect {
        Effect::Reads => ToolAnnotations::new().read_only(true).open_world(false),
        Effect::Acts => ToolAnnotations::new()
            .read_only(false)
            .destructive(true)
            .idempotent(false),
    };
    Tool::new(name, description, Arc::new(schema)).with_annotations(annotations)
}

/// How long a client may keep the list of tools.
const LIST_TTL_MS: u64 = 60_000;

/// An answer with tools, which is for its client alone.
pub(crate) fn listed(tools: Vec<Tool>) -> ListToolsResult {
    let mut list = ListToolsResult::with_all_items(tools);
    list.ttl_ms = Some(LIST_TTL_MS);
    list.cache_scope = Some(CacheScope::Private);
    list
}

/// Sorted by name, so that a client's cache of its prompt holds.
pub(crate) fn list() -> Vec<Tool> {
    let text = |words: &str| json!({ "type": "string", "description": words });
    let object = |properties: Value, required: &[&str]| {
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    };
    vec![
        tool(
            "check",
            "Finds mistakes in a Lua script without running it: syntax, unknown actions, parameters that do not fit. \
             `run` does this first, too.",
            Effect::Reads,
            object(json!({ "code": text("The script.") }), &["code"]),
        ),
        tool(
            "describe",
            "Everything about some actions: parameters and results as JSON Schema, defaults, locked parameters, and \
             an example of a call.",
            Effect::Reads,
            object(
                json!({ "names": { "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 20, "description": "As `search` gives them." } }),
                &["names"],
            ),
        ),
        tool(
            "result",
            "What became of a run whose status was `running` or `waiting`, or a part of an output or a result that \
             was cut.",
            Effect::Reads,
            object(
                json!({
                    "run": text("Its id."),
                    "wait": { "type": "number", "minimum": 0, "maximum": 25, "description": "Seconds to wait for its end." },
                    "part": { "enum": ["output", "result"], "description": "Give this text from byte `from` on, 64 KiB of it." },
                    "from": { "type": "integer", "minimum": 0 },
                }),
                &["run"],
            ),
        ),
        tool(
            "run",
            "Runs a Lua script. It is checked first; mistakes come back with line and hint, and nothing has run. A \
             call that needs approval waits for a person.",
            Effect::Acts,
            object(
                json!({
                    "code": text("The script. `return` a value to give a result."),
                    "args": { "type": "array", "items": { "type": "string" }, "description": "The global `arg`." },
                    "read_only": { "type": "boolean", "description": "Allow only actions that change nothing." },
                    "timeout": { "type": "number", "exclusiveMinimum": 0, "description": "Seconds for the whole run." },
                }),
                &["code"],
            ),
        ),
        tool(
            "search",
            "Finds actions by a few words, the best first. Without words, lists actions by name.",
            Effect::Reads,
            object(
                json!({
                    "query": text("For example: restart pods"),
                    "limit": { "type": "integer", "minimum": 1, "maximum": 20, "description": "10 by default." },
                }),
                &[],
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_costs_few_tokens_and_is_sorted() {
        let tools = list();
        let size = serde_json::to_string(&tools).expect("JSON").len() + INSTRUCTIONS.len();
        assert!(size.div_ceil(4) <= TOKENS, "{size} bytes");
        assert!(tools.is_sorted_by_key(|tool| tool.name.clone()));
    }
}
