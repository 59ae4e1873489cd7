//! Checks a script's calls of actions: whether the action exists, and whether literal parameters
//! fit its schema.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::params;
use super::syntax_facts::{Arguments, Expr, Facts, Form, Path, Root, Use, What};
use super::{Deadline, Found, MAX_PROBLEMS};
use crate::lua;
use crate::outline::Node;
use kael_engine::catalog::{Catalog, Definition};
use kael_engine::names;

/// Keys of a path that is looked at: no tree is so deep.
const MAX_KEYS: usize = 64;
/// How many aliases of aliases to follow.
const MAX_ALIASES: usize = 16;

/// Finds the mistakes in a script's calls.
pub(super) fn check(
    facts: &Facts,
    catalog: &Catalog,
    tree: &Node,
    deadline: Deadline,
) -> Vec<Found> {
    if facts.set.contains("_ENV") {
        return Vec::new();
    }
    let mut looking = Linter {
        facts,
        actions: HashMap::new(),
        tree,
        names: OnceCell::new(),
        set: HashSet::new(),
        set_below: HashSet::new(),
        found: Vec::new(),
    };
    // By its first name each, before any other that is the same.
    for (name, definition) in catalog.iter() {
        looking.actions.insert(name.as_str(), definition);
    }
    for (_, definition) in catalog.iter() {
        for name in &definition.names {
            let name = name.as_str();
            looking.actions.entry(name).or_insert(definition);
        }
    }
    for one in facts
        .uses
        .iter()
        .filter(|one| matches!(one.what, What::Set))
    {
        if let Some((path, _)) = looking.in_tree(&one.path) {
            let keys: Vec<String> = path.keys.into_iter().map(|(key, _)| key).collect();
            let starts = (1..=keys.len()).map(|length| keys[..length].to_vec());
            looking.set_below.extend(starts);
            looking.set.insert(keys);
        }
        if deadline.is_over() {
            break;
        }
    }
    // They stand in the order of the script, which tells its first problems.
    for one in &facts.uses {
        if looking.found.len() >= 2 * MAX_PROBLEMS || deadline.is_over() {
            break;
        }
        looking.look(one);
    }
    looking.found
}

struct Linter<'a> {
    facts: &'a Facts,
    /// By all of their names.
    actions: HashMap<&'a str, &'a Definition>,
    tree: &'a Node,
    /// The names of all that the tree holds, once they are asked for.
    names: OnceCell<Vec<String>>,
    /// Paths in the tree to which the script assigns.
    set: HashSet<Vec<String>>,
    /// These, and all places above them.
    set_below: HashSet<Vec<String>>,
    found: Vec<Found>,
}

impl<'a> Linter<'a> {
    /// The path below `actions`, with local aliases replaced by what they stand for, and the number
    /// of keys from aliases.
    fn in_tree(&self, path: &Path) -> Option<(Path, usize)> {
        if path.keys.len() > MAX_KEYS {
            return None;
        }
        let (mut path, mut known) = (path.clone(), 0);
        for _ in 0..MAX_ALIASES {
            match &path.root {
                Root::Global(name) => {
                    return (name == "actions" && !self.facts.set.contains(name))
                        .then_some((path, known));
                }
                Root::Local(number) => {
                    let local = self.facts.locals.get(*number)?;
                    let whole = local.made_with.as_ref().filter(|_| !local.assigned)?;
                    if path.keys.len() + whole.keys.len() > MAX_KEYS {
                        return None;
                    }
                    known += whole.keys.len();
                    let mut keys = whole.keys.clone();
                    keys.append(&mut path.keys);
                    path = Path {
                        root: whole.root.clone(),
                        at: path.at,
                        keys,
                    };
                }
            }
        }
        None
    }

    fn look(&mut self, one: &Use) {
        if let What::Call(arguments) = &one.what {
            self.protected(&one.path, arguments);
        }
        if matches!(one.what, What::Set) {
            return;
        }
        let Some((path, known)) = self.in_tree(&one.path) else {
            return;
        };
        let Some(node) = self.place(&path, known) else {
            return;
        };
        match &one.what {
            What::Read | What::Set => {}
            What::Method(method, at) => self.method(&path, node, method, *at),
            What::Call(arguments) => self.call(&path, node, arguments),
        }
    }

    /// `pcall(actions.x, { … })` also calls it.
    fn protected(&mut self, called: &Path, arguments: &Arguments) {
        let name = Root::Global("pcall".to_owned());
        if called.root != name || !called.keys.is_empty() || self.facts.set.contains("pcall") {
            return;
        }
        let Some((
            Expr {
                form: Form::Path(path),
                ..
            },
            given,
        )) = arguments.list.split_first()
        else {
            return;
        };
        let Some((path, _)) = self.in_tree(path) else {
            return;
        };
        if let Some(definition) = self.find(&path).and_then(|node| self.action(&path, node)) {
            self.given(&path, definition, given, arguments.open);
        }
    }

