//! Annotations of the modules for editors, made of the `@quickref` lines of their heads.
//!
//! `c.kv:get(mount, key) -> {data, metadata}|nil | text` is a method of the part `kv` of what
//! `M.client` gives. A parameter with `?` may be left out, and `...` takes any.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::module_head::{Method, ModuleHead};

/// The annotations of a module, as a file that `require` of its name leads an editor to.
pub(crate) fn annotations(head: &ModuleHead) -> String {
    let mut text = format!("---@meta {}\n-- {}\n\n", head.name, head.description);
    if let Some(other) = head.same {
        let _ = writeln!(text, "return require(\"{other}\")");
        return text;
    }
    // Objects by their letter (`M`, `c`), and their parts.
    let mut parts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for method in &head.methods {
        let signature = Signature::of(method.signature);
        let known = parts.entry(signature.object).or_default();
        if let Some(part) = signature.part
            && !known.contains(&part)
        {
            known.push(part);
        }
    }
    parts.entry("M").or_default();
    for (object, parts) in &parts {
        let class = class_of(head.name, object, None);
        let _ = writeln!(text, "---@class {class}");
        for part in parts {
            let _ = writeln!(
                text,
                "---@field {part} {}",
                class_of(head.name, object, Some(part))
            );
        }
        // The flat names of the first generations are there, too.
        let _ = writeln!(text, "---@field [string] any\nlocal {object} = {{}}\n");
        for part in parts {
            let class = class_of(head.name, object, Some(part));
            let _ = writeln!(text, "---@class {class}\nlocal {object}_{part} = {{}}\n");
        }
    }
    let makes = head
        .methods
        .iter()
        .any(|method| method.signature.starts_with("M.client("));
    if !makes && parts.contains_key("c") {
        let class = class_of(head.name, "c", None);
        let _ = writeln!(text, "---@return {class}\nfunction M.client(...) end\n");
    }
    for method in &head.methods {
        write_method(&mut text, head, method, &parts);
    }
    text.push_str("return M\n");
    text
}

fn write_method(
    text: &mut String,
    head: &ModuleHead,
    method: &Method,
    objects: &BTreeMap<&str, Vec<&str>>,
) {
    let signature = Signature::of(method.signature);
    let _ = writeln!(text, "--- {}", method.text);
    for param in &signature.params {
        match param.strip_suffix('?') {
            _ if *param == "..." => text.push_str("---@param ... any\n"),
            Some(name) => {
                let _ = writeln!(text, "---@param {name}? {}", type_of_param(name));
            }
            None => {
                let _ = writeln!(text, "---@param {param} {}", type_of_param(param));
            }
        }
    }
    let returns = top_level(method.returns, ',').into_iter();
    let returns = returns.map(|one| type_of(head.name, one.trim(), objects));
    let _ = writeln!(
        text,
        "---@return {}",
        returns.collect::<Vec<_>>().join(", ")
    );
    let names = signature
        .params
        .iter()
        .map(|param| param.trim_end_matches('?'));
    let names = names.collect::<Vec<_>>().join(", ");
    let (object, name) = (signature.object, signature.name);
    let mark = if signature.is_method { ':' } else { '.' };
    let _ = match signature.part {
        Some(part) => writeln!(text, "function {object}_{part}{mark}{name}({names}) end\n"),
        None => writeln!(text, "function {object}{mark}{name}({names}) end\n"),
    };
}

fn class_of(module: &str, object: &str, part: Option<&str>) -> String {
    let object = match object {
        "M" => module.to_owned(),
        object => format!("{module}.{object}"),
    };
    part.map_or(object.clone(), |part| format!("{object}.{part}"))
}

/// `c.part:name(a, b?)`, in its pieces.
struct Signature<'a> {
    object: &'a str,
    part: Option<&'a str>,
    name: &'a str,
    is_method: bool,
    params: Vec<&'a str>,
}

impl<'a> Signature<'a> {
    fn of(text: &'a str) -> Self {
        let (path, params) = text.split_once('(').unwrap_or((text, ")"));
        let params = params.trim_end_matches(')').split(',').map(str::trim);
        let is_method = path.contains(':');
        let (before, name) = path.rsplit_once([':', '.']).unwrap_or(("M", path));
        let (object, part) = match before.split_once('.') {
            Some((object, part)) => (object, Some(part)),
            None => (before, None),
        };
        Self {
            object,
            part,
            name,
            is_method,
            params: params.filter(|param| !param.is_empty()).collect(),
        }
    }
}

