//! How an implementation takes its parameters and gives its result, where that is not JSON on stdin and stdout.

use super::fields::{DefinitionError, Fields, noted};

/// How parameters reach a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Input {
    /// One JSON object on stdin.
    #[default]
    Json,
    /// `--name=value`; true is `--name`, false and null are nothing, lists repeat.
    Args,
    /// Values behind `--`, in this order.
    Positional(Vec<String>),
    /// Variables by the parameters' names.
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
    /// A list of lines.
    Lines,
    /// A list of tables by the names in the first line; values are text.
    Csv,
    /// A list of JSON documents, one a line.
    Ndjson,
}

/// Both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adapter {
    /// How parameters reach it.
    pub input: Input,
    /// How its result is read.
    pub output: Output,
}

const INPUTS: &str = "\"json\", \"args\", \"positional\", \"env\"";

impl Adapter {
    pub(super) fn parse(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Self {
        Self {
            input: noted(wrong, input(fields)).unwrap_or_default(),
            output: noted(wrong, output(fields)).unwrap_or_default(),
        }
    }

    /// How definitions spell it.
    #[must_use]
    pub fn names(&self) -> (&'static str, &'static str) {
        let input = match self.input {
            Input::Json => "json",
            Input::Args => "args",
            Input::Positional(_) => "positional",
            Input::Env => "env",
        };
        let output = match self.output {
            Output::Json => "json",
            Output::Text => "text",
            Output::Lines => "lines",
            Output::Csv => "csv",
            Output::Ndjson => "ndjson",
        };
        (input, output)
    }
}

fn output(fields: &mut Fields<'_>) -> Result<Output, DefinitionError> {
    match fields.string("output")?.as_deref() {
        None | Some("json") => Ok(Output::Json),
        Some("text") => Ok(Output::Text),
        Some("lines") => Ok(Output::Lines),
        Some("csv") => Ok(Output::Csv),
        Some("ndjson") => Ok(Output::Ndjson),
        Some(other) => {
            let none = "is none of \"json\", \"text\", \"lines\", \"csv\", \"ndjson\"";
            let problem = format!("`{}` {none}", other.escape_debug());
            Err(fields.error("output", &problem))
        }
    }
}

fn input(fields: &mut Fields<'_>) -> Result<Input, DefinitionError> {
    // Both are taken before either may be wrong: what was not taken is unknown.
    let (input, order) = (fields.string("input"), fields.strings("args_order"));
    let (input, order) = (input?, order?);
    let input = match input.as_deref() {
        None | Some("json") => Input::Json,
        Some("args") => Input::Args,
        Some("env") => Input::Env,
        Some("positional") => {
            if order.is_empty() {
                let problem =
                    "is missing: input = \"positional\" takes the parameters in its order";
                return Err(fields.error("args_order", problem));
            }
            let twice = order
                .iter()
                .enumerate()
                .find(|(at, name)| order[..*at].contains(name));
            if let Some((_, name)) = twice {
                let problem = format!("names `{}` twice", name.escape_debug());
                return Err(fields.error("args_order", &problem));
            }
            return Ok(Input::Positional(order));
        }
        Some(other) => {
            let problem = format!("`{}` is none of {INPUTS}", other.escape_debug());
            return Err(fields.error("input", &problem));
        }
    };
    if order.is_empty() {
        Ok(input)
    } else {
        Err(fields.error("args_order", "is for input = \"positional\""))
    }
}
