//! The entry point of a source: that it is inside, and what language it says it is in.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::SourceError;
use super::command_line::program;
use crate::catalog::{Definition, Language};
use crate::executor::unblocked;

/// An implementation whose files have been looked at.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The folder that it runs in, canonical.
    pub folder: PathBuf,
    /// The file to run, relative to the folder.
    pub file: String,
    /// Its language.
    pub language: Language,
    /// The command line of what runs it.
    pub interpreter: String,
}

/// The interpreter of a program that needs none: it runs what it is given.
const BY_ITSELF: &str = "/usr/bin/env";

/// Looks at what a definition names within its source (canonical).
///
/// # Errors
/// When it is not there, leads out of the source, or says nothing of how it is run.
pub fn find(source: &Path, definition: &Definition) -> Result<Entry, SourceError> {
    let folder = match &definition.subdir {
        None => source.to_owned(),
        Some(subdir) => inside(source, source, subdir, "subdir")?,
    };
    if !folder.is_dir() {
        return Err(SourceError::NotAFolder(folder));
    }
    let file = match &definition.entrypoint {
        Some(file) => file.clone(),
        None => only_candidate(&folder)?,
    };
    let path = inside(source, &folder, &file, "entrypoint")?;
    let said = says(&path)?;
    let language = definition.language.or(said.as_ref().map(|said| said.0));
    let interpreter = definition.interpreter.clone().or(said.map(|said| said.1));
    let (language, interpreter) = match (language, interpreter) {
        (Some(language), Some(interpreter)) => (language, interpreter),
        (Some(language), None) => (language, default_interpreter(language).to_owned()),
        (None, Some(interpreter)) => (Language::Other, interpreter),
        (None, None) => return Err(SourceError::NoLanguage(file)),
    };
    // `env` looks for a bare name on `PATH`, and any interpreter takes `-x` for an option.
    let is_program = program(&interpreter).is_none();
    let file = match is_program || file.starts_with('-') {
        true => format!("./{}", file.trim_start_matches("./")),
        false => file,
    };
    if is_program && file.contains('=') {
        return Err(SourceError::LooksLikeVariable(file));
    }
    Ok(Entry {
        folder,
        file,
        language,
        interpreter,
    })
}

/// The path of something in `folder`, which may not lead out of the source, through a symbolic link
/// either.
///
/// # Errors
/// When it is not there, or leads out of the source.
pub fn inside(
    source: &Path,
    folder: &Path,
    relative: &str,
    field: &'static str,
) -> Result<PathBuf, SourceError> {
    let path = folder.join(relative);
    let real = path.canonicalize().map_err(|error| SourceError::Absent {
        field,
        relative: relative.to_owned(),
        folder: folder.to_owned(),
        error,
    })?;
    match real.starts_with(source) {
        true => Ok(real),
        false => Err(SourceError::Outside {
            field,
            relative: relative.to_owned(),
            root: source.to_owned(),
        }),
    }
}

/// The language and interpreter that a file's extension or first line names.
fn says(path: &Path) -> Result<Option<(Language, String)>, SourceError> {
    let shebang = first_line(path)?
        .and_then(|line| line.strip_prefix("#!").map(|rest| rest.trim().to_owned()));
    let by_extension = match path.extension().and_then(|extension| extension.to_str()) {
        Some("py") => Some(Language::Python),
        Some("js" | "mjs" | "cjs" | "ts") => Some(Language::Node),
        Some("sh" | "bash") => Some(Language::Shell),
        _ => None,
    };
    let Some(interpreter) = shebang.filter(|shebang| !shebang.is_empty()) else {
        let executable = || {
            use std::os::unix::fs::PermissionsExt as _;
            path.metadata()
                .is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
        };
        return Ok(match by_extension {
            Some(language) => Some((language, default_interpreter(language).to_owned())),
            // A program of its own: `env` runs it as it is.
            None if executable() => Some((Language::Other, BY_ITSELF.to_owned())),
            None => None,
        });
    };
    let by_interpreter = interpreter
        .split_whitespace()
        .filter_map(|word| word.rsplit('/').next())
        .find_map(|program| {
            match program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
                "python" | "pypy" => Some(Language::Python),
                "node" | "nodejs" | "bun" | "deno" => Some(Language::Node),
                "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" => Some(Language::Shell),
                _ => None,
            }
        });
    Ok(Some((
        by_interpreter.or(by_extension).unwrap_or(Language::Other),
        interpreter,
    )))
}

fn first_line(path: &Path) -> Result<Option<String>, SourceError> {
    let mut start = Vec::new();
    let unreadable = |error| SourceError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let file = unblocked::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => SourceError::NotAFile(path.to_owned()),
        _ => unreadable(error),
    })?;
    file.take(256).read_to_end(&mut start).map_err(unreadable)?;
    let line = start
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    Ok(String::from_utf8(line.to_vec()).ok())
}

fn default_interpreter(language: Language) -> &'static str {
    match language {
        Language::Python => "/usr/bin/env python3",
        Language::Node => "/usr/bin/env node",
        Language::Shell => "/bin/sh",
        Language::Other => BY_ITSELF,
    }
}

