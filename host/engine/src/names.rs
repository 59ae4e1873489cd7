//! Names of actions: checked when they are made, and suggested when they are mistyped.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::text;

/// The first part of the names that belong to the host.
pub const RESERVED: &str = "kael";

/// The dotted name of an action: `prometheus.query`.
///
/// Parts of ASCII letters, digits, `_` and `-`, joined by dots; at most 200 bytes; never `kael` or
/// below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionName(Arc<str>);

/// Why a text is not the name of an action.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// It has a forbidden character, an empty part, or more than 200 bytes.
    #[error(
        "`{0}` is not a name for an action: use letters, digits, `_` and `-`, at most 200 of them"
    )]
    Malformed(String),
    /// It belongs to the host.
    #[error("`{0}` is not a name for an action: names that start with `kael` are Kael's own")]
    Reserved(String),
}

impl ActionName {
    /// Checks a name.
    ///
    /// # Errors
    /// When it is malformed or reserved.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if text.len() > 200 || !text.split('.').all(part) {
            return Err(NameError::Malformed(text.chars().take(200).collect()));
        }
        if text.split('.').next() == Some(RESERVED) {
            return Err(NameError::Reserved(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// Checks the name of an action that the host brings: one below `kael`.
    ///
    /// # Errors
    /// When it is malformed, or is not below `kael`.
    pub fn builtin(text: &str) -> Result<Self, NameError> {
        match text
            .strip_prefix(RESERVED)
            .and_then(|rest| rest.strip_prefix('.'))
        {
            Some(rest) => {
                // `kael.kael` is none of a repo's names either.
                Self::new(rest)?;
                Ok(Self(text.into()))
            }
            None => Err(NameError::Malformed(text.chars().take(200).collect())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ActionName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The candidate most similar to `name`, if it is close enough to be a typo.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > 200 {
        return None;
    }
    // A difference in length costs at least as many edits.
    let forgiven = 1 + name.len() / 6;
    let scored = candidates
        .filter(|candidate| candidate.chars().count().abs_diff(name.chars().count()) <= forgiven)
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate));
    let (edits, best) = scored.min_by_key(|(edits, _)| *edits)?;
    (edits <= forgiven).then_some(best)
}

/// ` (did you mean 'near'?)`, with the candidate between two of `quote`; empty without one.
#[must_use]
pub fn did_you_mean(near: Option<&str>, quote: char) -> String {
    near.map(|near| format!(" (did you mean {quote}{near}{quote}?)"))
        .unwrap_or_default()
}

/// A name for messages: a script may have made it up, so it is escaped and cut to fit a line.
#[must_use]
pub fn printable(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.len() <= 100 && name.bytes().all(plain) {
        return name.to_owned();
    }
    let short = text::shorten(name, 100);
    short.chars().flat_map(char::escape_debug).collect()
}

/// Names that a message lists.
const FEW: usize = 5;

/// A list of names, of which there may be many: `a, b, c, d, e and 12 more`.
#[must_use]
pub fn few(names: &[&str]) -> String {
    let shown = names[..names.len().min(FEW)].join(", ");
    match names.len().saturating_sub(FEW) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dotted_words() {
        assert!(ActionName::new("prometheus.query-range_2").is_ok());
        for bad in [
            "",
            ".",
            "a..b",
            "a.",
            "a b",
            "a\nb",
            "a/../b",
            "é",
            "--x y",
            &"x".repeat(201),
        ] {
            assert!(
                matches!(ActionName::new(bad), Err(NameError::Malformed(_))),
                "{bad}"
            );
        }
        assert!(matches!(
            ActionName::new("kael.print"),
            Err(NameError::Reserved(_))
        ));
        assert!(matches!(
            ActionName::new("kael"),
            Err(NameError::Reserved(_))
        ));
        assert!(ActionName::new("kaels.print").is_ok());
    }

    #[test]
    fn a_typo_is_suggested_and_other_names_are_not() {
        let all = || ["db.query", "text.wordcount"].into_iter();
        let hint = |name: &str| did_you_mean(nearest(name, all()), '`');
        assert_eq!(hint("text.wordcuont"), " (did you mean `text.wordcount`?)");
        assert_eq!(hint("deploy.scale"), "");
    }

    #[test]
    fn names_in_messages_are_escaped_and_short() {
        assert_eq!(printable("db.query"), "db.query");
        assert_eq!(printable("a\u{1b}[2J"), "a\\u{1b}[2J");
        assert_eq!(
            printable(&"x".repeat(200)),
            format!("{}...", "x".repeat(100))
        );
    }
}
