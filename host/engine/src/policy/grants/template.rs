//! Texts with values in them that the host knows: `Bearer {secret:github/read}`, `Bearer {env:TOKEN}`.

use super::super::{Mistake, shown};
use crate::secrets::check_name;

/// A text with places for secrets and variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// In their order.
    pub parts: Vec<Part>,
}

/// A part of such a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// The value of a variable of the host, which no script sees.
    Variable(String),
    /// The value of a secret, by its name.
    Secret(String),
}

impl Template {
    pub(super) fn read(text: &str, line: u32, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, behind) = rest.split_at(at);
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some(end) = behind.find('}') else {
                let message = format!("`{}` has no `}}`", shown(behind));
                mistakes.push(Mistake::new(line, message));
                return None;
            };
            let inner = &behind[1..end];
            match inner.split_once(':') {
                Some(("env", name)) if is_variable(name) => {
                    parts.push(Part::Variable(name.to_owned()));
                }
                Some(("secret", name)) => {
                    if let Err(why) = check_name(name) {
                        let message = format!("the secret `{}` {why}", shown(name));
                        mistakes.push(Mistake::new(line, message));
                        return None;
                    }
                    parts.push(Part::Secret(name.to_owned()));
                }
                _ => {
                    let message = format!(
                        "`{}` is no value: write {{secret:NAME}} or {{env:NAME}}",
                        shown(&behind[..=end])
                    );
                    mistakes.push(Mistake::new(line, message));
                    return None;
                }
            }
            rest = &behind[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Some(Self { parts })
    }

    /// The names of the secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Secret(name) => Some(name.as_str()),
            Part::Text(_) | Part::Variable(_) => None,
        })
    }
}

/// Whether a text is the name of an environment variable.
pub(super) fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
