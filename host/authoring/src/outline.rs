//! The names that scripts of a repo can use: the tree and the globals. The sandbox itself lists
//! them, so the list is always right.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use thiserror::Error;

use kael_engine::json::JsonError;
use kael_engine::limits::Limits;
use kael_engine::runtime::{Repo, Runtime};
use kael_engine::sandbox::Script;

/// Walks the tree and the globals without calling anything. Marks a table as open if it was seen
/// before, or if it creates fields on access.
const WALK: &str = r#"
local next, type, pcall, getmetatable = next, type, pcall, getmetatable
local nodes, globals, seen = {}, {}, {}
local function open(node, path)
  local ok, problem = pcall(function() return node["\1"] end)
  if ok then return getmetatable(node) ~= nil end
  local below = table.move(path, 1, #path, 1, {})
  below[#below + 1] = "\1"
  local read, name = pcall(function() return problem.action end)
  return not read or name ~= table.concat(below, ".")
end
local function walk(node, path)
  if seen[node] or #path > 60 then return { path = path, kind = "table", open = true } end
  seen[node] = true
  nodes[#nodes + 1] = { path = json.array(path), kind = "table", open = open(node, path) }
  for key, value in next, node do
    if type(key) == "string" and utf8.len(key) then
      local below = table.move(path, 1, #path, 1, {})
      below[#below + 1] = key
      if type(value) ~= "table" then
        nodes[#nodes + 1] = { path = json.array(below), kind = type(value), open = false }
      else
        local again = walk(value, below)
        if again then nodes[#nodes + 1] = again end
      end
    end
  end
end
local known = { actions = true, arg = true, _G = true, package = true }
-- These fill themselves when they are first used; a program may have been built without them.
local library = { base64 = true, env = true, fs = true, http = true, log = true, regex = true, toml = true, yaml = true }
for name, value in next, _G do
  if type(name) == "string" and utf8.len(name) then
    local fields = {}
    if type(value) == "table" and not known[name] and getmetatable(value) == nil then
      for field in next, value do
        if type(field) == "string" and utf8.len(field) then fields[#fields + 1] = field end
      end
    elseif type(value) == "table" and library[name] then
      pcall(function()
        for field in pairs(value) do fields[#fields + 1] = field end
      end)
    end
    globals[#globals + 1] = { name = name, kind = type(value), fields = json.array(fields) }
  end
end
if arg[1] == "repo" then walk(actions, {}) end
return { nodes = json.array(nodes), globals = json.array(globals) }
"#;

/// The kind of a value in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A function: an action if the catalog has the name, otherwise one of the repo's own.
    Function,
    /// A namespace.
    Table {
        /// Whether it may have fields that are not listed.
        open: bool,
        fields: BTreeMap<String, Node>,
    },
    /// Any other value.
    Value,
}

/// All names that scripts can use.
#[derive(Debug)]
pub(super) struct Outline {
    /// The tree below `actions`. None without a repo.
    pub(super) tree: Option<Node>,
    /// Every global, with its field names if it is a plain table.
    pub(super) globals: BTreeMap<String, BTreeSet<String>>,
}

/// Why the sandbox has not answered a question of Kael's own.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The script that asks it has failed.
    #[error("{0}")]
    Failed(String),
    /// The answer is not JSON.
    #[error(transparent)]
    Answer(#[from] JsonError),
}

/// Asks the sandbox.
///
/// # Errors
/// When the sandbox does not answer.
pub(super) async fn outline(
    runtime: &Runtime,
    repo: Option<&Repo>,
    limits: &Limits,
) -> Result<Outline, SandboxError> {
    let script = Script {
        name: "(outline)".to_owned(),
        source: WALK.into(),
        args: repo.map(|_| "repo".to_owned()).into_iter().collect(),
        want_result: true,
        ..Script::default()
    };
    let text = runtime.eval_internal(repo, script, limits).await;
    let text = text.map_err(|error| SandboxError::Failed(error.to_string()))?;
    let value = kael_engine::json::parse(text.as_bytes())?;
    Ok(read(&value, repo.is_some()))
}

fn read(value: &Value, with_tree: bool) -> Outline {
    let list = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let words = |list: Vec<Value>| -> Vec<String> {
        list.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let globals = list(value, "globals").into_iter().filter_map(|global| {
        let name = global.get("name")?.as_str()?.to_owned();
        Some((name, words(list(&global, "fields")).into_iter().collect()))
    });
    let mut tree = Node::Table {
        open: false,
        fields: BTreeMap::new(),
    };
    // Parents come before their children.
    for node in list(value, "nodes") {
        let open = node.get("open").and_then(Value::as_bool).unwrap_or(true);
        let kind = match node.get("kind").and_then(Value::as_str) {
            Some("table") => Node::Table {
                open,
                fields: BTreeMap::new(),
            },
            Some("function") => Node::Function,
            _ => Node::Value,
        };
        put(&mut tree, &words(list(&node, "path")), kind);
    }
    Outline {
        tree: with_tree.then_some(tree),
        globals: globals.collect(),
    }
}

fn put(tree: &mut Node, path: &[String], node: Node) {
    let Some((last, above)) = path.split_last() else {
        *tree = node;
        return;
    };
    let mut at = tree;
    for key in above {
        let Node::Table { fields, .. } = at else {
            return;
        };
        let Some(below) = fields.get_mut(key) else {
            return;
        };
        at = below;
    }
    if let Node::Table { fields, .. } = at {
        fields.insert(last.clone(), node);
    }
}
