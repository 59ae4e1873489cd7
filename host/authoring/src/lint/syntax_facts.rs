//! The facts about a script that its text shows without running it.

use std::collections::BTreeSet;

use serde_json::Value;

/// All facts about one script.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Every read of a global.
    pub(super) reads: Vec<Read>,
    /// Globals that the script sets or declares.
    pub(super) set: BTreeSet<String>,
    /// Every use of a value by a path that starts with a name.
    pub(super) uses: Vec<Use>,
    /// Every local, by number.
    pub(super) locals: Vec<Local>,
}

/// A read of a global.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) name: String,
    pub(super) at: usize,
    /// Whether the script only tests that it exists: `x or y`, `if x then`.
    pub(super) asked: bool,
    /// Whether the script only reads a field of it.
    pub(super) indexed: bool,
}

/// A local variable.
#[derive(Debug)]
pub(super) struct Local {
    /// The path that it is initialised with, if it is one.
    pub(super) made_with: Option<Path>,
    /// Whether the script assigns to it later.
    pub(super) assigned: bool,
}

/// The start of a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Root {
    Global(String),
    /// The number of a local.
    Local(usize),
}

/// A name and the keys after it: `actions.db["query"]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    pub(super) root: Root,
    /// Its position.
    pub(super) at: usize,
    /// The keys with their positions.
    pub(super) keys: Vec<(String, usize)>,
}

/// What the script does with the value at a path.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) path: Path,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Read,
    Set,
    Call(Arguments),
    /// A method call, and the method's name.
    Method(String, usize),
}

/// The arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) list: Vec<Expr>,
    /// Whether the last argument may be any number of values.
    pub(super) open: bool,
}

/// A value, as far as the text shows it.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) at: usize,
    pub(super) form: Form,
}

#[derive(Debug)]
pub(super) enum Form {
    Nil,
    /// A literal that is not a table.
    Literal(Value),
    Table(Table),
    Path(Path),
    /// A function literal.
    Function,
    /// Known only at run time; it may be any number of values.
    Many,
    /// Known only at run time.
    Unknown,
}

/// A table constructor.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Fields with names, in order, with the positions of the names.
    pub(super) fields: Vec<(String, usize, Expr)>,
    /// Fields without names.
    pub(super) elements: Vec<Expr>,
    /// Whether it may have further fields.
    pub(super) open: bool,
    /// Whether it is the argument of `json.array`: a list, even if it is empty.
    pub(super) list: bool,
}
