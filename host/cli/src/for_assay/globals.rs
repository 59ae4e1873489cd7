//! The globals of Assay: which of them a script reads that no policy opens, or that Kael has not.

use kael_authoring::lint;
use kael_engine::policy::Grants;
use kael_engine::policy::grants::FileGrants;

/// A kind of grant: the global, whether a file has one, and what one looks like.
type Grant = (&'static str, fn(&FileGrants) -> bool, &'static str);

const GRANTED: [Grant; 4] = [
    (
        "http",
        |file| file.http.is_empty(),
        "http: [{ to: \"service.internal:8080\" }]",
    ),
    (
        "fs",
        |file| file.fs.is_empty(),
        "fs: [{ path: /srv/data, mode: read }]",
    ),
    (
        "db",
        |file| file.db.is_empty(),
        "db: [{ name: main, url: \"sqlite:///srv/main.db\" }]",
    ),
    ("env", |file| file.env.is_empty(), "env: [CI_COMMIT_SHA]"),
];

/// Globals that Kael has not, and the nearest thing that it has.
const MISSING: [(&str, &str); 19] = [
    ("apt", "an action of the team's does it"),
    ("async", "use `parallel` and `race`"),
    ("cgroup", "an action of the team's does it"),
    ("compress", "an action of the team's does it"),
    (
        "credential",
        "a grant holds the secret: headers: { Authorization: \"Bearer {secret:NAME}\" }",
    ),
    ("disk", "an action of the team's does it"),
    ("io", "use `fs`, below granted folders"),
    ("linux", "an action of the team's does it"),
    ("machinectl", "an action of the team's does it"),
    ("markdown", "an action of the team's does it"),
    ("oci", "an action of the team's does it"),
    ("process", "an action of the team's does it"),
    ("s3", "local s3 = require(\"assay.s3\")"),
    ("shell", "an action of the team's does it"),
    ("systemd", "an action of the team's does it"),
    ("tar", "an action of the team's does it"),
    ("template", "an action of the team's does it"),
    (
        "workflow",
        "a run with a journal does it: see the page Workflows",
    ),
    ("ws", "local ws = require(\"assay.ws\")"),
];

/// A line for every global of Assay that the script reads in vain.
pub(crate) fn notes(name: &str, source: &str, grants: &Grants) -> Vec<String> {
    let mut notes = Vec::new();
    for (global, line) in lint::globals_read(source) {
        let granted = GRANTED.iter().find(|(known, ..)| *known == global);
        if let Some((_, is_closed, example)) = granted
            && (grants.is_empty() || grants.files().iter().any(|file| is_closed(file)))
        {
            notes.push(format!(
                "note: {name}:{line}: `{global}` is not granted: a policy opens it with grants: {{ {example} }}"
            ));
        }
        if let Some((_, nearest)) = MISSING.iter().find(|(known, _)| *known == global) {
            notes.push(format!(
                "note: {name}:{line}: there is no `{global}`: {nearest}"
            ));
        }
    }
    notes
}

/// Lua that takes globals away, and fields of them: `fs.write,ws`.
pub(crate) fn blocked(names: &str) -> Result<String, String> {
    let is_name = |word: &str| {
        let mut chars = word.chars();
        chars
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && chars.all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    let mut lua = String::new();
    for name in names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let parts: Vec<&str> = name.split('.').collect();
        if !parts.iter().all(|part| is_name(part)) || parts.len() > 8 {
            return Err(format!(
                "ASSAY_BLOCK_GLOBALS: `{name}` is no name such as `shell` or `fs.write`"
            ));
        }
        // By keys, so that no word of Lua's is in the way.
        let (last, tables) = parts.split_last().unwrap_or((&"", &[]));
        lua.push_str("do local t=_G ");
        for table in tables {
            lua.push_str(&format!("t=type(t)=='table' and t['{table}'] "));
        }
        lua.push_str(&format!(
            "if type(t)=='table' then t['{last}']=nil end end "
        ));
    }
    Ok(lua)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_granted_or_not_there_is_noted_once() {
        let source = "local http = http\nfs.read('/x')\nfs.read('/y')\nshell.exec('x')\nmine = 1 print(mine)";
        let found = notes("a.lua", source, &Grants::none());
        let starts: Vec<&str> = found
            .iter()
            .map(|note| note.split(": a policy").next().unwrap_or_default())
            .collect();
        assert_eq!(
            starts,
            [
                "note: a.lua:1: `http` is not granted",
                "note: a.lua:2: `fs` is not granted",
                "note: a.lua:4: there is no `shell`: an action of the team's does it",
            ]
        );
    }

    #[test]
    fn blocked_names_are_names() {
        assert!(blocked("fs.write, ws").is_ok());
        for wrong in ["a b", "fs.", "x']=1 os.exit() t['y", "1a"] {
            assert!(blocked(wrong).is_err(), "{wrong}");
        }
    }
}
