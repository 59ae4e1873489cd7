//! Reads one configuration file: flat YAML with known keys. Keeps the line of each value.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::ConfigError;
use super::keys::{Key, Value};
use kael_engine::names;

/// Bytes that a configuration file may have.
const MAX_SIZE: u64 = 64 << 10;

/// A value and its line.
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) key: Key,
    pub(super) value: Value,
}

/// The text of a file.
pub(super) struct Text {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Reads a file once, so that the bytes that are parsed are those whose trust was checked. None if
/// there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Text>, ConfigError> {
    let fail = |why: String| ConfigError::one(format!("cannot read {}: {why}", path.display()));
    // Opening a FIFO must not wait.
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(fail(error.to_string())),
    };
    let metadata = file.metadata().map_err(|error| fail(error.to_string()))?;
    if !metadata.is_file() {
        return Err(fail("it is not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(error.to_string()))?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(fail(format!("it has more than {} KiB", MAX_SIZE >> 10)));
    }
    let text = String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8 text".to_owned()))?;
    Ok(Some(Text {
        path: path.to_owned(),
        text,
    }))
}

/// All values of a file, or everything that is wrong with it.
pub(super) fn parse(file: &Text, home: Option<&Path>) -> Result<Vec<Line>, ConfigError> {
    let folder = file.path.parent().unwrap_or(Path::new("/"));
    let (mut lines, mut problems): (Vec<Line>, Vec<String>) = (Vec::new(), Vec::new());
    let at = |number: usize, error: &str| format!("{}:{number}: {error}", file.path.display());
    for (number, name, given) in
        entries(&file.text).map_err(|(number, why)| ConfigError::one(at(number, &why)))?
    {
        let Some(key) = Key::named(&name) else {
            let near = names::nearest(&name, Key::ALL.iter().map(|key| key.name()));
            let hint = names::did_you_mean(near, '`');
            let shown: String = name.chars().take(60).collect();
            problems.push(at(number, &format!("unknown key `{shown}`{hint}")));
            continue;
        };
        if let Some(first) = lines.iter().find(|line| line.key == key) {
            problems.push(at(
                number,
                &format!("`{name}` is set on line {}, too", first.number),
            ));
            continue;
        }
        let value = match (given, key.is_list()) {
            (Given::Nothing, _) => Err("has no value".to_owned()),
            (Given::Many(texts), true) => key
                .read_list(texts, folder, home)
                .map_err(|error| error.to_string()),
            (Given::Many(_), false) => Err("is one value, not a list".to_owned()),
            (Given::One(text), _) => key
                .read(&text, folder, home)
                .map_err(|error| error.to_string()),
        };
        match value {
            Ok(value) => lines.push(Line { number, key, value }),
            Err(why) => problems.push(at(number, &format!("`{name}` {why}"))),
        }
    }
    if problems.is_empty() {
        Ok(lines)
    } else {
        Err(ConfigError::new(problems, None))
    }
}

/// The value of an entry.
enum Given {
    Nothing,
    One(String),
    Many(Vec<String>),
}

/// The line, the key and the value of an entry.
type Entry = (usize, String, Given);

/// The entries of a flat mapping. Reads YAML events, so nesting and aliases cost nothing.
fn entries(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let mut parser = Parser::new_from_str(text);
    let mut next = || match parser.next_event() {
        Some(Ok((event, span))) => Ok((event, span.start.line())),
        Some(Err(error)) => Err((error.marker().line(), error.info().to_owned())),
        None => Ok((Event::StreamEnd, 0)),
    };
    let mut out = Vec::new();
    loop {
        match next()? {
            (Event::StreamStart | Event::DocumentStart(_), _) => {}
            (Event::MappingStart(..), _) => break,
            // An empty file is valid.
            (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(out),
            (Event::Scalar(text, ScalarStyle::Plain, ..), _) if is_nothing(&text) => {}
            (_, line) => return Err((line, "expected lines of the form `key: value`".to_owned())),
        }
    }
    loop {
        let (line, key) = match next()? {
            (Event::Scalar(key, ..), line) => (line, key.into_owned()),
            (Event::MappingEnd, _) => break,
            (_, line) => return Err((line, "a key must be a word".to_owned())),
        };
        let given = match next()? {
            (Event::Scalar(text, ScalarStyle::Plain, ..), _) if is_nothing(&text) => Given::Nothing,
            (Event::Scalar(text, ..), _) => Given::One(text.into_owned()),
            (Event::SequenceStart(..), _) => {
                let mut texts = Vec::new();
                loop {
                    match next()? {
                        (Event::Scalar(text, ..), _) => texts.push(text.into_owned()),
                        (Event::SequenceEnd, _) => break Given::Many(texts),
                        (_, line) => {
                            return Err((line, format!("`{key}` must be a list of texts")));
                        }
                    }
                }
            }
            (_, line) => {
                return Err((line, format!("`{key}` must be a value or a list of values")));
            }
        };
        out.push((line, key, given));
    }
    match next()? {
        (Event::DocumentEnd | Event::StreamEnd, _) => {}
        (_, line) => return Err((line, "expected the end of the file".to_owned())),
    }
    match next()? {
        (Event::StreamEnd, _) => Ok(out),
        (_, line) => Err((line, "expected one document".to_owned())),
    }
}

fn is_nothing(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(usize, Key, String)>, String> {
        let file = Text {
            path: "/p/kael.yaml".into(),
            text: text.to_owned(),
        };
        let lines = parse(&file, Some(Path::new("/home/u"))).map_err(|e| e.to_string())?;
        Ok(lines
            .into_iter()
            .map(|line| (line.number, line.key, line.value.to_string()))
            .collect())
    }

    #[test]
    fn values_have_their_lines() {
        let text = "# mine\nactions_path: ~/actions\n\ntimeout: 90s\nmax_calls: 5\ndeny:\n  - deploy.*\n  - '*.delete'\n";
        let expected = [
            (2, Key::ActionsPath, "/home/u/actions"),
            (4, Key::Timeout, "90s"),
            (5, Key::MaxCalls, "5"),
            (6, Key::Deny, "deploy.*, *.delete"),
        ];
        let expected = expected.map(|(line, key, value)| (line, key, value.to_owned()));
        assert_eq!(parsed(text), Ok(expected.to_vec()));
        assert_eq!(parsed(""), Ok(vec![]));
        assert_eq!(parsed("# nothing\n"), Ok(vec![]));
        assert_eq!(parsed("---\n"), Ok(vec![]));
    }

    #[test]
    fn all_that_is_wrong_is_named_with_its_line() {
        for (text, error) in [
            (
                "timeuot: 5\nmax_cpu: soon\n",
                "/p/kael.yaml:1: unknown key `timeuot` (did you mean `timeout`?)\n/p/kael.yaml:2: `max_cpu` `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)",
            ),
            ("zzz: 1", "/p/kael.yaml:1: unknown key `zzz`"),
            (
                "timeout: 5\ntimeout: 6",
                "/p/kael.yaml:2: `timeout` is set on line 1, too",
            ),
            ("timeout:", "/p/kael.yaml:1: `timeout` has no value"),
            (
                "timeout: [1]",
                "/p/kael.yaml:1: `timeout` is one value, not a list",
            ),
            (
                "max_calls: 0",
                "/p/kael.yaml:1: `max_calls` `0` is not a whole number from 1 to 10000000",
            ),
            (
                "deny: [[a]]",
                "/p/kael.yaml:1: `deny` must be a list of texts",
            ),
            (
                "timeout: { a: 1 }",
                "/p/kael.yaml:1: `timeout` must be a value or a list of values",
            ),
            (
                "timeout: 5\n---\ntimeout: 6",
                "/p/kael.yaml:2: expected one document",
            ),
            (
                "- a",
                "/p/kael.yaml:1: expected lines of the form `key: value`",
            ),
        ] {
            assert_eq!(parsed(text), Err(error.to_owned()), "{text}");
        }
        assert!(parsed("a: [").is_err_and(|e| e.starts_with("/p/kael.yaml:")));
        let bomb = "a: &a [x]\nb: [*a, *a]\n";
        assert!(parsed(bomb).is_err_and(|e| e.contains(":2: `b` must be a list of texts")));
        assert!(parsed(&"[".repeat(60_000)).is_err());
    }
}
