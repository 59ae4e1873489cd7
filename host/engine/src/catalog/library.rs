//! What a program brings for the scripts of every repo: actions that Kael does itself, and the Lua
//! through which scripts use them.
//!
//! A definition is made when it is first looked up, so that a run without any of them costs nothing.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::executor::Executor;
use super::{Definition, Location, RawDefinition};
use crate::names::ActionName;

/// An action that Kael brings.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinAction {
    /// Its name, below `kael`.
    pub name: &'static str,
    /// The fields that `define_action` would take, but `source` and `executor`, as a JSON object.
    pub fields: &'static str,
}

/// Actions and Lua of the host.
pub struct Library {
    /// Sorted by name.
    actions: Vec<(BuiltinAction, OnceLock<Option<Arc<Definition>>>)>,
    lua: fn(&str) -> Option<&'static str>,
}

impl Library {
    /// A library of these actions. `lua` gives the text of a module by its name: `http`,
    /// `assay.prometheus`.
    #[must_use]
    pub fn new(actions: &[BuiltinAction], lua: fn(&str) -> Option<&'static str>) -> Self {
        let mut actions: Vec<_> = actions
            .iter()
            .map(|action| (*action, OnceLock::new()))
            .collect();
        actions.sort_by_key(|(action, _)| action.name);
        Self { actions, lua }
    }

    /// The names of its actions, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(|(action, _)| action.name)
    }

    /// The action of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        let found = self
            .actions
            .binary_search_by_key(&name, |(action, _)| action.name);
        let (action, made) = &self.actions[found.ok()?];
        made.get_or_init(|| define(action)).as_ref()
    }

    /// Every action, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.names().filter_map(|name| self.get(name))
    }

    /// The Lua of a module.
    #[must_use]
    pub fn lua(&self, module: &str) -> Option<&'static str> {
        (self.lua)(module)
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// None for fields that are wrong: a mistake of the program, which its tests find.
fn define(action: &BuiltinAction) -> Option<Arc<Definition>> {
    let mut fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(action.fields).ok()?;
    fields.insert("source".to_owned(), "kael".into());
    fields.insert("executor".to_owned(), Executor::Native.name().into());
    let raw = RawDefinition {
        names: Vec::new(),
        location: Location {
            file: "kael".to_owned(),
            line: 1,
        },
        body: serde_json::Value::Object(fields).to_string(),
        error: None,
    };
    let mut definition = Definition::parse(&raw).ok()?;
    definition.names = vec![ActionName::builtin(action.name).ok()?];
    definition.executor = Executor::Builtin;
    Some(Arc::new(definition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_defined_when_it_is_looked_up() {
        let actions = [
            BuiltinAction {
                name: "kael.b",
                fields: r#"{ "description": "b", "effects": "none", "params": { "x": "string" } }"#,
            },
            BuiltinAction {
                name: "kael.a.c",
                fields: "{}",
            },
        ];
        let library = Library::new(&actions, |name| (name == "m").then_some("return 1"));
        assert_eq!(library.names().collect::<Vec<_>>(), ["kael.a.c", "kael.b"]);
        let found = library.get("kael.b").expect("defined");
        assert_eq!(found.executor, Executor::Builtin);
        assert_eq!(found.names[0].as_str(), "kael.b");
        assert!(found.contract.params.is_some() && library.get("kael.x").is_none());
        assert_eq!(library.iter().count(), 2);
        assert_eq!(
            (library.lua("m"), library.lua("n")),
            (Some("return 1"), None)
        );
    }
}
