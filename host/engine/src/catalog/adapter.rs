//! How a program takes its parameters and gives its result, when it does not use JSON on stdin and
//! stdout.

use serde_json::{Map, Value};

use super::contract::Contract;
use super::error::DefinitionError;
use super::fields::{Fields, collect_error, describe};
use super::template::Template;

/// How parameters reach a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Input {
    /// One JSON object on stdin.
    #[default]
    Json,
    /// `--name=value`; true is `--name`, false and null are nothing, lists repeat.
    Args,
    /// The values alone, in a fixed order.
    Positional {
        /// The names of the parameters.
        order: Vec<String>,
        /// Whether `--` comes before them.
        dashdash: bool,
    },
    /// A command line built from a template.
    Argv(Template),
    /// Environment variables named after the parameters.
    Env,
}

/// How a result is read from stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// One JSON document.
    #[default]
    Json,
    /// The text, without its last line break.
    Text,
    /// A list of the lines.
    Lines,
    /// The last JSON document. The lines before it are a log.
    LastJson,
    /// A list of tables, with the first line as keys. The values are strings.
    Csv {
        /// The character between fields.
        separator: char,
    },
    /// A list of JSON documents, one per line.
    Ndjson,
}

/// The input and output formats of an action.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adapter {
    /// How parameters reach the program.
    pub input: Input,
    /// How the result is read.
    pub output: Output,
    /// Exit statuses that count as success, besides 0.
    pub ok_exit: Vec<i32>,
    /// Whether the result is a table of `status` and `output`.
    pub with_status: bool,
}

const INPUTS: &str = "\"json\", \"args\", \"positional\", \"argv\", \"env\"";

