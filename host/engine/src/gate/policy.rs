//! Which actions a run may call. No I/O.

use crate::names::ActionName;

/// A pattern of action names; `*` stands for any text, dots included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern is any text; one without `*` matches the name that is spelt the same.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else {
            return false;
        };
        let mut pieces: Vec<&str> = pieces.collect();
        let Some(last) = pieces.pop() else {
            return rest.is_empty();
        };
        for piece in pieces {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

/// What a run may call: everything that no pattern denies.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The patterns of what it may not.
    pub deny: Vec<Pattern>,
}

impl Policy {
    /// The patterns that none of the names matches: a slip of the keyboard would deny nothing.
    pub fn unmatched<'a>(&'a self, names: &'a [&ActionName]) -> impl Iterator<Item = &'a Pattern> {
        let matches = |pattern: &Pattern| names.iter().any(|name| pattern.matches(name.as_str()));
        self.deny.iter().filter(move |pattern| !matches(pattern))
    }

    /// The pattern that denies an action.
    #[must_use]
    pub fn denies(&self, name: &ActionName) -> Option<&Pattern> {
        self.deny
            .iter()
            .find(|pattern| pattern.matches(name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("deploy.scale", "deploy.scale", true),
            ("deploy.scale", "deploy.scales", false),
            ("deploy.*", "deploy.scale", true),
            ("deploy.*", "deploy", false),
            ("*", "a.b.c", true),
            ("*.delete", "a.b.delete", true),
            ("*.delete", "a.delete.x", false),
            ("a*b*c", "a.x.b.y.c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
