//! What a journal consists of, and each entry as bytes.

use super::codec::{Decoder, Encoder, Malformed};

/// An action's error exactly as the guest gets it. Its texts are never made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The number of the kind at the boundary.
    pub kind: u8,
    /// One line.
    pub message: String,
    /// A JSON object.
    pub detail: Option<String>,
}

/// How a call ended, as the guest gets it.
pub type Outcome = Result<String, Failure>;

/// The beginning of a run: all that it is a function of, by digest, and what people want to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Begin {
    /// The version of the format.
    pub format: u32,
    /// The version of Kael.
    pub version: String,
    /// SHA-256 of the guest.
    pub guest: [u8; 32],
    /// SHA-256 of the actions repo as the script gets it; zeros without one.
    pub bundle: [u8; 32],
    /// SHA-256 of the script.
    pub script: [u8; 32],
    /// How errors name the script.
    pub name: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Bytes of memory that it may use: the one limit that a run keeps.
    pub memory: u64,
    /// Whether the value that it returns is wanted.
    pub want_result: bool,
    /// For whom it is done.
    pub tenant: String,
}

/// One completion of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The number that the guest gave the call.
    pub id: u32,
    /// How it ended.
    pub delivery: Delivery,
}

/// Where the outcome of a completion stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// In the entry of that number.
    At(u64),
    /// Here: the host's own names.
    Own(Outcome),
}

/// An effect that is about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The number that the guest gave the call.
    pub id: u32,
    /// The number of the call in its run, from 1.
    pub call: u64,
    /// The name that the script called.
    pub name: String,
    /// The start of the merged parameters.
    pub params: String,
    /// The idempotency key.
    pub key: String,
    /// Whether it must not begin twice.
    pub once: bool,
    /// The digest of the definition.
    pub definition: String,
    /// From 1.
    pub attempt: u32,
}

/// What a call waits for beside an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// A time, in microseconds since 1970.
    Until(u64),
    /// A signal of that name, or that time.
    Signal(String, Option<u64>),
    /// The end of the run of that id, or that time.
    Child(String, Option<u64>),
    /// A decision on what has that digest, or that time.
    Approval(String, Option<u64>),
    /// It has got the letter of that number, which that person has sent.
    Letter(u64, String),
}

/// How a person settled a doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It took place, with this result.
    Done(String),
    /// It did not, or failed: the message.
    Failed(String),
    /// It is to be started again.
    Retry,
}

/// A doubt that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// The number that the guest gave the call.
    pub id: u32,
    /// Who did.
    pub by: String,
    /// How.
    pub verdict: Verdict,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndKind {
    /// The script ran to its end.
    Done,
    /// An error that nothing caught.
    Failed,
    /// A limit: no event of the script, so that the run can be continued with a higher one.
    Limit,
    /// `os.exit`.
    Exited,
    /// A person or a signal ended it.
    Cancelled,
    /// The reader of its output left.
    OutputClosed,
    /// A bug of Kael's.
    Fault,
}

/// The end of a run, or of one attempt at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// How.
    pub kind: EndKind,
    /// The exit code, the name of the limit, or what went wrong.
    pub text: String,
    /// The value that the script returned, as JSON.
    pub result: Option<String>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The first of every journal.
    Begin(Box<Begin>),
    /// A crossing that calls actions, or beside which calls were in flight.
    Turn {
        /// The start of the SHA-256 of what went in.
        digest: [u8; 16],
        /// The names that were called, for people.
        asked: String,
        /// What came out, in order.
        delivered: Vec<Delivered>,
    },
    /// A crossing with one of the host's own names, and its answer.
    Own {
        /// The name.
        name: String,
        /// The answer.
        answer: Outcome,
    },
    /// Crossings in a row whose answers are null: prints, tables, warnings.
    Prints {
        /// How many.
        count: u64,
        /// Bytes of their parameters.
        bytes: u64,
        /// The start of the SHA-256 of all of them.
        digest: [u8; 16],
    },
    /// Before an effect.
    Intent(Box<Intent>),
    /// After a call.
    Outcome {
        /// The number that the guest gave the call.
        id: u32,
        /// How it ended.
        outcome: Outcome,
        /// Microseconds from its turn to its end.
        duration: u64,
    },
    /// A call that waits.
    Wait {
        /// The number that the guest gave the call.
        id: u32,
        /// For what.
        wait: Wait,
    },
    /// A doubt was settled.
    Resolve(Box<Resolve>),
    /// A person asked the run to end.
    Cancel {
        /// Who.
        by: String,
    },
    /// Another process goes on with the run.
    Takeover {
        /// How often this was so.
        epoch: u64,
    },
    /// The end.
    End(Box<End>),
    /// Calls that the script has cancelled, such as those of the branches that lose a `race`. The crossing that did so
    /// follows. Since format 2.
    CallsCancelled {
        /// The numbers that the guest gave them.
        ids: Vec<u32>,
    },
}

