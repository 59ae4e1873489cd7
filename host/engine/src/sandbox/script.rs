//! A script and what it is given.

use super::Input;

/// A script and what it is given.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// How errors name it.
    pub name: String,
    /// Its text; bytes that are not UTF-8 may stand in comments and strings.
    pub source: Vec<u8>,
    /// The global `arg`.
    pub args: Vec<String>,
    /// The global `inputs`: names, and the bytes of files.
    pub inputs: Vec<(String, Vec<u8>)>,
    /// What `input()` reads.
    pub input: Input,
    /// Whether the value that it returns is wanted.
    pub want_result: bool,
}

impl Script {
    /// A script whose errors give it that name, with no arguments and no input.
    #[must_use]
    pub fn new(name: &str, source: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            source: source.into(),
            ..Self::default()
        }
    }
}
