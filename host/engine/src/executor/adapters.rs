//! Lets programs that know nothing of Kael be actions: parameters as arguments or variables (`printed`: results from text).
//!
//! A value can never become another flag: a named one is one word with its name, others do not
//! begin with `-` unless they stand behind `--`, and what cannot be passed safely is refused.
//! `argv` fills a template. No I/O.

mod argv;
mod options;
mod printed;

use serde_json::{Map, Value};

pub(crate) use printed::EMPTY;
pub use printed::decode_output;

use crate::catalog::{Definition, Input};
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::json::{self, MAX_TREE};

/// Bytes that one argument or variable may have; Linux takes 128 KiB of each.
const MAX_WORD: usize = 100 << 10;
/// Bytes that all of them may have together; Linux takes 2 MiB with the environment.
const MAX_WORDS: usize = 1 << 20;
/// Variables that decide which code a program runs, whatever it is.
const LOADERS: [&str; 13] = [
    "BASH_ENV",
    "BASHOPTS",
    "ENV",
    "IFS",
    "SHELLOPTS",
    "PS4",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PERL5DB",
    "RUBYOPT",
    "RUBYLIB",
];
/// The same for whole families of names, and what is Kael's own.
const LOADER_PREFIXES: [&str; 12] = [
    "DOCKER_",
    "CONTAINER_",
    "LD_",
    "DYLD_",
    "GCONV_",
    "PYTHON",
    "GIT_",
    "KAEL_",
    "ENVYR_",
    "BASH_FUNC_",
    "NPM_CONFIG_",
    "PIP_",
];
/// And what Kael sets itself.
const OWN: [&str; 5] = ["PATH", "HOME", "TMPDIR", "LANG", "TERM"];

/// What a program is given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ProgramInput {
    /// What it reads on stdin.
    pub stdin: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its variables, by name.
    pub env: Vec<(String, String)>,
}

/// Puts merged parameters into the form that a program takes.
pub fn encode_input(definition: &Definition, params: String) -> Result<ProgramInput, ActionError> {
    let adapter = &definition.adapter;
    if adapter.input == Input::Json {
        options::no_other_case(&definition.locked, &params)?;
        return Ok(ProgramInput {
            stdin: params,
            ..ProgramInput::default()
        });
    }
    let too_much = || {
        refused(format!(
            "the parameters have more than the {} KiB that arguments and variables may have",
            MAX_WORDS >> 10
        ))
    };
    // No tree is made of what could never be passed; as JSON it may take more room than as words.
    if params.len() > 8 * MAX_WORDS {
        return Err(too_much());
    }
    let values = json::check(&params).map_or(0, |look| look.values);
    if values > MAX_TREE {
        return Err(refused(format!(
            "parameters that become arguments or variables may hold {MAX_TREE} values, and these are {values}"
        )));
    }
    let Ok(Value::Object(params)) = json::parse(params.as_bytes()) else {
        return Err(refused("the parameters are not a table".to_owned()));
    };
    let mut given = ProgramInput::default();
    match &adapter.input {
        Input::Json => {}
        Input::Args => {
            for (name, value) in options::ordered(definition, &params)? {
                named(name, value, &mut given.args)?;
            }
        }
        Input::Positional { order, dashdash } => {
            given.args = positional(order, *dashdash, &params)?;
        }
        Input::Argv(template) => given.args = argv::fill(template, definition, &params)?,
        Input::Env => {
            for (name, value) in &params {
                if !definition.names_parameter(name) {
                    return Err(refused(format!(
                        "parameter `{}` is not among those that the definition names, and no other becomes a variable",
                        shown(name)
                    )));
                }
                if let Some(variable) = variable(name, value, &definition.env)? {
                    given.env.push(variable);
                }
            }
        }
    }
    let words = given
        .args
        .iter()
        .chain(given.env.iter().map(|(_, value)| value));
    if words.map(|word| word.len() + 16).sum::<usize>() > MAX_WORDS {
        return Err(too_much());
    }
    Ok(given)
}

fn refused(message: String) -> ActionError {
    ActionError::new(ErrorKind::InvalidParams, message)
}

/// `--name=value`, as one word each.
fn named(name: &str, value: &Value, args: &mut Vec<String>) -> Result<(), ActionError> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if !starts_well || !name.bytes().all(good) || name.len() > 200 {
        return Err(refused(format!(
            "parameter `{}` cannot be the name of an argument: use letters, digits, `_`, `-` and `.`",
            shown(name)
        )));
    }
    match value {
        Value::Null | Value::Bool(false) => {}
        Value::Bool(true) => args.push(format!("--{name}")),
        Value::Array(elements) => {
            for element in elements {
                args.push(format!("--{name}={}", word(name, element)?));
            }
        }
        single => args.push(format!("--{name}={}", word(name, single)?)),
    }
    Ok(())
}

