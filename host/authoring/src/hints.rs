//! Remedies for names that exist in other Luas but not in the sandbox: for `check`, and for
//! uncaught errors.

/// Missing globals, and what to use instead.
const GLOBALS: [(&str, &str); 10] = [
    (
        "io",
        "files are read and written by actions; `print` writes, input() is stdin, and inputs.NAME a file of --input. For a library that only names `io` while it loads, write io = {} before require",
    ),
    (
        "dofile",
        "use require(\"name\") for a module of the actions repo",
    ),
    (
        "loadfile",
        "use require(\"name\") for a module of the actions repo",
    ),
    ("unpack", "write table.unpack"),
    ("bit32", "write a & b, a | b, a ~ b, a << n"),
    ("loadstring", "write load"),
    (
        "setfenv",
        "give load a table of its own as its fourth argument",
    ),
    ("getfenv", "write _ENV"),
    ("module", "return a table from the module's file"),
    ("jit", "it runs Lua 5.5, which has no compiler"),
];

/// Missing fields of libraries, and what to use instead.
const FIELDS: [(&str, &str, &str); 18] = [
    (
        "os",
        "getenv",
        "variables reach actions by `env` in their definitions, and a script by its arguments",
    ),
    ("os", "execute", "programs are run by actions"),
    ("os", "remove", "files are removed by actions"),
    ("os", "rename", "files are renamed by actions"),
    (
        "os",
        "tmpname",
        "files are written by actions, in their TMPDIR",
    ),
    ("os", "setlocale", "the locale is always \"C\""),
    ("io", "open", "files are read and written by actions"),
    ("io", "popen", "programs are run by actions"),
    (
        "io",
        "read",
        "a script is given arguments, and actions read files",
    ),
    ("io", "write", "write print"),
    (
        "debug",
        "getinfo",
        "debug.traceback is there, and nothing else of debug",
    ),
    ("table", "getn", "write #list"),
    ("table", "maxn", "write #list"),
    ("math", "pow", "write x ^ y"),
    ("math", "mod", "write x % y"),
    ("string", "gfind", "write string.gmatch"),
    ("string", "dump", "code is passed as text"),
    (
        "package",
        "loadlib",
        "there are no C libraries in the sandbox",
    ),
];

/// What to use instead of a missing global.
#[must_use]
pub fn of_global(name: &str) -> Option<String> {
    let (_, instead) = GLOBALS.iter().find(|(global, _)| *global == name)?;
    Some(format!("a script has no `{name}`: {instead}"))
}

/// What to use instead of a missing field of a library.
#[must_use]
pub fn of_field(library: &str, field: &str) -> Option<String> {
    let mut fields = FIELDS.iter();
    let (.., instead) = fields.find(|(of, name, _)| *of == library && *name == field)?;
    Some(format!("a script has no `{library}.{field}`: {instead}"))
}

/// The remedy for one of Lua's own errors, by its text.
#[must_use]
pub fn of_error(message: &str) -> Option<String> {
    let line = message.lines().next().unwrap_or_default();
    let named = |kind: &str| {
        let (_, rest) = line.rsplit_once(&format!("({kind} '"))?;
        rest.strip_suffix("')")
    };
    if line.contains(" a nil value (") {
        if let Some(hint) = named("global").and_then(of_global) {
            return Some(hint);
        }
        // Lua does not say which table lacks the field. These names exist in one library only.
        if let Some(field) = named("field").or_else(|| named("method")) {
            let mut fields = FIELDS.iter().filter(|(_, name, _)| *name == field);
            return fields
                .next()
                .and_then(|(library, ..)| of_field(library, field));
        }
    }
    if line.contains("attempt to assign to const variable") {
        return Some(
            "since Lua 5.5 the variable of a `for` loop cannot be assigned to, as one declared <const> or <close>: use another local"
                .to_owned(),
        );
    }
    if line.contains("is a list with a hole") {
        return Some(
            "keys in JSON are texts: for a table by numbers write t[tostring(id)]".to_owned(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_lua_have_the_hints_of_check() {
        for (message, expected) in [
            (
                "io.lua:1: attempt to index a nil value (global 'io')",
                Some(
                    "a script has no `io`: files are read and written by actions; `print` writes, input() is stdin, and inputs.NAME a file of --input. For a library that only names `io` while it loads, write io = {} before require",
                ),
            ),
            (
                "a.lua:1: attempt to call a nil value (global 'loadstring')",
                Some("a script has no `loadstring`: write load"),
            ),
            (
                "a.lua:1: attempt to call a nil value (field 'getenv')",
                Some(
                    "a script has no `os.getenv`: variables reach actions by `env` in their definitions, and a script by its arguments",
                ),
            ),
            (
                "a.lua:1: attempt to assign to const variable 'i'",
                Some(
                    "since Lua 5.5 the variable of a `for` loop cannot be assigned to, as one declared <const> or <close>: use another local",
                ),
            ),
            (
                "a.lua:3: $ is a list with a hole: it has [1001] after 0 elements",
                Some("keys in JSON are texts: for a table by numbers write t[tostring(id)]"),
            ),
            (
                "a.lua:1: attempt to index a nil value (global 'config')",
                None,
            ),
            ("a.lua:1: attempt to index a nil value (local 'io')", None),
            ("no such metric", None),
        ] {
            assert_eq!(of_error(message).as_deref(), expected, "{message}");
        }
    }
}