impl Entry {
    /// The kind of [`Entry::End`].
    pub const END: u8 = 10;

    /// The number of its kind, which is stored beside its body.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Begin(_) => 0,
            Self::Turn { .. } => 1,
            Self::Own { .. } => 2,
            Self::Prints { .. } => 3,
            Self::Intent(_) => 4,
            Self::Outcome { .. } => 5,
            Self::Wait { .. } => 6,
            Self::Resolve(_) => 7,
            Self::Cancel { .. } => 8,
            Self::Takeover { .. } => 9,
            Self::End(_) => Self::END,
            Self::CallsCancelled { .. } => 11,
        }
    }

    /// Whether it records a crossing of `run-action`.
    #[must_use]
    pub fn is_crossing(&self) -> bool {
        matches!(
            self,
            Self::Turn { .. } | Self::Own { .. } | Self::Prints { .. }
        )
    }

    /// Its body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::default();
        match self {
            Self::Begin(begin) => {
                to.number(begin.format.into());
                to.text(&begin.version);
                for digest in [&begin.guest, &begin.bundle, &begin.script] {
                    to.raw(digest);
                }
                to.text(&begin.name);
                to.list(&begin.args, |to, arg| to.text(arg));
                to.number(begin.memory);
                to.byte(begin.want_result.into());
                to.text(&begin.tenant);
            }
            Self::Turn {
                digest,
                asked,
                delivered,
            } => {
                to.raw(digest);
                to.text(asked);
                to.list(delivered, |to, one| {
                    to.number(one.id.into());
                    match &one.delivery {
                        Delivery::At(seq) => {
                            to.byte(0);
                            to.number(*seq);
                        }
                        Delivery::Own(answer) => {
                            to.byte(1);
                            outcome(to, answer);
                        }
                    }
                });
            }
            Self::Own { name, answer } => {
                to.text(name);
                outcome(&mut to, answer);
            }
            Self::Prints {
                count,
                bytes,
                digest,
            } => {
                to.number(*count);
                to.number(*bytes);
                to.raw(digest);
            }
            Self::Intent(intent) => {
                to.number(intent.id.into());
                to.number(intent.call);
                to.text(&intent.name);
                to.text(&intent.params);
                to.text(&intent.key);
                to.byte(intent.once.into());
                to.text(&intent.definition);
                to.number(intent.attempt.into());
            }
            Self::Outcome {
                id,
                outcome: ended,
                duration,
            } => {
                to.number((*id).into());
                outcome(&mut to, ended);
                to.number(*duration);
            }
            Self::Wait { id, wait } => {
                to.number((*id).into());
                match wait {
                    Wait::Until(time) => {
                        to.byte(0);
                        to.number(*time);
                    }
                    Wait::Signal(name, until) => awaited(&mut to, 1, name, *until),
                    Wait::Child(run, until) => awaited(&mut to, 2, run, *until),
                    Wait::Approval(digest, until) => awaited(&mut to, 4, digest, *until),
                    Wait::Letter(number, by) => {
                        to.byte(3);
                        to.number(*number);
                        to.text(by);
                    }
                }
            }
            Self::Resolve(resolve) => {
                to.number(resolve.id.into());
                to.text(&resolve.by);
                match &resolve.verdict {
                    Verdict::Done(result) => {
                        to.byte(0);
                        to.text(result);
                    }
                    Verdict::Failed(message) => {
                        to.byte(1);
                        to.text(message);
                    }
                    Verdict::Retry => to.byte(2),
                }
            }
            Self::Cancel { by } => to.text(by),
            Self::Takeover { epoch } => to.number(*epoch),
            Self::End(end) => {
                to.byte(end.kind as u8);
                to.text(&end.text);
                to.option(end.result.as_deref(), Encoder::text);
            }
            Self::CallsCancelled { ids } => to.list(ids, |to, id| to.number((*id).into())),
        }
        to.finish()
    }

    /// Reads a body.
    ///
    /// # Errors
    /// When it is none of that kind, in the one form in which it can be written.
    pub fn decode(kind: u8, body: &[u8]) -> Result<Self, Malformed> {
        let mut from = Decoder::new(body);
        let entry = match kind {
            0 => Self::Begin(Box::new(Begin {
                format: from.number32()?,
                version: from.text()?,
                guest: from.array()?,
                bundle: from.array()?,
                script: from.array()?,
                name: from.text()?,
                args: from.list(Decoder::text)?,
                memory: from.number()?,
                want_result: flag(&mut from)?,
                tenant: from.text()?,
            })),
            1 => Self::Turn {
                digest: from.array()?,
                asked: from.text()?,
                delivered: from.list(|from| {
                    Ok(Delivered {
                        id: from.number32()?,
                        delivery: match from.byte()? {
                            0 => Delivery::At(from.number()?),
                            1 => Delivery::Own(read_outcome(from)?),
                            _ => return Err(from.wrong("no such delivery")),
                        },
                    })
                })?,
            },
            2 => Self::Own {
                name: from.text()?,
                answer: read_outcome(&mut from)?,
            },
            3 => Self::Prints {
                count: from.number()?,
                bytes: from.number()?,
                digest: from.array()?,
            },
            4 => Self::Intent(Box::new(Intent {
                id: from.number32()?,
                call: from.number()?,
                name: from.text()?,
                params: from.text()?,
                key: from.text()?,
                once: flag(&mut from)?,
                definition: from.text()?,
                attempt: from.number32()?,
            })),
            5 => Self::Outcome {
                id: from.number32()?,
                outcome: read_outcome(&mut from)?,
                duration: from.number()?,
            },
            6 => Self::Wait {
                id: from.number32()?,
                wait: match from.byte()? {
                    0 => Wait::Until(from.number()?),
                    1 => Wait::Signal(from.text()?, from.option(Decoder::number)?),
                    2 => Wait::Child(from.text()?, from.option(Decoder::number)?),
                    3 => Wait::Letter(from.number()?, from.text()?),
                    4 => Wait::Approval(from.text()?, from.option(Decoder::number)?),
                    _ => return Err(from.wrong("no such wait")),
                },
            },
            7 => Self::Resolve(Box::new(Resolve {
                id: from.number32()?,
                by: from.text()?,
                verdict: match from.byte()? {
                    0 => Verdict::Done(from.text()?),
                    1 => Verdict::Failed(from.text()?),
                    2 => Verdict::Retry,
                    _ => return Err(from.wrong("no such verdict")),
                },
            })),
            8 => Self::Cancel { by: from.text()? },
            9 => Self::Takeover {
                epoch: from.number()?,
            },
            Self::END => Self::End(Box::new(End {
                kind: end_kind(&mut from)?,
                text: from.text()?,
                result: from.option(Decoder::text)?,
            })),
            11 => Self::CallsCancelled {
                ids: from.list(Decoder::number32)?,
            },
            _ => return Err(from.wrong("no such kind of entry")),
        };
        from.finish()?;
        Ok(entry)
    }
}

