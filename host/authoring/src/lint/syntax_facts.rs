//! What a script says of itself, as far as that shows without running it.

use std::collections::BTreeSet;

use serde_json::Value;

/// All that is noted of one script.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Every place where a global is read.
    pub(super) reads: Vec<Read>,
    /// Globals that the script sets, or declares.
    pub(super) set: BTreeSet<String>,
    /// Every place where a value is used by a path from a name.
    pub(super) uses: Vec<Use>,
    /// Every local, by its number.
    pub(super) locals: Vec<Local>,
}

/// A global that is read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) name: String,
    pub(super) at: usize,
    /// Whether it is only asked for whether it is there: `x or y`, `if x then`.
    pub(super) asked: bool,
    /// Whether a field of it is read, and it goes nowhere else.
    pub(super) indexed: bool,
}

/// A local variable.
#[derive(Debug)]
pub(super) struct Local {
    /// What it is made with, where that is a path.
    pub(super) made_with: Option<Path>,
    /// Whether it may be something else later.
    pub(super) assigned: bool,
}

/// Where a path starts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Root {
    Global(String),
    /// By its number.
    Local(usize),
}

/// A name and the keys behind it: `actions.db["query"]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    pub(super) root: Root,
    /// Where it starts.
    pub(super) at: usize,
    /// Each with its place.
    pub(super) keys: Vec<(String, usize)>,
}

/// What is done with the value at a path.
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
    /// With a colon, and the method's name.
    Method(String, usize),
}

/// What a call is given.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) list: Vec<Expr>,
    /// Whether the last may be any number of values.
    pub(super) open: bool,
}

/// A value, as far as it shows.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) at: usize,
    pub(super) form: Form,
}

#[derive(Debug)]
pub(super) enum Form {
    Nil,
    /// Anything but a table.
    Literal(Value),
    Table(Table),
    Path(Path),
    /// A function that is written here.
    Function,
    /// It shows when the script runs. It may be any number of values.
    Many,
    /// It shows when the script runs.
    Unknown,
}

/// What stands between braces.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By name, in their order, with the places of the names.
    pub(super) fields: Vec<(String, usize, Expr)>,
    /// Without names.
    pub(super) elements: Vec<Expr>,
    /// Whether there may be more of them.
    pub(super) open: bool,
    /// Whether `json.array` stands in front: it is a list, even when it is empty.
    pub(super) list: bool,
}
