//! `argv`: a program's whole command line, with places for parameters. It is read and checked when
//! the repo loads.

use std::fmt;

use serde_json::{Map, Value};

use super::contract::Contract;
use super::error::DefinitionError;
use super::fields::{Fields, describe};
use crate::names;

/// The most arguments of a template.
const MAX_WORDS: usize = 1000;
/// How many parameters without a place, and places without a parameter, an error lists.
const MAX_TOLD: usize = 100;

/// A command line with places for parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    /// In the order in which the program gets them.
    pub parts: Vec<Part>,
}

/// Arguments that the command line has together, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// One argument.
    One(Word),
    /// Several arguments: an option and its value. A list repeats them for each element.
    Group(Vec<Word>),
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A fixed text.
    Fixed(String),
    /// `{name}`: the parameter's value.
    Value(String),
    /// `--option={name}`: the text before the value, and the parameter's name.
    Assigned(String, String),
    /// `{name:--option}`: the parameter, and the argument that stands there if it is true.
    Flag(String, String),
}

impl fmt::Display for Word {
    /// Writes it as the team writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |text: &str| text.replace('{', "{{").replace('}', "}}");
        match self {
            Self::Fixed(text) => f.write_str(&plain(text)),
            Self::Value(name) => write!(f, "{{{name}}}"),
            Self::Assigned(before, name) => write!(f, "{}{{{name}}}", plain(before)),
            Self::Flag(name, text) => write!(f, "{{{name}:{text}}}"),
        }
    }
}

impl Word {
    /// The parameter in this argument.
    #[must_use]
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::Fixed(_) => None,
            Self::Value(name) | Self::Assigned(_, name) | Self::Flag(name, _) => Some(name),
        }
    }

    /// Whether a program takes it for an option whose value follows.
    #[must_use]
    pub fn is_option(&self) -> bool {
        match self {
            Self::Fixed(text) => {
                text.starts_with('-') && !matches!(text.as_str(), "-" | "--") && !text.contains('=')
            }
            _ => false,
        }
    }
}

impl Template {
    /// Reads the field `argv`, if there is one.
    pub(super) fn parse(fields: &mut Fields<'_>) -> Result<Option<Self>, DefinitionError> {
        let elements = match fields.value("argv") {
            None => return Ok(None),
            Some(Value::Array(elements)) => elements,
            // Lua writes an empty list as an empty table.
            Some(Value::Object(map)) if map.is_empty() => return Ok(Some(Self::default())),
            Some(other) => {
                let error = format!("must be a list of arguments, got {}", describe(&other));
                return Err(fields.error("argv", &error));
            }
        };
        if elements.len() > MAX_WORDS {
            let error = format!("has more than {MAX_WORDS} arguments");
            return Err(fields.error("argv", &error));
        }
        let mut parts = Vec::new();
        for (at, element) in elements.into_iter().enumerate() {
            let wrong =
                |error: String| fields.error("argv", &format!("element {}: {error}", at + 1));
            let part = match element {
                Value::String(text) => Part::One(word(&text).map_err(wrong)?),
                Value::Array(words) => {
                    let words = words.iter().map(|text| match text {
                        Value::String(text) => word(text),
                        other => Err(format!("must hold texts, got {}", describe(other))),
                    });
                    Part::Group(words.collect::<Result<_, _>>().map_err(wrong)?)
                }
                other => {
                    let got = describe(&other);
                    return Err(wrong(format!(
                        "must be a text or a list of texts, got {got}"
                    )));
                }
            };
            // Puts an option and the value that follows into one group.
            match (parts.last_mut(), part) {
                (Some(Part::One(option)), Part::One(Word::Value(name))) if option.is_option() => {
                    let pair = vec![option.clone(), Word::Value(name)];
                    parts.pop();
                    parts.push(Part::Group(pair));
                }
                (_, part) => parts.push(part),
            }
        }
        Ok(Some(Self { parts }))
    }

    /// All arguments.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.parts.iter().flat_map(|part| match part {
            Part::One(word) => std::slice::from_ref(word),
            Part::Group(words) => words,
        })
    }

    /// The template as the team writes it, with options and their values in lists of their own.
    #[must_use]
    pub fn document(&self) -> Value {
        let part = |part: &Part| match part {
            Part::One(word) => Value::from(word.to_string()),
            Part::Group(words) => words.iter().map(Word::to_string).collect(),
        };
        self.parts.iter().map(part).collect()
    }

    /// Whether the template uses the parameter.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.words().any(|word| word.parameter() == Some(name))
    }

    /// Checks the template against the parameters of the definition: it must use every parameter
    /// and no others.
    pub(super) fn check(
        &self,
        fields: &Fields<'_>,
        contract: &Contract,
        defaults: &Map<String, Value>,
        locked: &Map<String, Value>,
        wrong: &mut Vec<DefinitionError>,
    ) {
        let schema = contract.params.as_ref().map(|schema| schema.document());
        let properties = schema
            .and_then(|schema| schema.get("properties"))
            .and_then(Value::as_object);
        let sets = [
            (Some(locked), "'locked' sets"),
            (properties, "'params' names"),
            (Some(defaults), "'defaults' sets"),
        ];
        let mut told = Vec::new();
        for (set, from) in sets {
            for name in set.into_iter().flat_map(Map::keys) {
                if told.len() >= MAX_TOLD {
                    return;
                }
                if !self.has(name) && !told.contains(&name) {
                    told.push(name);
                    let error = format!(
                        "has no place for `{}`, which {from}: write \"{{{0}}}\"",
                        name.escape_debug()
                    );
                    wrong.push(fields.error("argv", &error));
                }
            }
        }
        let Some(properties) = properties else {
            return;
        };
        let known = || {
            properties
                .keys()
                .chain(defaults.keys())
                .chain(locked.keys())
        };
        let mut told = Vec::new();
        for name in self.words().filter_map(Word::parameter) {
            if told.len() >= MAX_TOLD {
                return;
            }
            if known().any(|one| one == name) || told.contains(&name) {
                continue;
            }
            told.push(name);
            let near = names::nearest(name, known().map(String::as_str));
            let hint = names::did_you_mean(near, '`');
            let error = format!(
                "has a place for `{}`, which 'params' does not name{hint}",
                name.escape_debug()
            );
            wrong.push(fields.error("argv", &error));
        }
    }
}