    /// The node at a path. Reports nothing if there is none.
    fn find(&self, path: &Path) -> Option<&'a Node> {
        path.keys
            .iter()
            .try_fold(self.tree, |node, (key, _)| match node {
                Node::Table { fields, .. } => fields.get(key),
                Node::Function | Node::Value => None,
            })
    }

    /// The node at a path. Reports a missing one, unless its alias was reported before.
    fn place(&mut self, path: &Path, known: usize) -> Option<&'a Node> {
        let mut node = self.tree;
        for (index, (key, at)) in path.keys.iter().enumerate() {
            let name = || -> Vec<&str> {
                path.keys[..=index]
                    .iter()
                    .map(|(key, _)| key.as_str())
                    .collect()
            };
            let is_set = || {
                let place = path.keys[..=index].iter();
                let place: Vec<String> = place.map(|(key, _)| key.clone()).collect();
                self.set_below.contains(&place)
            };
            match node {
                Node::Value => return None,
                Node::Function => {
                    let above = Path {
                        keys: path.keys[..index].to_vec(),
                        ..path.clone()
                    };
                    if index >= known && self.action(&above, node).is_some() {
                        let action = name()[..index].join(".");
                        let message = format!("`{action}` is an action and has no field `{key}`");
                        self.tell(
                            *at,
                            message,
                            format!("call it: {}({{ … }})", dotted(&above)),
                        );
                    }
                    return None;
                }
                Node::Table { open, fields } => match fields.get(key) {
                    Some(inner) => node = inner,
                    None if *open || index == 0 && key == "has" || is_set() => {
                        return None;
                    }
                    None => {
                        if index >= known {
                            self.unknown(&name().join("."), *at);
                        }
                        return None;
                    }
                },
            }
        }
        Some(node)
    }

    fn unknown(&mut self, name: &str, at: usize) {
        let candidates = self.names.get_or_init(|| {
            let mut names = Vec::new();
            collect(self.tree, "", &mut names);
            names
        });
        let near = names::nearest(name, candidates.iter().map(String::as_str));
        let hint = names::did_you_mean(near, '\'');
        let message = format!("no action '{name}'{hint}");
        self.tell(at, message, "see kael-host actions list".to_owned());
    }

    fn action(&self, path: &Path, node: &Node) -> Option<&'a Definition> {
        let keys: Vec<&str> = path.keys.iter().map(|(key, _)| key.as_str()).collect();
        let found = self.actions.get(keys.join(".").as_str()).copied();
        let is_set = || {
            let place: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            self.set.contains(&place)
        };
        found.filter(|_| *node == Node::Function && !is_set())
    }

    fn method(&mut self, path: &Path, node: &'a Node, method: &str, at: usize) {
        let mut whole = path.clone();
        whole.keys.push((method.to_owned(), at));
        let Node::Table { fields, .. } = node else {
            return;
        };
        match fields.get(method) {
            Some(inner) if self.action(&whole, inner).is_some() => {
                let message = format!(
                    "an action is called with a dot: `:{method}` gives it the table in front, too"
                );
                self.tell(at, message, format!("{}({{ … }})", dotted(&whole)));
            }
            Some(_) => {}
            None => _ = self.place(&whole, path.keys.len()),
        }
    }

    fn call(&mut self, path: &Path, node: &'a Node, arguments: &Arguments) {
        if let Some(definition) = self.action(path, node) {
            self.given(path, definition, &arguments.list, arguments.open);
        } else if let (
            Node::Table {
                open: false,
                fields,
            },
            Some((last, at)),
        ) = (node, path.keys.last())
        {
            let first = fields.keys().next().map_or("…", String::as_str);
            let message = format!("`{last}` is a namespace and not an action");
            self.tell(
                *at,
                message,
                format!("call one of it: {}.{first}({{ … }})", dotted(path)),
            );
        }
    }

    fn given(&mut self, path: &Path, definition: &Definition, given: &[Expr], open: bool) {
        let at = path.keys.last().map_or(path.at, |(_, at)| *at);
        let keys: Vec<&str> = path.keys.iter().map(|(key, _)| key.as_str()).collect();
        let name = keys.join(".");
        let mut wrong = Vec::new();
        match given {
            [] => wrong = params::check(definition, None, at),
            [_, second, ..] if !open || given.len() > 2 => {
                let text = format!(
                    "parameters must be one table, got {} arguments",
                    given.len()
                );
                wrong.push((second.at, text));
            }
            [one] | [one, ..] => match &one.form {
                Form::Nil => wrong = params::check(definition, None, at),
                Form::Table(table) => wrong = params::check(definition, Some(table), one.at),
                Form::Literal(value) => {
                    let kind = match value {
                        serde_json::Value::String(_) => "string",
                        serde_json::Value::Bool(_) => "boolean",
                        _ => "number",
                    };
                    wrong.push((one.at, format!("parameters must be a table, got {kind}")));
                }
                Form::Function => wrong.push((
                    one.at,
                    "parameters must be a table, got function".to_owned(),
                )),
                Form::Path(_) | Form::Many | Form::Unknown => {}
            },
        }
        for (at, text) in wrong {
            self.tell(
                at,
                format!("{name}: {text}"),
                format!("kael-host actions describe {name}"),
            );
        }
    }

    fn tell(&mut self, at: usize, message: String, remedy: String) {
        self.found.push(Found {
            at,
            message,
            remedy,
        });
    }
}

fn dotted(path: &Path) -> String {
    let mut out = "actions".to_owned();
    for (key, _) in &path.keys {
        match lua::is_name(key) {
            true => out += &format!(".{key}"),
            false => out += &format!("[{}]", lua::quote(key)),
        }
    }
    out
}

/// The names of all actions in the tree.
fn collect(node: &Node, prefix: &str, names: &mut Vec<String>) {
    if let Node::Table { fields, .. } = node {
        for (key, inner) in fields {
            let name = format!("{prefix}{key}");
            collect(inner, &format!("{name}."), names);
            names.push(name);
        }
    }
}
