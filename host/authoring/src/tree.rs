//! Edits the Lua files of a repo's tree. Understands only common forms, so callers check the
//! result.

use super::lua;

/// Adds `key = require("module")` to the table that a file returns. None if the file returns no
/// table in a common form.
pub(super) fn register(source: &str, key: &str, module: &str) -> Option<String> {
    let required = format!("require({})", lua::quote(module));
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    let last = lines.iter().rposition(|line| line.starts_with("return"))?;
    let returned = lines[last].trim_start_matches("return").trim().to_owned();
    if lua::is_name(&returned) {
        let place = if lua::is_name(key) {
            format!("{returned}.{key}")
        } else {
            format!("{returned}[{}]", lua::quote(key))
        };
        lines.insert(last, format!("{place} = {required}"));
    } else {
        let rest = returned.strip_prefix('{')?.trim();
        let entry = format!("{} = {required}", lua::key(key));
        if rest.is_empty() {
            lines.insert(last + 1, format!("  {entry},"));
        } else if rest.starts_with('}') {
            lines[last] = format!("return {{ {entry} {rest}");
        } else {
            lines[last] = format!("return {{ {entry}, {rest}");
        }
    }
    Some(lines.join("\n") + "\n")
}

/// How often a file requires a module.
pub(super) fn requires(source: &str, module: &str) -> usize {
    calls(module)
        .iter()
        .map(|call| source.matches(call.as_str()).count())
        .sum()
}

/// Removes `key = require("module")`.
pub(super) fn unregister(source: &str, module: &str) -> Option<String> {
    if requires(source, module) != 1 {
        return None;
    }
    let (call, at) = calls(module)
        .into_iter()
        .find_map(|call| source.find(&call).map(|at| (call, at)))?;
    let line_start = source[..at].rfind('\n').map_or(0, |at| at + 1);
    let before = &source[line_start..at];
    // The text before it: `key = `, `["key"] = ` or `M.key = `.
    let left = before.trim_end().strip_suffix('=')?.trim_end();
    let key_start = left
        .rfind([' ', '\t', '{', ',', ';'])
        .map_or(0, |at| at + 1);
    let after = &source[at + call.len()..];
    let rest = after.trim_start_matches([' ', '\t']);
    let rest = rest.strip_prefix([',', ';']).unwrap_or(rest);
    let (kept, line_rest) = (
        &left[..key_start],
        rest.split('\n').next().unwrap_or_default(),
    );
    let mut out = source[..line_start].to_owned();
    if kept.trim().is_empty() && line_rest.trim().is_empty() {
        // Removes the line break if nothing else is on the line.
        out.push_str(rest.split_once('\n').map_or("", |(_, next)| next));
    } else {
        out.push_str(kept);
        out.push_str(rest.trim_start_matches([' ', '\t']));
    }
    Some(out)
}

fn calls(module: &str) -> [String; 4] {
    [
        format!("require(\"{module}\")"),
        format!("require('{module}')"),
        format!("require \"{module}\""),
        format!("require '{module}'"),
    ]
}

/// Whether a file does nothing but return one definition.
pub(super) fn is_one_definition(source: &str) -> bool {
    let code = source
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with("--"));
    let starts = code.is_some_and(|line| {
        line.strip_prefix("return")
            .is_some_and(|rest| rest.trim_start().starts_with("define_action"))
    });
    starts && source.matches("define_action").count() >= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_put_in_and_taken_out_again() {
        for (before, after) in [
            (
                "return {\n  a = 1,\n}\n",
                "return {\n  b = require(\"n.b\"),\n  a = 1,\n}\n",
            ),
            ("return {}\n", "return { b = require(\"n.b\") }\n"),
            (
                "return { a = 1 }\n",
                "return { b = require(\"n.b\"), a = 1 }\n",
            ),
            (
                "-- x\nlocal M = {}\nreturn M\n",
                "-- x\nlocal M = {}\nM.b = require(\"n.b\")\nreturn M\n",
            ),
        ] {
            assert_eq!(register(before, "b", "n.b").as_deref(), Some(after));
            let again = unregister(after, "n.b").expect("taken out");
            assert_eq!(again.replace("{ }", "{}"), before);
        }
        assert_eq!(
            register("return {}", "a-b", "a-b").as_deref(),
            Some("return { [\"a-b\"] = require(\"a-b\") }\n")
        );
        assert_eq!(register("return setmetatable({}, x)", "b", "b"), None);
        assert_eq!(register("local x", "b", "b"), None);
    }

    #[test]
    fn one_definition_is_told_from_more() {
        assert!(is_one_definition(
            "-- Words.\nreturn define_action({ a = 1 })\n"
        ));
        assert!(!is_one_definition(
            "local x = 1\nreturn define_action({})\n"
        ));
        assert!(!is_one_definition("return { a = define_action({}) }"));
    }
}
