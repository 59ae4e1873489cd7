//! Why a text is no list of answers.

use thiserror::Error;

use crate::json::{JsonError, Misread};

/// Why a text is no list of answers.
#[derive(Debug, Error)]
pub enum AnswersError {
    /// It is not JSON, or of another shape.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It is neither a list nor an object.
    #[error("expected a list of answers, or results by action")]
    NoList,
    /// An answer of a list is wrong.
    #[error("answer {number}: {error}")]
    Answer {
        /// Its number, from 1.
        number: usize,
        /// What is wrong.
        error: AnswerError,
    },
    /// An answer on a line of its own is wrong.
    #[error("line {line}: {error}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        error: AnswerError,
    },
}

/// What is wrong with one answer.
#[derive(Debug, Error)]
pub enum AnswerError {
    /// It is not JSON, or of another shape.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It is no object.
    #[error("expected an object with `action` and `result`")]
    NoObject,
    /// It does not say whose it is.
    #[error("`action` is missing: the name of an action")]
    NoAction,
    /// It has no outcome, or two.
    #[error("either `result` or `error` is to be there")]
    NoOutcome,
    /// It has a field that no answer has.
    #[error("unknown field `{}`", .0.escape_debug())]
    UnknownField(String),
    /// Its parameters cannot be those of a call.
    #[error("`params`: {0}")]
    Params(JsonError),
    /// Its error has another shape.
    #[error("`error` must be a text or an object with `message`")]
    ErrorShape,
    /// Its error says nothing.
    #[error("`error` has no `message`")]
    NoMessage,
    /// A field of its error has another shape.
    #[error("`error.{field}`: {error}")]
    ErrorField {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

/// A text that is not JSON of the shape that is wanted.
#[derive(Debug, Error)]
pub enum TextError {
    /// It is not JSON.
    #[error("{0}")]
    Json(Misread),
    /// It has another shape.
    #[error(transparent)]
    Shape(serde_json::Error),
}