fn awaited(to: &mut Encoder, what: u8, name: &str, until: Option<u64>) {
    to.byte(what);
    to.text(name);
    to.option(until, Encoder::number);
}

fn outcome(to: &mut Encoder, outcome: &Outcome) {
    match outcome {
        Ok(result) => {
            to.byte(0);
            to.text(result);
        }
        Err(failure) => {
            to.byte(1);
            to.byte(failure.kind);
            to.text(&failure.message);
            to.option(failure.detail.as_deref(), Encoder::text);
        }
    }
}

fn read_outcome(from: &mut Decoder<'_>) -> Result<Outcome, Malformed> {
    match from.byte()? {
        0 => Ok(Ok(from.text()?)),
        1 => Ok(Err(Failure {
            kind: from.byte()?,
            message: from.text()?,
            detail: from.option(Decoder::text)?,
        })),
        _ => Err(from.wrong("neither a result nor an error")),
    }
}

fn flag(from: &mut Decoder<'_>) -> Result<bool, Malformed> {
    match from.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(from.wrong("neither true nor false")),
    }
}

fn end_kind(from: &mut Decoder<'_>) -> Result<EndKind, Malformed> {
    Ok(match from.byte()? {
        0 => EndKind::Done,
        1 => EndKind::Failed,
        2 => EndKind::Limit,
        3 => EndKind::Exited,
        4 => EndKind::Cancelled,
        5 => EndKind::OutputClosed,
        6 => EndKind::Fault,
        _ => return Err(from.wrong("no such end")),
    })
}

#[cfg(test)]
mod tests;
