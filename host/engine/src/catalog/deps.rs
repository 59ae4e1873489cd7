//! The field `deps`: packages of Python that an action needs, beside those that its source names.

use super::error::DefinitionError;
use super::executor::{Executor, Language};
use super::fields::{Fields, collect_error};

/// Bytes of one requirement.
const MAX_REQUIREMENT: usize = 1000;

/// Takes the field.
pub(super) fn parse(
    fields: &mut Fields<'_>,
    executor: Executor,
    language: Option<Language>,
    wrong: &mut Vec<DefinitionError>,
) -> Vec<String> {
    let deps = collect_error(wrong, fields.strings("deps")).unwrap_or_default();
    if deps.is_empty() {
        return deps;
    }
    if executor != Executor::Native {
        let why = format!("is not for executor \"{}\"", executor.name());
        wrong.push(fields.error("deps", &why));
    }
    if language.is_some_and(|language| language != Language::Python) {
        wrong.push(fields.error("deps", "names packages of Python, and `type` is another"));
    }
    for name in deps.iter().filter(|name| !is_requirement(name)) {
        let shown = name.escape_debug();
        let why = format!("`{shown}` is not a requirement such as \"requests>=2\"");
        wrong.push(fields.error("deps", &why));
    }
    deps
}

/// Whether a text has the shape of a requirement: a name, and what stands behind it in one line.
/// pip judges the rest; nothing that it could take for an option or a path gets to it.
pub(crate) fn is_requirement(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= MAX_REQUIREMENT
        && !text.contains(|c: char| c.is_control())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_requirement;
    use crate::catalog::{defined, errors_of};

    #[test]
    fn requirements_have_a_name_first() {
        for text in [
            "requests",
            "a>=1,<2",
            "b[c] ; python_version > '3'",
            "x @ https://h/x.whl",
        ] {
            assert!(is_requirement(text), "{text}");
        }
        for text in ["", "-r x", "--index-url=x", "./x", "/x", "a\nb", " a"] {
            assert!(!is_requirement(text), "{text}");
        }
    }

    #[test]
    fn deps_are_for_python_that_runs_natively() {
        let deps = json!(["requests>=2"]);
        assert_eq!(defined(&json!({ "deps": deps })).deps, ["requests>=2"]);
        for (fields, expected) in [
            (
                json!({ "deps": ["-x"] }),
                "`-x` is not a requirement such as \"requests>=2\"",
            ),
            (
                json!({ "deps": deps, "type": "node" }),
                "names packages of Python, and `type` is another",
            ),
            (
                json!({ "deps": deps, "executor": "docker" }),
                "is not for executor \"docker\"",
            ),
            (
                json!({ "deps": "requests" }),
                "must be a list of strings, got a string",
            ),
        ] {
            assert_eq!(errors_of(&fields), [format!("field 'deps' {expected}")]);
        }
    }
}
