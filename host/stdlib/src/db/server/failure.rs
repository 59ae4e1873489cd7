//! Why a call to a database server gives nothing.

use kael_engine::failure::{ActionError, Detail, ErrorKind};
use kael_net::ConnectError;

/// What went wrong, and whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The call asks for what it may not have.
    Asked(String),
    /// The answer has more rows than it may, and is not read to its end.
    TooMany(String),
    /// There is no connection.
    Unavailable(String, Option<String>),
    /// No address of the server may be connected to.
    Prohibited(String, Option<String>),
    /// The server has refused the statement, with its advice.
    Refused(String, Option<String>),
    /// It took longer than the call may.
    Timeout,
    /// The connection broke off.
    Closed,
    /// The answer is larger than it may be.
    TooLarge,
    /// The server does not follow its protocol.
    Nonsense(&'static str),
}

impl Failure {
    pub(super) fn connect(error: ConnectError, advice: Option<String>) -> Self {
        match error {
            ConnectError::Prohibited => Self::Prohibited(error.to_string(), advice),
            _ => Self::Unavailable(error.to_string(), advice),
        }
    }

    /// The error of the call, which may take that many seconds.
    pub(super) fn error(self, time: f64) -> ActionError {
        let with = |kind, message: String, hint: Option<String>| ActionError {
            detail: hint.map(|hint| {
                Box::new(Detail {
                    hint: Some(hint),
                    ..Detail::default()
                })
            }),
            ..ActionError::new(kind, message)
        };
        match self {
            Self::Asked(why) | Self::TooMany(why) => with(ErrorKind::InvalidParams, why, None),
            Self::Unavailable(why, hint) => ActionError::unavailable(why, hint),
            Self::Prohibited(why, hint) => with(ErrorKind::Denied, why, hint),
            Self::Refused(why, hint) => with(ErrorKind::Failed, why, hint),
            Self::Timeout => {
                let why = format!("it took longer than {time} s");
                with(ErrorKind::Timeout, why, None)
            }
            Self::Closed => {
                let why = "the server closed the connection".to_owned();
                with(ErrorKind::Failed, why, None)
            }
            Self::TooLarge => {
                let why = "the answer has more than 16 MiB".to_owned();
                with(ErrorKind::InvalidParams, why, None)
            }
            Self::Nonsense(what) => {
                let why = format!("the server does not follow its protocol: {what}");
                with(ErrorKind::Failed, why, None)
            }
        }
    }
}

/// A server's words, shortened: a server can say anything.
pub(super) fn shortened(words: &str) -> String {
    const MOST: usize = 2_000;
    match words.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words.to_owned(),
    }
}