/// The one file of a folder that can be run, where the definition names none.
fn only_candidate(folder: &Path) -> Result<String, SourceError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !name.starts_with('.')
            && entry.path().is_file()
            && matches!(says(&entry.path()), Ok(Some(_)))
        {
            found.push(name);
        }
    }
    found.sort();
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(SourceError::NoEntryPoint(folder.to_owned())),
        _ => Err(SourceError::SeveralEntryPoints {
            folder: folder.to_owned(),
            files: found,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use serde_json::json;

    use super::*;
    use crate::catalog::defined;

    fn source(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let real = folder.path().canonicalize().expect("a path");
        (folder, real)
    }

    #[test]
    fn the_entry_point_says_what_it_is() {
        let (_keep, root) = source(&[
            ("a.py", "x"),
            ("b.py", "#!/usr/bin/env python3.11\n"),
            ("c", "#!/bin/bash -e\n"),
            ("d.js", ""),
            ("e", "#!/usr/bin/perl\n"),
            ("f", "plain"),
        ]);
        for (file, language, interpreter) in [
            ("a.py", Language::Python, "/usr/bin/env python3"),
            ("b.py", Language::Python, "/usr/bin/env python3.11"),
            ("c", Language::Shell, "/bin/bash -e"),
            ("d.js", Language::Node, "/usr/bin/env node"),
            ("e", Language::Other, "/usr/bin/perl"),
        ] {
            let entry = find(&root, &defined(&json!({"entrypoint": file}))).expect("an entry");
            assert_eq!(
                (entry.language, entry.interpreter.as_str()),
                (language, interpreter),
                "{file}"
            );
        }
        let error = find(&root, &defined(&json!({"entrypoint": "f"}))).expect_err("says nothing");
        assert_eq!(
            error.to_string(),
            "`f` says neither by its name nor by a #! line what it is: set `type` or `interpreter`"
        );
        let entry = find(
            &root,
            &defined(&json!({"entrypoint": "f", "type": "shell"})),
        )
        .expect("an entry");
        assert_eq!(entry.interpreter, "/bin/sh");
        fs::set_permissions(root.join("f"), fs::Permissions::from_mode(0o755)).expect("a mode");
        let entry = find(&root, &defined(&json!({"entrypoint": "f"}))).expect("an entry");
        assert_eq!(
            (entry.language, entry.interpreter.as_str()),
            (Language::Other, "/usr/bin/env")
        );
    }

    #[test]
    fn no_name_of_a_file_is_an_option_or_a_variable() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_keep, root) = source(&[("-x.py", "")]);
        let only = find(&root, &defined(&json!({}))).expect("a script");
        assert_eq!(only.file, "./-x.py");
        let (_keep, root) = source(&[("a=b", ""), ("a=b.sh", "")]);
        fs::set_permissions(root.join("a=b"), fs::Permissions::from_mode(0o755)).expect("a mode");
        let found = |file| find(&root, &defined(&json!({"entrypoint": file})));
        assert_eq!(found("a=b.sh").expect("a script").file, "a=b.sh");
        assert_eq!(
            found("a=b").expect_err("a variable to `env`").to_string(),
            "`./a=b` cannot be started: `env` takes a path with `=` for a variable"
        );
    }

    #[test]
    fn without_an_entry_point_there_must_be_one_candidate() {
        let (_keep, root) = source(&[("run.py", ""), ("README.md", "")]);
        assert_eq!(
            find(&root, &defined(&json!({}))).expect("one").file,
            "run.py"
        );
        let (_keep, root) = source(&[("a.py", ""), ("b.sh", "")]);
        let error = find(&root, &defined(&json!({}))).expect_err("two");
        assert!(
            error
                .to_string()
                .ends_with("set `entrypoint` to one of a.py, b.sh"),
            "{error}"
        );
    }

    #[test]
    fn nothing_leads_out_of_the_source() {
        let (_keep, root) = source(&[("in/a.sh", "")]);
        symlink("/bin/sh", root.join("out.sh")).expect("a link");
        symlink("/etc", root.join("etc")).expect("a link");
        symlink("in/a.sh", root.join("ok.sh")).expect("a link");
        let failed = |fields| {
            find(&root, &defined(&fields))
                .expect_err("refused")
                .to_string()
        };
        assert!(
            failed(json!({"entrypoint": "out.sh"}))
                .starts_with("entrypoint `out.sh` leads out of the source")
        );
        assert!(
            failed(json!({"subdir": "etc", "entrypoint": "passwd"}))
                .starts_with("subdir `etc` leads out of the source")
        );
        assert!(failed(json!({"entrypoint": "no.sh"})).ends_with(": no such file or directory"));
        assert!(find(&root, &defined(&json!({"entrypoint": "ok.sh"}))).is_ok());
        assert!(
            find(
                &root,
                &defined(&json!({"subdir": "in", "entrypoint": "a.sh"}))
            )
            .is_ok()
        );
    }
}