fn type_of_param(name: &str) -> &'static str {
    match name {
        "opts" | "fields" | "filters" | "query" | "keys" => "table",
        "seconds" | "hours" | "number" | "depth" | "interval" => "number",
        "ns" | "name" | "path" | "url" | "mount" | "promql" | "logql" | "namespace" => "string",
        _ => "any",
    }
}

/// The type of a result: `[pull]`, `{ready, total}`, `bool`, `release|nil`.
fn type_of(module: &str, text: &str, objects: &BTreeMap<&str, Vec<&str>>) -> String {
    let choices = top_level(text, '|');
    if choices.len() > 1 {
        let types = choices.into_iter().map(|one| type_of(module, one, objects));
        return types.collect::<Vec<_>>().join("|");
    }
    let inner = |open, close| {
        text.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
    };
    if let Some(element) = inner('[', ']') {
        let element = type_of(module, element, objects);
        return if element.contains('|') {
            format!("({element})[]")
        } else {
            format!("{element}[]")
        };
    }
    if let Some(fields) = inner('{', '}') {
        // `{key = text}` is a table of any keys, and `{a, b}` one with these.
        if fields.contains(['=', '[', ' ']) && !fields.contains(", ") || fields.contains('=') {
            return "table<string, any>".to_owned();
        }
        let fields = top_level(fields, ',').into_iter();
        let fields = fields.map(|field| format!("{}: any", field.trim()));
        return format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "));
    }
    match text {
        class if class.starts_with("assay.") => class.to_owned(),
        "bool" => "boolean".to_owned(),
        "nil" | "true" | "string" | "number" => text.to_owned(),
        "ciphertext" | "ip" | "id" | "state" | "text" => "string".to_owned(),
        "enabled" | "others" | "count" | "status" => "any".to_owned(),
        "iterator" => "fun(): any".to_owned(),
        "value" | "result" | "answer" => "any".to_owned(),
        "handler" => "function".to_owned(),
        object if objects.contains_key(object) => class_of(module, object, None),
        _ => "table".to_owned(),
    }
}

/// Splits where no bracket is open.
fn top_level(text: &str, at: char) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0_i32, 0, Vec::new());
    for (index, char) in text.char_indices() {
        match char {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth -= 1,
            char if char == at && depth == 0 => {
                parts.push(&text[from..index]);
                from = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_becomes_classes_and_functions() {
        let head = ModuleHead {
            name: "assay.x",
            description: "X.",
            category: "",
            keywords: Vec::new(),
            env: Vec::new(),
            same: None,
            methods: vec![
                Method {
                    signature: "M.client(url, opts?)",
                    returns: "c",
                    text: "a client",
                },
                Method {
                    signature: "c.kv:get(mount, key)",
                    returns: "{data, metadata}|nil",
                    text: "one",
                },
                Method {
                    signature: "c:names(...)",
                    returns: "[string], count",
                    text: "all",
                },
            ],
        };
        let wanted = "---@meta assay.x
-- X.

---@class assay.x
---@field [string] any
local M = {}

---@class assay.x.c
---@field kv assay.x.c.kv
---@field [string] any
local c = {}

---@class assay.x.c.kv
local c_kv = {}

--- a client
---@param url string
---@param opts? table
---@return assay.x.c
function M.client(url, opts) end

--- one
---@param mount string
---@param key any
---@return { data: any, metadata: any }|nil
function c_kv:get(mount, key) end

--- all
---@param ... any
---@return string[], any
function c:names(...) end

return M
";
        assert_eq!(annotations(&head), wanted);
    }

    #[test]
    fn every_line_of_every_head_is_read() {
        let own = |head: &ModuleHead| head.same.is_none();
        for head in crate::modules().into_iter().filter(own) {
            let text = annotations(&head);
            for method in &head.methods {
                let signature = Signature::of(method.signature);
                assert!(
                    !signature.name.is_empty() && !signature.name.contains(' '),
                    "{method:?}"
                );
                assert!(text.contains(&format!("{}(", signature.name)), "{method:?}");
            }
        }
    }
}
