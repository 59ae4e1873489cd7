//! Fills the template `argv` with parameters: which arguments are there, in which order, and that
//! none becomes an option.

use serde_json::{Map, Value};

use super::{like_an_option, refused, shown, word};
use crate::catalog::{Definition, Part, Template, Word};
use crate::failure::ActionError;

/// The arguments of one call.
pub(super) fn fill(
    template: &Template,
    definition: &Definition,
    params: &Map<String, Value>,
) -> Result<Vec<String>, ActionError> {
    if let Some(name) = params.keys().find(|name| !template.has(name)) {
        return Err(refused(format!(
            "parameter `{}` has no place in `argv`",
            shown(name)
        )));
    }
    let last = template.parts.iter().rev().find_map(|part| match part {
        Part::One(Word::Value(name)) => Some(name.as_str()),
        _ => None,
    });
    let mut filling = Filling {
        definition,
        params,
        last,
        args: Vec::new(),
        behind: false,
        missing: None,
        option: false,
    };
    for part in &template.parts {
        match part {
            Part::One(word) => filling.one(word)?,
            Part::Group(words) => filling.group(words)?,
        }
    }
    Ok(filling.args)
}

struct Filling<'a> {
    definition: &'a Definition,
    params: &'a Map<String, Value>,
    /// The parameter of the last argument that is one as a whole.
    last: Option<&'a str>,
    args: Vec<String>,
    /// `--` was passed: what follows is no option.
    behind: bool,
    /// A parameter whose argument is not there: no other may take its place.
    missing: Option<&'a str>,
    /// An option was passed, which may take the next argument as its value.
    option: bool,
}