fn positional(
    order: &[String],
    dashdash: bool,
    params: &Map<String, Value>,
) -> Result<Vec<String>, ActionError> {
    if let Some(name) = params.keys().find(|name| !order.contains(name)) {
        return Err(refused(format!(
            "parameter `{}` is not in `args_order`",
            shown(name)
        )));
    }
    let mut args: Vec<String> = dashdash.then(|| "--".to_owned()).into_iter().collect();
    let mut passed = |name: &str, value: &Value| {
        let word = word(name, value)?;
        if !dashdash && word.starts_with('-') {
            let hint = "`dashdash = true` puts `--` before the values, where the program knows it";
            return Err(like_an_option(name, hint));
        }
        args.push(word);
        Ok(())
    };
    let mut missing: Option<&str> = None;
    for (at, name) in order.iter().enumerate() {
        let value = params.get(name).unwrap_or(&Value::Null);
        if value.is_null() {
            missing = missing.or(Some(name));
            continue;
        }
        if let Some(missing) = missing {
            return Err(refused(format!(
                "parameter `{missing}` is missing, and `{name}` would take its place"
            )));
        }
        match value {
            Value::Array(elements) if at + 1 == order.len() => {
                for element in elements {
                    passed(name, element)?;
                }
            }
            Value::Array(_) => {
                return Err(refused(format!(
                    "parameter `{name}` is a list, and only the last of `args_order` may be one"
                )));
            }
            single => passed(name, single)?,
        }
    }
    Ok(args)
}

/// A value that the program could take for an option of its own.
fn like_an_option(name: &str, hint: &str) -> ActionError {
    let message =
        format!("parameter `{name}` begins with `-`, which the program could take for an option");
    let detail = Detail {
        hint: Some(hint.to_owned()),
        ..Detail::default()
    };
    ActionError {
        detail: Some(Box::new(detail)),
        ..refused(message)
    }
}

fn variable(
    name: &str,
    value: &Value,
    env: &[String],
) -> Result<Option<(String, String)>, ActionError> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        || name.len() > 200
    {
        return Err(refused(format!(
            "parameter `{}` is not the name of a variable",
            shown(name)
        )));
    }
    let upper = name.to_ascii_uppercase();
    let special = LOADERS.contains(&upper.as_str())
        || OWN.contains(&upper.as_str())
        || upper.starts_with("LC_")
        || LOADER_PREFIXES
            .iter()
            .any(|prefix| upper.starts_with(prefix));
    if special || env.iter().any(|passed| passed.eq_ignore_ascii_case(name)) {
        return Err(refused(format!(
            "parameter `{name}` cannot be passed as a variable: that name decides how programs run or is set already"
        )));
    }
    let text = match value {
        Value::Null => return Ok(None),
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            checked(name, text)?
        }
        single => word(name, single)?,
    };
    Ok(Some((name.to_owned(), text)))
}

/// A value as one word.
fn word(name: &str, value: &Value) -> Result<String, ActionError> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err(refused(format!(
                "parameter `{name}` holds a table or null, which cannot be an argument"
            )));
        }
    };
    checked(name, text)
}

fn checked(name: &str, text: String) -> Result<String, ActionError> {
    if text.contains('\0') {
        return Err(refused(format!(
            "parameter `{name}` holds a NUL character, which cannot be passed"
        )));
    }
    if text.len() > MAX_WORD {
        return Err(refused(format!(
            "parameter `{name}` has more than the {} KiB that can be passed",
            MAX_WORD >> 10
        )));
    }
    Ok(text)
}

