//! Lets programs that know nothing of Kael be actions: parameters as arguments or variables, results from text.
//!
//! A value can never become another flag: a named one is one word with its name, positional ones stand behind `--`, and
//! what cannot be passed safely is refused. No I/O.

use serde_json::{Map, Value};

use crate::catalog::{Definition, Input, Output};
use crate::failure::{ActionError, ErrorKind};
use crate::units::ByteSize;

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
pub(super) struct Given {
    pub(super) stdin: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
}

/// Puts merged parameters into the form that a program takes.
pub(super) fn give(definition: &Definition, params: String) -> Result<Given, ActionError> {
    let adapter = &definition.adapter;
    if adapter.input == Input::Json {
        return Ok(Given {
            stdin: params,
            ..Given::default()
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
    let Ok(Value::Object(params)) = crate::json::parse(params.as_bytes()) else {
        return Err(refused("the parameters are no table".to_owned()));
    };
    let mut given = Given::default();
    match &adapter.input {
        Input::Json => {}
        Input::Args => {
            for (name, value) in &params {
                named(name, value, &mut given.args)?;
            }
        }
        Input::Positional(order) => given.args = positional(order, &params)?,
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

fn positional(order: &[String], params: &Map<String, Value>) -> Result<Vec<String>, ActionError> {
    if let Some(name) = params.keys().find(|name| !order.contains(name)) {
        return Err(refused(format!(
            "parameter `{}` is not in `args_order`",
            shown(name)
        )));
    }
    let mut args = vec!["--".to_owned()];
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
                    args.push(word(name, element)?);
                }
            }
            Value::Array(_) => {
                return Err(refused(format!(
                    "parameter `{name}` is a list, and only the last of `args_order` may be one"
                )));
            }
            single => args.push(word(name, single)?),
        }
    }
    Ok(args)
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

/// Makes one JSON document, of at most `cap` bytes, of what a program printed.
pub(super) fn take(output: Output, stdout: Vec<u8>, cap: usize) -> Result<Vec<u8>, ActionError> {
    let bad = |message: String| ActionError::new(ErrorKind::BadOutput, message);
    if output == Output::Json {
        return Ok(stdout);
    }
    let document = document(output, stdout, cap)?;
    if document.len() > cap {
        return Err(bad(too_large(cap)));
    }
    Ok(document)
}

fn too_large(cap: usize) -> String {
    format!(
        "printed what has more than {} as JSON",
        ByteSize::new(cap as u64)
    )
}

fn document(output: Output, stdout: Vec<u8>, cap: usize) -> Result<Vec<u8>, ActionError> {
    let bad = |message: String| ActionError::new(ErrorKind::BadOutput, message);
    let text = String::from_utf8(stdout).map_err(|problem| {
        let at = problem.utf8_error().valid_up_to();
        bad(format!("printed what is not UTF-8 (byte {at})"))
    })?;
    match output {
        Output::Json => Ok(text.into_bytes()),
        Output::Text => Ok(quoted(text.strip_suffix('\n').unwrap_or(&text)).into_bytes()),
        Output::Lines => Ok(list(text.lines().map(quoted))),
        Output::Ndjson => {
            let mut documents = Vec::new();
            for (number, line) in text.lines().enumerate() {
                if line.trim().is_empty() {
                    continue;
                }
                crate::json::check(line).map_err(|problem| {
                    bad(format!("line {} is not JSON: {problem}", number + 1))
                })?;
                documents.push(line.trim());
            }
            Ok(list(documents.into_iter()))
        }
        Output::Csv => csv(&text, cap).map_err(bad),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn list(parts: impl Iterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let mut out = vec![b'['];
    for part in parts {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(part.as_ref().as_bytes());
    }
    out.push(b']');
    out
}

/// RFC 4180: quotes hold commas, line breaks and doubled quotes.
fn csv(text: &str, cap: usize) -> Result<Vec<u8>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = Rows {
        rest: text,
        line: 1,
    };
    let Some(names) = rows.next_row()? else {
        return Ok(b"[]".to_vec());
    };
    if let Some((at, name)) = names
        .iter()
        .enumerate()
        .find(|(at, name)| names[..*at].contains(name))
    {
        return Err(format!(
            "line 1: the column `{}` is there twice (column {})",
            shown(name),
            at + 1
        ));
    }
    let mut out = vec![b'['];
    loop {
        let before = rows.line;
        let Some(row) = rows.next_row()? else { break };
        if row.len() == 1 && row[0].is_empty() {
            continue;
        }
        if row.len() != names.len() {
            return Err(format!(
                "line {before}: {} fields, and the first line names {}",
                row.len(),
                names.len()
            ));
        }
        if out.len() > cap {
            // The names in the first line stand in every row.
            return Err(too_large(cap));
        }
        if out.len() > 1 {
            out.push(b',');
        }
        out.push(b'{');
        for (at, (name, value)) in names.iter().zip(&row).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(quoted(name).as_bytes());
            out.push(b':');
            out.extend_from_slice(quoted(value).as_bytes());
        }
        out.push(b'}');
    }
    out.push(b']');
    Ok(out)
}

struct Rows<'a> {
    rest: &'a str,
    line: usize,
}

impl Rows<'_> {
    fn next_row(&mut self) -> Result<Option<Vec<String>>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut row = Vec::new();
        loop {
            let (field, end) = self.field()?;
            row.push(field);
            match end {
                Some(',') => {}
                _ => return Ok(Some(row)),
            }
        }
    }

    /// A field and what ended it.
    fn field(&mut self) -> Result<(String, Option<char>), String> {
        let mut field = String::new();
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let start = self.line;
            self.rest = quoted;
            loop {
                let Some(at) = self.rest.find('"') else {
                    return Err(format!("line {start}: a quote is not closed"));
                };
                self.line += self.rest[..at].matches('\n').count();
                field.push_str(&self.rest[..at]);
                self.rest = &self.rest[at + 1..];
                match self.rest.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        self.rest = more;
                    }
                    None => break,
                }
            }
        } else {
            let at = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
            let plain = &self.rest[..at];
            let ends_line = self.rest[at..].starts_with('\n') || at == self.rest.len();
            field.push_str(if ends_line {
                plain.trim_end_matches('\r')
            } else {
                plain
            });
            self.rest = &self.rest[at..];
        }
        let rest = self.rest.strip_prefix('\r').unwrap_or(self.rest);
        let mut chars = rest.chars();
        match chars.next() {
            None => {
                self.rest = "";
                Ok((field, None))
            }
            Some('\n') => {
                self.line += 1;
                self.rest = chars.as_str();
                Ok((field, Some('\n')))
            }
            Some(',') => {
                self.rest = chars.as_str();
                Ok((field, Some(',')))
            }
            Some(_) => Err(format!("line {}: text behind a closed quote", self.line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::{Catalog, Location, RawDefinition};

    fn given(fields: Value, params: Value) -> Result<Given, String> {
        let mut body = json!({ "source": "x", "executor": "native", "env": ["TOKEN"] });
        let fields = fields.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(fields);
        let raw = RawDefinition {
            names: vec!["a".into()],
            location: Location {
                file: "f".into(),
                line: 1,
            },
            body: body.to_string(),
            problem: None,
        };
        let catalog = Catalog::new(&[raw]).expect("valid");
        let definition = catalog.get("a").expect("defined");
        give(definition, params.to_string()).map_err(|e| e.message)
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
    fn positional_values_stand_behind_two_dashes() {
        let order = json!({ "input": "positional", "args_order": ["from", "to", "files"] });
        let args = |params| given(order.clone(), params).map(|given| given.args);
        assert_eq!(
            args(json!({ "from": "-rf", "to": 2, "files": ["a", "--b"] })),
            Ok(["--", "-rf", "2", "a", "--b"].map(String::from).to_vec())
        );
        assert_eq!(
            args(json!({ "from": "x" })),
            Ok(["--", "x"].map(String::from).to_vec())
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

    #[test]
    fn text_becomes_json() {
        let taken = |output, text: &str| {
            take(output, text.as_bytes().to_vec(), 1 << 20)
                .map(|json| String::from_utf8(json).expect("text"))
                .map_err(|e| e.message)
        };
        assert_eq!(taken(Output::Text, "a\"b\n\n"), Ok(r#""a\"b\n""#.into()));
        assert_eq!(taken(Output::Text, ""), Ok(r#""""#.into()));
        assert_eq!(taken(Output::Lines, "a\r\nb\n"), Ok(r#"["a","b"]"#.into()));
        assert_eq!(taken(Output::Lines, ""), Ok("[]".into()));
        assert_eq!(
            taken(Output::Ndjson, "{\"a\":1}\n\n[2]\n"),
            Ok(r#"[{"a":1},[2]]"#.into())
        );
        assert!(
            taken(Output::Ndjson, "{}\nx\n").is_err_and(|e| e.starts_with("line 2 is not JSON: "))
        );
        assert!(take(Output::Text, b"\xff".to_vec(), 100).is_err());
    }

    #[test]
    fn nothing_grows_without_bound() {
        let rows = format!("{}\n{}", "n".repeat(1000), "1\n".repeat(1000));
        let error = take(Output::Csv, rows.into_bytes(), 64 << 10).expect_err("too much");
        assert_eq!(error.message, "printed what has more than 64 KiB as JSON");
        assert!(take(Output::Text, vec![1; 1000], 2000).is_err());
    }

    #[test]
    fn csv_is_read_by_its_first_line() {
        let csv = |text: &str| {
            super::csv(text, 1 << 20).map(|json| String::from_utf8(json).expect("text"))
        };
        assert_eq!(
            csv("a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n2,\n"),
            Ok(r#"[{"a":"1","b":"x, \"y\"\nz"},{"a":"2","b":""}]"#.into())
        );
        assert_eq!(csv(""), Ok("[]".into()));
        assert_eq!(csv("a,b\n"), Ok("[]".into()));
        assert_eq!(csv("a\n1"), Ok(r#"[{"a":"1"}]"#.into()));
        assert_eq!(
            csv("a,b\n1\n"),
            Err("line 2: 1 fields, and the first line names 2".into())
        );
        assert_eq!(
            csv("a,b\n\"x\ny\",1\n1\n"),
            Err("line 4: 1 fields, and the first line names 2".into())
        );
        assert_eq!(csv("a\n\"x"), Err("line 2: a quote is not closed".into()));
        assert_eq!(
            csv("a\n\"x\"y"),
            Err("line 2: text behind a closed quote".into())
        );
        assert_eq!(
            csv("a,a\n"),
            Err("line 1: the column `a` is there twice (column 2)".into())
        );
    }
}