impl Adapter {
    pub(super) fn parse(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Self {
        Self {
            input: collect_error(wrong, input(fields)).unwrap_or_default(),
            output: collect_error(wrong, output(fields)).unwrap_or_default(),
            ok_exit: collect_error(wrong, ok_exit(fields)).unwrap_or_default(),
            with_status: collect_error(wrong, fields.boolean("with_status")).unwrap_or_default(),
        }
    }

    /// Checks the template against the parameters that the definition names.
    pub(super) fn check(
        &self,
        fields: &Fields<'_>,
        contract: &Contract,
        defaults: &Map<String, Value>,
        locked: &Map<String, Value>,
        wrong: &mut Vec<DefinitionError>,
    ) {
        if let Input::Argv(template) = &self.input {
            template.check(fields, contract, defaults, locked, wrong);
        }
    }

    /// The name that definitions use.
    #[must_use]
    pub fn names(&self) -> (&'static str, &'static str) {
        let input = match self.input {
            Input::Json => "json",
            Input::Args => "args",
            Input::Positional { .. } => "positional",
            Input::Argv(_) => "argv",
            Input::Env => "env",
        };
        let output = match self.output {
            Output::Json => "json",
            Output::Text => "text",
            Output::Lines => "lines",
            Output::LastJson => "last-json",
            Output::Csv { .. } => "csv",
            Output::Ndjson => "ndjson",
        };
        (input, output)
    }
}

fn output(fields: &mut Fields<'_>) -> Result<Output, DefinitionError> {
    let name = match fields.value("output") {
        None => return Ok(Output::Json),
        Some(Value::String(name)) => name,
        Some(Value::Object(mut table)) if table.len() == 1 && table.contains_key("csv") => {
            return match table.remove("csv") {
                Some(Value::Object(body)) => csv(fields.within("output.csv".to_owned(), body)),
                _ => Err(fields.error(
                    "output.csv",
                    "must be a table such as { separator = \";\" }",
                )),
            };
        }
        Some(other) => {
            let error = format!(
                "must be a text, or {{ csv = {{ separator = \";\" }} }}, got {}",
                describe(&other)
            );
            return Err(fields.error("output", &error));
        }
    };
    match name.as_str() {
        "json" => Ok(Output::Json),
        "last-json" => Ok(Output::LastJson),
        "text" => Ok(Output::Text),
        "lines" => Ok(Output::Lines),
        "csv" => Ok(Output::Csv { separator: ',' }),
        "ndjson" => Ok(Output::Ndjson),
        other => {
            let none =
                "is not one of \"json\", \"last-json\", \"text\", \"lines\", \"csv\", \"ndjson\"";
            let error = format!("`{}` {none}", other.escape_debug());
            Err(fields.error("output", &error))
        }
    }
}

fn csv(mut fields: Fields<'_>) -> Result<Output, DefinitionError> {
    let separator = fields
        .string("separator")?
        .unwrap_or_else(|| ",".to_owned());
    let mut chars = separator.chars();
    let one = match (chars.next(), chars.next()) {
        (Some(one), None) if !matches!(one, '"' | '\n' | '\r' | '\u{feff}') => one,
        _ => {
            let error = "must be one character, and neither a quote nor a line break";
            return Err(fields.error("separator", error));
        }
    };
    // One error is enough here: only one field is known.
    match fields.finish().into_iter().next() {
        None => Ok(Output::Csv { separator: one }),
        Some(error) => Err(error),
    }
}

/// Reads the exit statuses that count as success.
fn ok_exit(fields: &mut Fields<'_>) -> Result<Vec<i32>, DefinitionError> {
    let wrong = "must be a list of exit statuses from 0 to 255, such as { 0, 1 }";
    match fields.value("ok_exit") {
        None => Ok(Vec::new()),
        Some(Value::Array(elements)) => elements
            .iter()
            .map(|status| {
                let status = status
                    .as_u64()
                    .and_then(|status| i32::try_from(status).ok());
                status
                    .filter(|status| (0..=255).contains(status))
                    .ok_or_else(|| fields.error("ok_exit", wrong))
            })
            .collect(),
        Some(_) => Err(fields.error("ok_exit", wrong)),
    }
}

fn input(fields: &mut Fields<'_>) -> Result<Input, DefinitionError> {
    // Takes all fields before it returns an error: a field that was never taken counts as unknown.
    let (input, order) = (fields.string("input"), fields.strings("args_order"));
    let (dashdash, template) = (fields.boolean("dashdash"), Template::parse(fields));
    let (input, order, dashdash, template) = (input?, order?, dashdash?, template?);
    if let Some(template) = template {
        let alone = |field: &str| {
            Err(fields.error(
                field,
                "does not go with 'argv', which is the whole command line",
            ))
        };
        return match input.as_deref() {
            Some(other) if other != "argv" => alone("input"),
            _ if !order.is_empty() => alone("args_order"),
            _ if dashdash => alone("dashdash"),
            _ => Ok(Input::Argv(template)),
        };
    }
    let input = match input.as_deref() {
        None | Some("json") => Input::Json,
        Some("args") => Input::Args,
        Some("env") => Input::Env,
        Some("argv") => {
            let error = "is missing: input = \"argv\" takes the arguments from it";
            return Err(fields.error("argv", error));
        }
        Some("positional") => {
            if order.is_empty() {
                let error = "is missing: input = \"positional\" takes the parameters in its order";
                return Err(fields.error("args_order", error));
            }
            let twice = order
                .iter()
                .enumerate()
                .find(|(at, name)| order[..*at].contains(name));
            if let Some((_, name)) = twice {
                let error = format!("names `{}` twice", name.escape_debug());
                return Err(fields.error("args_order", &error));
            }
            return Ok(Input::Positional { order, dashdash });
        }
        Some(other) => {
            let error = format!("`{}` is not one of {INPUTS}", other.escape_debug());
            return Err(fields.error("input", &error));
        }
    };
    if dashdash {
        return Err(fields.error("dashdash", "is for input = \"positional\""));
    }
    if order.is_empty() {
        Ok(input)
    } else {
        Err(fields.error("args_order", "is for input = \"positional\""))
    }
}