impl<'a> Filling<'a> {
    /// A parameter that is there.
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.params.get(name).filter(|value| match value {
            Value::Null => false,
            Value::Array(elements) => !elements.is_empty(),
            _ => true,
        })
    }

    fn one(&mut self, word: &'a Word) -> Result<(), ActionError> {
        match word {
            Word::Fixed(text) => {
                let takes = std::mem::replace(&mut self.option, word.is_option());
                if text == "--" {
                    self.behind = true;
                } else if !takes && (self.behind || !text.starts_with('-')) {
                    self.takes_no_place(text)?;
                }
                self.args.push(text.clone());
            }
            Word::Value(name) => match self.given(name) {
                None => {
                    self.missing.get_or_insert(name);
                }
                Some(value) => {
                    self.takes_no_place(name)?;
                    self.option = false;
                    self.whole(name, value)?;
                }
            },
            Word::Assigned(before, name) => {
                self.option = false;
                for value in self.given(name).map(elements).unwrap_or_default() {
                    self.args
                        .push(format!("{before}{}", super::word(name, value)?));
                }
            }
            Word::Flag(name, text) => {
                self.option = false;
                if self.is_on(name)? {
                    self.args.push(text.clone());
                }
            }
        }
        Ok(())
    }

    /// An argument that is a parameter as a whole.
    fn whole(&mut self, name: &'a str, value: &Value) -> Result<(), ActionError> {
        let several = matches!(value, Value::Array(elements) if elements.len() > 1);
        // Its elements would take the places of what follows.
        if several && self.last != Some(name) && !self.is_list(name) {
            return Err(refused(format!(
                "parameter `{name}` is a list, and only the last argument of `argv` may be one, or one that `params` says is a list"
            )));
        }
        for value in elements(value) {
            let text = word(name, value)?;
            self.is_no_option(name, &text)?;
            self.args.push(text);
        }
        Ok(())
    }

    /// Arguments that are there together: when all of their parameters are.
    fn group(&mut self, words: &'a [Word]) -> Result<(), ActionError> {
        self.option = false;
        let names = || words.iter().filter_map(Word::parameter);
        let there = |word: &Word| match word {
            Word::Value(name) | Word::Assigned(_, name) => self.given(name).is_some(),
            Word::Fixed(_) | Word::Flag(..) => true,
        };
        if !words.iter().all(there) {
            return Ok(());
        }
        // An option with a parameter that is true or false stands alone, or not at all.
        if let [option, Word::Value(name)] = words
            && let (true, Some(Value::Bool(on))) = (option.is_option(), self.given(name))
        {
            if let (true, Word::Fixed(text)) = (*on, option) {
                self.args.push(text.clone());
            }
            return Ok(());
        }
        let lists = names().filter(|name| matches!(self.params.get(*name), Some(Value::Array(_))));
        let lists: Vec<&str> = lists.collect();
        if lists.len() > 1 {
            return Err(refused(format!(
                "parameters `{}` and `{}` are lists, and arguments that belong together are repeated for one",
                lists[0], lists[1]
            )));
        }
        let rounds = lists.first().and_then(|name| self.given(name));
        for round in 0..rounds.map_or(1, |list| elements(list).len()) {
            let mut option = false;
            for one in words {
                let value = |name: &str| {
                    let value = self.given(name).unwrap_or(&Value::Null);
                    match value {
                        Value::Array(elements) => elements.get(round).unwrap_or(&Value::Null),
                        single => single,
                    }
                };
                match one {
                    Word::Fixed(text) => {
                        self.behind |= text == "--";
                        self.args.push(text.clone());
                    }
                    Word::Value(name) => {
                        let value = value(name);
                        let text = word(name, value)?;
                        // A number behind an option is its value.
                        if !(option && value.is_number()) {
                            self.is_no_option(name, &text)?;
                        }
                        self.args.push(text);
                    }
                    Word::Assigned(before, name) => {
                        let text = word(name, value(name))?;
                        self.args.push(format!("{before}{text}"));
                    }
                    Word::Flag(name, text) => {
                        if self.is_on(name)? {
                            self.args.push(text.clone());
                        }
                    }
                }
                option = one.is_option();
            }
        }
        Ok(())
    }

    /// Whether a parameter is true.
    fn is_on(&self, name: &str) -> Result<bool, ActionError> {
        match self.params.get(name) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(false),
            Some(Value::Bool(true)) => Ok(true),
            Some(_) => Err(refused(format!(
                "parameter `{name}` must be true or false: it decides whether an option is there"
            ))),
        }
    }

    /// Whether the definition says that a parameter is a list.
    fn is_list(&self, name: &str) -> bool {
        let schema = self.definition.contract.params.as_ref();
        let kind = schema.and_then(|schema| {
            let properties = schema.document().get("properties")?;
            properties.get(name)?.get("type")
        });
        kind.is_some_and(|kind| kind == "array")
    }

    fn takes_no_place(&self, other: &str) -> Result<(), ActionError> {
        match self.missing {
            None => Ok(()),
            Some(missing) => Err(refused(format!(
                "parameter `{missing}` is missing, and `{}` would take its place",
                shown(other)
            ))),
        }
    }

    fn is_no_option(&self, name: &str, text: &str) -> Result<(), ActionError> {
        if self.behind || !text.starts_with('-') {
            return Ok(());
        }
        let hint =
            "write its place in `argv` behind `=`, or behind \"--\" where the program knows it";
        Err(like_an_option(name, hint))
    }
}

