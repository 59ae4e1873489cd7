//! Patterns of names and texts: `*` stands for any text.

/// A pattern; `*` stands for any text, dots included.
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

    /// Whether it is one exact name.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether the whole of a text matches. Takes time in proportion to the text.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
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
