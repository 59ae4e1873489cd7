//! What each global of a script is, from the annotations that editors read.

use crate::types::GLOBALS;

/// A function or value that scripts find beside Lua's own library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Global {
    /// As a script writes it: `json.encode(value)`.
    pub signature: String,
    /// One sentence or more.
    pub description: String,
}

/// Where the part for scripts ends, and that for modules of the actions repo begins.
const END: &str = "-- What a module of the actions repo finds";

/// All of them, in the order of the annotations.
#[must_use]
pub fn globals() -> Vec<Global> {
    let scripts = GLOBALS.split(END).next().unwrap_or_default();
    let (mut all, mut told) = (Vec::new(), Vec::new());
    for line in scripts.lines() {
        if let Some(text) = line.strip_prefix("--- ") {
            told.push(text);
            continue;
        }
        if line.starts_with("---@") {
            // A class has its own description, and is no global.
            if line.starts_with("---@class") || line.starts_with("---@alias") {
                told.clear();
            }
            continue;
        }
        let function = line.strip_prefix("function ");
        let function = function.and_then(|rest| rest.strip_suffix(" end"));
        let value = || line.split_once(" = ").map(|(name, _)| name);
        if let (Some(signature), false) = (function.or_else(value), told.is_empty()) {
            all.push(Global {
                signature: signature.to_owned(),
                description: told.join(" "),
            });
        }
        told.clear();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_values_have_their_sentences() {
        let all = globals();
        let of = |signature: &str| {
            let found = all.iter().find(|global| global.signature == signature);
            found.map(|global| global.description.as_str())
        };
        assert_eq!(of("json.encode(value)"), Some("A value as JSON."));
        assert!(of("arg").is_some_and(|text| text.contains("arguments")));
        assert!(of("parallel(...)").is_some_and(|text| text.contains("side by side")));
        assert!(
            all.iter()
                .all(|global| !global.signature.contains("define_action")
                    && !global.signature.contains("mcp_server"))
        );
    }
}