/// A list's elements, or the value itself.
fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(elements) => elements.iter().collect(),
        single => vec![single],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::{Input, defined};

    fn filled(fields: Value, params: Value) -> Result<Vec<String>, String> {
        let definition = defined(&fields);
        let (Input::Argv(template), Value::Object(params)) = (&definition.adapter.input, params)
        else {
            panic!("no template");
        };
        fill(template, &definition, &params).map_err(|error| error.message)
    }

    fn args(argv: Value, params: Value) -> Result<Vec<String>, String> {
        filled(json!({ "argv": argv }), params)
    }

    fn words(words: &[&str]) -> Result<Vec<String>, String> {
        Ok(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn words_and_parameters_stand_in_their_order() {
        let argv = json!(["status", "{name}", "--json"]);
        assert_eq!(
            args(argv.clone(), json!({ "name": "a b" })),
            words(&["status", "a b", "--json"])
        );
        assert_eq!(args(argv, json!({})), words(&["status", "--json"]));
        let argv = json!([
            "--dir",
            "{dir}",
            "-n",
            "{n}",
            "--of={of}",
            "{quiet:-q}",
            "{files}"
        ]);
        let all = json!({ "dir": "/x", "n": -3, "of": "--y", "quiet": true, "files": ["a", "b"] });
        assert_eq!(
            args(argv.clone(), all),
            words(&["--dir", "/x", "-n", "-3", "--of=--y", "-q", "a", "b"])
        );
        assert_eq!(
            args(
                argv.clone(),
                json!({ "quiet": false, "dir": null, "files": [] })
            ),
            words(&[])
        );
        assert_eq!(
            args(argv, json!({ "dir": ["/x", "/y"], "of": [1, 2] })),
            words(&["--dir", "/x", "--dir", "/y", "--of=1", "--of=2"])
        );
        let argv = json!([["-H", "{header}"], ["--verbose"], "{url}", "--"]);
        assert_eq!(
            args(argv, json!({ "header": ["a: b", "c"], "url": "u" })),
            words(&["-H", "a: b", "-H", "c", "--verbose", "u", "--"])
        );
        let argv = json!(["--all", "{all}", "{a}"]);
        assert_eq!(
            args(argv.clone(), json!({ "all": true, "a": "x" })),
            words(&["--all", "x"])
        );
        assert_eq!(
            args(argv, json!({ "all": false, "a": true })),
            words(&["true"])
        );
    }

    #[test]
    fn no_value_becomes_an_option_or_takes_the_place_of_another() {
        for (argv, params, expected) in [
            (
                json!(["{a}"]),
                json!({ "a": "--rm" }),
                "parameter `a` begins with `-`, which the program could take for an option",
            ),
            (
                json!(["--to", "{a}"]),
                json!({ "a": "--rm" }),
                "parameter `a` begins with `-`, which the program could take for an option",
            ),
            (
                json!(["{a}"]),
                json!({ "a": -1 }),
                "parameter `a` begins with `-`, which the program could take for an option",
            ),
            (
                json!(["{a}", "{b}"]),
                json!({ "b": "x" }),
                "parameter `a` is missing, and `b` would take its place",
            ),
            (
                json!(["{a}", "now"]),
                json!({}),
                "parameter `a` is missing, and `now` would take its place",
            ),
            (
                json!(["{a}", "{b}"]),
                json!({ "a": ["x", "y"], "b": "z" }),
                "parameter `a` is a list, and only the last argument of `argv` may be one, or one that `params` says is a list",
            ),
            (
                json!(["{a}"]),
                json!({ "b": 1 }),
                "parameter `b` has no place in `argv`",
            ),
            (
                json!(["{a:-v}"]),
                json!({ "a": "yes" }),
                "parameter `a` must be true or false: it decides whether an option is there",
            ),
            (
                json!(["{a}"]),
                json!({ "a": { "b": 1 } }),
                "parameter `a` holds a table or null, which cannot be an argument",
            ),
            (
                json!([["--from", "{a}", "--to", "{b}"]]),
                json!({ "a": [1], "b": [2] }),
                "parameters `a` and `b` are lists, and arguments that belong together are repeated for one",
            ),
        ] {
            assert_eq!(args(argv, params), Err(expected.to_owned()));
        }
        assert_eq!(
            args(json!(["--", "{a}"]), json!({ "a": "--rm" })),
            words(&["--", "--rm"])
        );
        assert_eq!(
            args(json!(["{a}", "--format", "json"]), json!({})),
            words(&["--format", "json"])
        );
        let fields =
            json!({ "argv": ["{a}", "{b}"], "params": { "a": "string[]", "b": "string" } });
        assert_eq!(
            filled(fields, json!({ "a": ["x", "y"], "b": "z" })),
            words(&["x", "y", "z"])
        );
    }
}