fn shown(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::defined;

    fn given(mut fields: Value, params: Value) -> Result<ProgramInput, String> {
        fields["env"] = json!(["TOKEN"]);
        encode_input(&defined(&fields), params.to_string()).map_err(|e| e.message)
    }

    #[test]
    fn arguments_are_one_word_with_their_name() {
        let params = json!({ "a": "--rm", "b": true, "c": false, "d": [1, "x y"], "e": null, "f": "", "n": 1.5 });
        let words = ["--a=--rm", "--b", "--d=1", "--d=x y", "--f=", "--n=1.5"];
        assert_eq!(
            given(json!({ "input": "args" }), params)
                .expect("passes")
                .args,
            words
        );
        for bad in [
            json!({ "-x": 1 }),
            json!({ "": 1 }),
            json!({ "a=b": 1 }),
            json!({ "a b": 1 }),
            json!({ "a": { "b": 1 } }),
            json!({ "a": [[1]] }),
            json!({ "a": "x\u{0}y" }),
            json!({ "a": "x".repeat(MAX_WORD + 1) }),
            json!({ "a": vec!["x".repeat(MAX_WORD); 20] }),
        ] {
            assert!(given(json!({ "input": "args" }), bad).is_err());
        }
    }

    #[test]
    fn nothing_reaches_what_is_locked_by_another_name_or_place() {
        let fields = json!({ "input": "args", "locked": { "force": true, "tenant": "acme" },
            "params": { "type": "object", "properties": { "ten": { "type": "string" }, "verbose": { "type": "boolean" } } } });
        let words = |params: Value| {
            // As the merge leaves them: locked ones over the others.
            let mut merged = params;
            merged["force"] = json!(true);
            merged["tenant"] = json!("acme");
            given(fields.clone(), merged).map(|given| given.args)
        };
        assert_eq!(
            words(json!({ "zone": "x", "verbose": true, "a": "--force=no", "ten": "x" })),
            Ok([
                "--verbose",
                "--a=--force=no",
                "--ten=x",
                "--zone=x",
                "--force",
                "--tenant=acme"
            ]
            .map(String::from)
            .to_vec())
        );
        for name in ["forc", "tenan", "TENANT", "no-force", "no_tenant", "t"] {
            let refused = words(json!({ name: "x" })).expect_err("refused");
            assert!(
                refused.starts_with(&format!("parameter `{name}` could be taken for `")),
                "{refused}"
            );
        }
        // getopt would take the next word, a locked option, for its value.
        let refused = words(json!({ "name": true })).expect_err("refused");
        assert!(refused.starts_with("parameter `name` is true"), "{refused}");
        assert!(given(json!({ "input": "args" }), json!({ "forc": true })).is_ok());
    }

    #[test]
    fn positional_values_are_no_options() {
        let fields = |dashdash: bool| json!({ "input": "positional", "args_order": ["from", "to", "files"], "dashdash": dashdash });
        let behind = |params| given(fields(true), params).map(|given| given.args);
        let args = |params| given(fields(false), params).map(|given| given.args);
        assert_eq!(
            behind(json!({ "from": "-rf", "to": 2, "files": ["a", "--b"] })),
            Ok(["--", "-rf", "2", "a", "--b"].map(String::from).to_vec())
        );
        assert_eq!(
            args(json!({ "from": "x", "to": 2, "files": ["a", ""] })),
            Ok(["x", "2", "a", ""].map(String::from).to_vec())
        );
        for (params, name) in [
            (json!({ "from": "-rf" }), "from"),
            (json!({ "from": -1 }), "from"),
            (
                json!({ "from": "x", "to": "y", "files": ["a", "--b"] }),
                "files",
            ),
        ] {
            let message = format!(
                "parameter `{name}` begins with `-`, which the program could take for an option"
            );
            assert_eq!(args(params), Err(message));
        }
        assert_eq!(
            args(json!({ "from": "x" })),
            Ok(["x"].map(String::from).to_vec())
        );
        assert_eq!(
            args(json!({ "to": "x" })),
            Err("parameter `from` is missing, and `to` would take its place".into())
        );
        assert_eq!(
            args(json!({ "x": 1 })),
            Err("parameter `x` is not in `args_order`".into())
        );
        assert_eq!(
            args(json!({ "from": [1] })),
            Err("parameter `from` is a list, and only the last of `args_order` may be one".into())
        );
    }

    #[test]
    fn variables_never_decide_what_runs() {
        let env = |params: Value| {
            let names = params.as_object().expect("an object").keys();
            let properties: Map<String, Value> =
                names.map(|name| (name.clone(), json!({}))).collect();
            let schema = json!({ "type": "object", "properties": properties });
            given(json!({ "input": "env", "params": schema }), params).map(|given| given.env)
        };
        assert!(given(json!({ "input": "env" }), json!({ "http_proxy": "x" })).is_err());
        let default = json!({ "input": "env", "defaults": { "region": "eu" } });
        assert!(given(default, json!({ "region": "us" })).is_ok());
        assert_eq!(
            env(json!({ "region": "eu", "list": [1], "gone": null })),
            Ok(vec![
                ("list".into(), "[1]".into()),
                ("region".into(), "eu".into())
            ])
        );
        for name in [
            "PATH",
            "path",
            "LD_PRELOAD",
            "PYTHONPATH",
            "NODE_OPTIONS",
            "BASH_ENV",
            "ENV",
            "IFS",
            "TMPDIR",
            "HOME",
            "TOKEN",
            "GIT_SSH_COMMAND",
            "a-b",
            "1x",
            "a=b",
            "BASH_FUNC_x",
            "LC_ALL",
        ] {
            assert!(env(json!({ name: "x" })).is_err(), "{name}");
        }
    }
}
