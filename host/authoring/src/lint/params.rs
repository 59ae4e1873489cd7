//! Checks the literal part of a call's parameters. Reports only mistakes that do not depend on the
//! unknown part.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::syntax_facts::{Expr, Form, Path, Root, Table};
use kael_engine::catalog::Definition;
use kael_engine::gate::merge::{self, Locks, MergeError};

/// A value with unknown parts.
#[derive(Debug, Default)]
struct Known {
    /// JSON pointers to values that are known only at run time.
    unknown: Vec<String>,
    /// JSON pointers to tables that may have further fields.
    open: Vec<String>,
    /// The position of each value in the script.
    places: BTreeMap<String, usize>,
}

/// A mistake and its position in the script.
pub(super) type Wrong = (usize, String);

/// Checks a parameter table at `at`. Without a table, checks a call without parameters.
pub(super) fn check(definition: &Definition, table: Option<&Table>, at: usize) -> Vec<Wrong> {
    let mut known = Known::default();
    let value = match table {
        None => Value::Object(Map::new()),
        Some(table) => known.table(table, ""),
    };
    let params = match value {
        Value::Object(params) => params,
        // Lua's empty table is not a list in JSON.
        Value::Array(elements) if elements.is_empty() => Map::new(),
        Value::Array(_) => {
            return vec![(
                at,
                "the parameters must be a table with names, got a list".to_owned(),
            )];
        }
        _ => return Vec::new(),
    };
    let mut noted = Noted {
        known: &known,
        wrong: Vec::new(),
    };
    let merged = merge::merge_known(&mut noted, &definition.defaults, params, &definition.locked);
    let mut wrong = noted.wrong;
    let merged = match merged {
        Ok(merged) => merged,
        Err(error) => {
            wrong.push((at, error.to_string()));
            return wrong;
        }
    };
    if let Some(schema) = &definition.contract.params {
        let mut merged = Value::Object(merged);
        let misfits = schema.check_known(&mut merged, &known.unknown, &known.open);
        wrong.extend(misfits.into_iter().map(|misfit| {
            let text = match misfit.path.as_str() {
                "" => format!("the parameters {}", misfit.text),
                path => format!("parameter `{path}` {}", misfit.text),
            };
            (known.place(&misfit.pointer, at), text)
        }));
    }
    wrong
}

/// Continues the gate's merge after a locked key, and notes its position.
struct Noted<'a> {
    known: &'a Known,
    wrong: Vec<Wrong>,
}

impl Locks for Noted<'_> {
    fn is_unknown(&self, path: &[String]) -> bool {
        self.known.unknown.contains(&pointer(path))
    }

    fn refuse(&mut self, path: &[String]) -> Result<(), MergeError> {
        let place = self.known.place(&pointer(path), 0);
        self.wrong.push((place, merge::locked(path).to_string()));
        Ok(())
    }
}

fn pointer(path: &[String]) -> String {
    path.iter()
        .fold(String::new(), |pointer, key| below(&pointer, key))
}

fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

impl Known {
    /// The position of the innermost enclosing value that stands in the script.
    fn place(&self, pointer: &str, whole: usize) -> usize {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return *place;
            }
            match pointer.rsplit_once('/') {
                Some((above, _)) => pointer = above,
                None => return whole,
            }
        }
    }

    /// None for nil, which counts as missing.
    fn value(&mut self, expr: &Expr, pointer: &str) -> Option<Value> {
        match &expr.form {
            Form::Nil => None,
            Form::Literal(value) => Some(value.clone()),
            Form::Table(table) => Some(self.table(table, pointer)),
            Form::Path(path) if is_json_null(path) => Some(Value::Null),
            Form::Path(_) | Form::Function | Form::Many | Form::Unknown => {
                self.unknown.push(pointer.to_owned());
                Some(Value::Null)
            }
        }
    }

    fn table(&mut self, table: &Table, pointer: &str) -> Value {
        let (named, listed) = (
            !table.fields.is_empty(),
            !table.elements.is_empty() || table.list,
        );
        let holes = table
            .elements
            .iter()
            .any(|element| matches!(element.form, Form::Nil));
        if named && listed || holes || table.open && !named && table.elements.len() <= 1 {
            self.unknown.push(pointer.to_owned());
            return Value::Null;
        }
        if table.open {
            self.open.push(pointer.to_owned());
        }
        if listed {
            let elements = table.elements.iter().enumerate();
            // The last value may be any number of values.
            let shown =
                elements.filter(|(_, element)| !matches!(element.form, Form::Many) || !table.open);
            let values = shown.map(|(index, element)| {
                let pointer = below(pointer, &index.to_string());
                self.places.insert(pointer.clone(), element.at);
                self.value(element, &pointer).unwrap_or(Value::Null)
            });
            return Value::Array(values.collect());
        }
        let mut fields = Map::new();
        for (name, at, expr) in &table.fields {
            let pointer = below(pointer, name);
            self.places.insert(pointer.clone(), *at);
            match self.value(expr, &pointer) {
                Some(value) => _ = fields.insert(name.clone(), value),
                None => _ = fields.remove(name),
            }
        }
        Value::Object(fields)
    }
}

fn is_json_null(path: &Path) -> bool {
    path.root == Root::Global("json".to_owned())
        && matches!(&path.keys[..], [(key, _)] if key == "null")
}

#[cfg(test)]
mod tests;
