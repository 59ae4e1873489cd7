//! Writes the tree below `actions` as EmmyLua annotations: a class per namespace, a function per
//! action.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::existing_annotations::Kept;
use super::schema;
use crate::lua;
use crate::outline::Node;
use kael_engine::catalog::Definition;
use kael_engine::runtime::Repo;

/// Characters of the description of one field.
const MAX_TOLD: usize = 300;

/// The file, and how many actions keep the annotations of their author. Types from the repo's files
/// are written only if the editor does not see those files (`unseen`); otherwise it would find them
/// twice.
pub(super) fn write(repo: &Repo, tree: &Node, unseen: bool) -> (String, usize) {
    let mut writer = Writer {
        repo,
        unseen,
        used: BTreeSet::new(),
        out: String::from(
            "---@meta _\n\n-- What the actions repo defines. Written by kael-host actions types: changes are lost.\n",
        ),
        kept: 0,
    };
    let class = writer.namespace(tree, &[]);
    _ = write!(writer.out, "\n---@type {class}\nactions = nil\n");
    (writer.out, writer.kept)
}

struct Writer<'a> {
    repo: &'a Repo,
    unseen: bool,
    /// Class names that are used already.
    used: BTreeSet<String>,
    out: String,
    kept: usize,
}

impl Writer<'_> {
    /// Writes a namespace with everything below it, and returns the name of its class.
    fn namespace(&mut self, node: &Node, path: &[&str]) -> String {
        let class = self.class("kael.actions", path);
        let Node::Table { open, fields } = node else {
            return "any".to_owned();
        };
        let mut head = format!("---@class {class}\n");
        let mut functions = Vec::new();
        for (key, inner) in fields {
            let below: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            // A key that cannot stand on a comment line is left out.
            if key.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
                continue;
            }
            let kind = match inner {
                Node::Table { .. } => self.namespace(inner, &below),
                Node::Function => match self.definition(&below) {
                    Some(definition) => {
                        functions.push((key.clone(), definition, below.join(".")));
                        continue;
                    }
                    None => "fun(...: any): any ...".to_owned(),
                },
                Node::Value => "any".to_owned(),
            };
            _ = writeln!(head, "---@field {} {kind}", schema::key(key));
        }
        if path.is_empty() && !fields.contains_key("has") {
            head += "---@field has fun(name: string): boolean Whether there is an action of that name.\n";
        }
        if *open {
            head += "---@field [string] any\n";
        }
        let mut body = String::new();
        for (key, definition, name) in functions {
            body += &self.action(&key, &definition, &name);
        }
        _ = write!(self.out, "\ndo\n{head}local namespace = {{}}\n{body}end\n");
        class
    }

    fn definition(&self, path: &[&str]) -> Option<Definition> {
        let name = path.join(".");
        let mut all = self.repo.catalog.iter().map(|(_, definition)| definition);
        let is =
            |definition: &&Definition| definition.names.iter().any(|known| known.as_str() == name);
        all.find(is).cloned()
    }

    /// A class name that is not used yet.
    fn class(&mut self, prefix: &str, path: &[&str]) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let parts = path
            .iter()
            .map(|part| part.chars().map(plain).collect::<String>());
        let mut name = [prefix.to_owned()]
            .into_iter()
            .chain(parts)
            .collect::<Vec<_>>()
            .join(".");
        while !self.used.insert(name.clone()) {
            name.push('_');
        }
        name
    }

    fn action(&mut self, key: &str, definition: &Definition, name: &str) -> String {
        let modules = &self.repo.bundle.modules;
        let module = modules
            .iter()
            .find(|module| module.display == definition.location.file);
        let kept = module.map_or_else(Kept::default, |module| {
            Kept::above(&module.source, definition.location.line)
        });
        self.kept += usize::from(kept != Kept::default());
        let mut out = String::new();
        if self.unseen && !kept.types.is_empty() {
            _ = write!(out, "\n{}\n", kept.types.join("\n"));
        }
        let typed = kept.says("@type");
        let own_params = kept.says("@param") || kept.says("@overload") || typed;
        let params = if own_params {
            String::new()
        } else {
            let (class, line) = self.params(definition, name);
            out += &class;
            line
        };
        out.push('\n');
        if let (Some(description), false) = (&definition.contract.description, kept.tells()) {
            for line in description.lines() {
                _ = writeln!(out, "--- {}", told(line));
            }
        }
        for line in &kept.lines {
            _ = writeln!(out, "{line}");
        }
        out += &params;
        if !kept.says("@return") && !typed {
            let returns = definition.contract.returns.as_ref();
            let kind = returns.map_or_else(
                || "any".to_owned(),
                |schema| schema::of_result(schema.document()),
            );
            _ = writeln!(out, "---@return {kind}");
        }
        let names = match own_params {
            true => kept.parameters().join(", "),
            false => "params".to_owned(),
        };
        let place = match lua::is_name(key) {
            true => format!("namespace.{key}"),
            false => format!("namespace[{}]", lua::quote(key)),
        };
        let value = if typed {
            "nil".to_owned()
        } else {
            format!("function({names}) end")
        };
        _ = writeln!(out, "{place} = {value}");
        out
    }

    /// Writes the class of an action's parameters. Returns the line that refers to it.
    fn params(&mut self, definition: &Definition, name: &str) -> (String, String) {
        let none = Map::new();
        let (defaults, locked) = (&definition.defaults, &definition.locked);
        let schema = definition
            .contract
            .params
            .as_ref()
            .map(|schema| schema.document());
        let known = schema
            .and_then(|schema| schema.get("properties"))
            .and_then(Value::as_object);
        let closed = schema
            .and_then(|schema| schema.get("additionalProperties"))
            .is_some_and(|more| more == &Value::Bool(false));
        let required = schema.map(schema::required).unwrap_or_default();
        let mut fields = Vec::new();
        let mut optional = true;
        for (field, schema) in known.unwrap_or(&none) {
            // A parameter that is locked as a whole cannot be passed.
            let inside = |value: &Value| value.as_object().is_some_and(|inner| !inner.is_empty());
            if locked.get(field).is_some_and(|value| !inside(value)) {
                continue;
            }
            let given = defaults.contains_key(field) || locked.contains_key(field);
            let needed = required.contains(&field.as_str()) && !given;
            optional &= !needed;
            let mut kind = schema::of(schema);
            if given && kind.starts_with('{') {
                // The team's values fill up the fields of the script's table.
                kind = "table".to_owned();
            }
            let words = schema.get("description").and_then(Value::as_str);
            fields.push(line(field, needed, &kind, words, defaults.get(field)));
        }
        if known.is_none() {
            for (field, value) in defaults {
                fields.push(line(field, false, &schema::like(value), None, Some(value)));
            }
        }
        let mark = if optional { "?" } else { "" };
        if fields.is_empty() && !closed {
            return (String::new(), format!("---@param params{mark} table\n"));
        }
        let path: Vec<&str> = name.split('.').collect();
        let class = self.class("kael.params", &path);
        let exact = if closed { "(exact) " } else { "" };
        let open = if closed {
            ""
        } else {
            "---@field [string] any\n"
        };
        (
            format!("\n---@class {exact}{class}\n{}{open}", fields.concat()),
            format!("---@param params{mark} {class}\n"),
        )
    }
}

fn line(
    name: &str,
    needed: bool,
    kind: &str,
    words: Option<&str>,
    default: Option<&Value>,
) -> String {
    let mark = if needed { "" } else { "?" };
    let words = words.map(told).unwrap_or_default();
    let default = default
        .map(|value| format!("Default: {}", told(&lua::literal(value))))
        .unwrap_or_default();
    // A key that is not a name is still a field, unless it would break the line.
    let key = match name.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
        true => return String::new(),
        false => schema::key(name),
    };
    let text = format!("---@field {key}{mark} {kind} {words} {default}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{text}\n")
}

/// Text on a comment line.
fn told(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_TOLD)
        .collect();
    // A line that starts with `@` would be read as a tag.
    text.trim_start_matches('@').trim_end().to_owned()
}
