//! Values of variables that `env` names, hidden in what is told of a failed action: they are often
//! tokens and passwords.

use crate::catalog::Definition;
use crate::environment::Environment;
use crate::failure::{ActionError, Detail};
use crate::text::percent_encoded;

/// Shorter values are words such as `eu` and `true`, and no secrets.
const SHORTEST: usize = 6;

/// Values to hide, the longest first, and what stands in their places.
#[derive(Debug, Clone, Default)]
pub(super) struct Masks(Vec<(String, String)>);

impl Masks {
    /// The variables that an action sees.
    pub(super) fn of(definition: &Definition, environment: &Environment) -> Self {
        let mut all = Vec::new();
        for name in &definition.env {
            let Some(value) = environment.get(name) else {
                continue;
            };
            let value = value.to_string_lossy();
            // A key of several lines is written line by line.
            for line in value.lines().map(str::trim) {
                if line.len() < SHORTEST {
                    continue;
                }
                all.push((line.to_owned(), format!("[{name}]")));
                let encoded = percent_encoded(line);
                if encoded != line {
                    all.push((encoded, format!("[{name}]")));
                }
            }
        }
        all.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self(all)
    }

    /// The same text without the values.
    pub(super) fn hide(&self, text: &mut String) {
        for (value, instead) in &self.0 {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), instead);
            }
            // A text that was cut may end within a value.
            let within = (SHORTEST..value.len())
                .rev()
                .find(|end| value.is_char_boundary(*end) && text.ends_with(&value[..*end]));
            if let Some(end) = within {
                text.truncate(text.len() - end);
                text.push_str(instead);
            }
        }
    }

    /// The same error without the values.
    pub(super) fn hidden(&self, mut error: ActionError) -> ActionError {
        if self.0.is_empty() {
            return error;
        }
        self.hide(&mut error.message);
        if let Some(detail) = &mut error.detail {
            let Detail {
                stderr,
                stdout,
                hint,
                ..
            } = &mut **detail;
            for text in [stderr, stdout].into_iter().chain(hint) {
                self.hide(text);
            }
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::defined;

    #[test]
    fn values_are_hidden_whole_in_lines_in_addresses_and_at_a_cut() {
        let environment = Environment::new(
            [
                ("TOKEN", "hunter2/abc"),
                ("KEY", "-----BEGIN\nMIIabcdef\n"),
                ("REGION", "eu"),
                ("OTHER", "visible-value"),
            ]
            .map(|(name, value)| (name.into(), value.into())),
        );
        let definition = defined(&json!({ "env": ["TOKEN", "KEY", "REGION", "UNSET"] }));
        let masks = Masks::of(&definition, &environment);
        for (text, expected) in [
            ("401 for hunter2/abc", "401 for [TOKEN]"),
            ("x?t=hunter2%2Fabc&a", "x?t=[TOKEN]&a"),
            ("MIIabcdef", "[KEY]"),
            ("cut: hunter2/", "cut: [TOKEN]"),
            ("eu visible-value hunt", "eu visible-value hunt"),
        ] {
            let mut text = text.to_owned();
            masks.hide(&mut text);
            assert_eq!(text, expected);
        }
    }
}