/// Reads one argument as the team writes it.
fn word(text: &str) -> Result<Word, String> {
    if text.contains('\0') {
        return Err("holds a NUL character, which cannot be passed".to_owned());
    }
    let shown = || {
        text.chars()
            .take(60)
            .flat_map(char::escape_debug)
            .collect::<String>()
    };
    let misplaced = || {
        format!(
            "`{}`: a place is a whole argument, \"{{name}}\", or stands behind `=`, \"--option={{name}}\"; write a literal brace twice",
            shown()
        )
    };
    // Doubled braces stand for single ones.
    let mut plain = String::new();
    let mut place: Option<(String, String)> = None;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let (brace, more) = rest[at..].split_at(1);
        if let Some(more) = more.strip_prefix(brace) {
            plain.push_str(brace);
            rest = more;
            continue;
        }
        let inner = match (brace, more.split_once('}')) {
            ("{", Some((inner, more))) if place.is_none() => {
                rest = more;
                inner
            }
            _ => return Err(misplaced()),
        };
        if inner.is_empty() || inner.contains('{') || !rest.is_empty() {
            return Err(misplaced());
        }
        place = Some((std::mem::take(&mut plain), inner.to_owned()));
    }
    plain.push_str(rest);
    let Some((before, name)) = place else {
        return Ok(Word::Fixed(plain));
    };
    match (before.as_str(), name.split_once(':')) {
        ("", Some((name, text))) if !name.is_empty() && text.starts_with('-') => {
            Ok(Word::Flag(name.to_owned(), text.to_owned()))
        }
        (_, Some(_)) => Err(format!(
            "`{}`: an option that depends on a parameter is written \"{{name:--option}}\"",
            shown()
        )),
        ("", None) => Ok(Word::Value(name)),
        (before, None) if before.len() > 1 && before.ends_with('=') => {
            Ok(Word::Assigned(before.to_owned(), name))
        }
        (_, None) => Err(misplaced()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::{Input, defined};

    fn parts(argv: Value) -> Vec<Part> {
        match defined(&json!({ "argv": argv })).adapter.input {
            Input::Argv(template) => template.parts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_option_and_its_value_belong_together() {
        let fixed = |text: &str| Word::Fixed(text.to_owned());
        let value = |name: &str| Word::Value(name.to_owned());
        assert_eq!(
            parts(json!([
                "get",
                "--dir",
                "{dir}",
                "-x=1",
                "{a}",
                "--",
                "{b}",
                ["--one"],
                "{c}"
            ])),
            [
                Part::One(fixed("get")),
                Part::Group(vec![fixed("--dir"), value("dir")]),
                Part::One(fixed("-x=1")),
                Part::One(value("a")),
                Part::One(fixed("--")),
                Part::One(value("b")),
                Part::Group(vec![fixed("--one")]),
                Part::One(value("c")),
            ]
        );
        assert_eq!(
            parts(json!(["{{print $1}}", "--of={x}", "{v:-v}", "a}}b={y}"])),
            [
                Part::One(fixed("{print $1}")),
                Part::One(Word::Assigned("--of=".to_owned(), "x".to_owned())),
                Part::One(Word::Flag("v".to_owned(), "-v".to_owned())),
                Part::One(Word::Assigned("a}b=".to_owned(), "y".to_owned())),
            ]
        );
        assert_eq!(parts(json!({})), []);
        let Input::Argv(template) =
            defined(&json!({ "argv": ["{{x}}", "-d", "{d}", "-o={o}", "{v:-v}"] }))
                .adapter
                .input
        else {
            panic!("no template");
        };
        let document = json!(["{{x}}", ["-d", "{d}"], "-o={o}", "{v:-v}"]);
        assert_eq!(template.document(), document);
    }

    #[test]
    fn places_are_whole_or_behind_an_equals_sign() {
        for text in [
            "x{a}",
            "{a}x",
            "{a}{b}",
            "{}",
            "{a",
            "a}",
            "={a}",
            "{ {a} }",
            "{:x}",
            "{a:x}",
            "--x={a:-b}",
        ] {
            assert!(word(text).is_err(), "{text}: {:?}", word(text));
        }
    }
}
