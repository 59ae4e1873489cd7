//! An entry of a journal as JSON, both ways: all of it is there, so that the entry can be made of the document again.

use kael_engine::journal::{
    Begin, Delivered, Delivery, End, EndKind, Entry, Failure, Intent, Outcome, Resolve, Verdict,
    Wait,
};
use kael_engine::text::{hex, unhex};
use serde::{Deserialize, Serialize};

/// An entry of a journal as JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum EntryDocument {
    Begin {
        format: u32,
        version: String,
        guest: String,
        bundle: String,
        script: String,
        name: String,
        args: Vec<String>,
        memory: u64,
        want_result: bool,
        tenant: String,
    },
    Turn {
        digest: String,
        asked: String,
        delivered: Vec<DeliveredDocument>,
    },
    Own {
        name: String,
        answer: Answer,
    },
    Prints {
        count: u64,
        bytes: u64,
        digest: String,
    },
    Intent {
        id: u32,
        call: u64,
        action: String,
        params: String,
        key: String,
        once: bool,
        definition: String,
        attempt: u32,
    },
    Outcome {
        id: u32,
        outcome: Answer,
        us: u64,
    },
    Wait {
        id: u32,
        #[serde(rename = "for")]
        awaited: Awaited,
    },
    Resolve {
        id: u32,
        by: String,
        verdict: Word,
    },
    Cancel {
        by: String,
    },
    Takeover {
        epoch: u64,
    },
    End {
        how: How,
        text: String,
        result: Option<String>,
    },
    CallsCancelled {
        ids: Vec<u32>,
    },
}

/// A completion: where its outcome stands, or the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum DeliveredDocument {
    At { id: u32, at: u64 },
    Own { id: u32, answer: Answer },
}

/// How a call ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Ok {
        ok: String,
    },
    Error {
        error: String,
        number: u8,
        detail: Option<String>,
    },
}

/// What a call waits for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Awaited {
    Time { until: u64 },
    Signal { name: String, until: Option<u64> },
    Run { run: String, until: Option<u64> },
    Approval { digest: String, until: Option<u64> },
    Letter { number: u64, by: String },
}

/// How a person settled a doubt.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    Done(String),
    Failed(String),
    Retry,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    Done,
    Failed,
    Limit,
    Exited,
    Cancelled,
    OutputClosed,
    Fault,
}

impl From<&Entry> for EntryDocument {
    fn from(entry: &Entry) -> Self {
        match entry.clone() {
            Entry::Begin(begin) => Self::Begin {
                format: begin.format,
                version: begin.version,
                guest: hex(&begin.guest),
                bundle: hex(&begin.bundle),
                script: hex(&begin.script),
                name: begin.name,
                args: begin.args,
                memory: begin.memory,
                want_result: begin.want_result,
                tenant: begin.tenant,
            },
            Entry::Turn {
                digest,
                asked,
                delivered,
            } => Self::Turn {
                digest: hex(&digest),
                asked,
                delivered: delivered.into_iter().map(Into::into).collect(),
            },
            Entry::Own { name, answer } => Self::Own {
                name,
                answer: answer.into(),
            },
            Entry::Prints {
                count,
                bytes,
                digest,
            } => Self::Prints {
                count,
                bytes,
                digest: hex(&digest),
            },
            Entry::Intent(intent) => Self::Intent {
                id: intent.id,
                call: intent.call,
                action: intent.name,
                params: intent.params,
                key: intent.key,
                once: intent.once,
                definition: intent.definition,
                attempt: intent.attempt,
            },
            Entry::Outcome {
                id,
                outcome,
                duration,
            } => Self::Outcome {
                id,
                outcome: outcome.into(),
                us: duration,
            },
            Entry::Wait { id, wait } => Self::Wait {
                id,
                awaited: match wait {
                    Wait::Until(until) => Awaited::Time { until },
                    Wait::Signal(name, until) => Awaited::Signal { name, until },
                    Wait::Child(run, until) => Awaited::Run { run, until },
                    Wait::Approval(digest, until) => Awaited::Approval { digest, until },
                    Wait::Letter(number, by) => Awaited::Letter { number, by },
                },
            },
            Entry::Resolve(resolve) => Self::Resolve {
                id: resolve.id,
                by: resolve.by,
                verdict: match resolve.verdict {
                    Verdict::Done(result) => Word::Done(result),
                    Verdict::Failed(message) => Word::Failed(message),
                    Verdict::Retry => Word::Retry,
                },
            },
            Entry::Cancel { by } => Self::Cancel { by },
            Entry::Takeover { epoch } => Self::Takeover { epoch },
            Entry::End(end) => Self::End {
                how: match end.kind {
                    EndKind::Done => How::Done,
                    EndKind::Failed => How::Failed,
                    EndKind::Limit => How::Limit,
                    EndKind::Exited => How::Exited,
                    EndKind::Cancelled => How::Cancelled,
                    EndKind::OutputClosed => How::OutputClosed,
                    EndKind::Fault => How::Fault,
                },
                text: end.text,
                result: end.result,
            },
            Entry::CallsCancelled { ids } => Self::CallsCancelled { ids },
        }
    }
}

impl EntryDocument {
    /// The entry; none when a digest is none.
    pub(crate) fn entry(self) -> Option<Entry> {
        Some(match self {
            Self::Begin {
                format,
                version,
                guest,
                bundle,
                script,
                name,
                args,
                memory,
                want_result,
                tenant,
            } => Entry::Begin(Box::new(Begin {
                format,
                version,
                guest: unhex(&guest)?,
                bundle: unhex(&bundle)?,
                script: unhex(&script)?,
                name,
                args,
                memory,
                want_result,
                tenant,
            })),
            Self::Turn {
                digest,
                asked,
                delivered,
            } => Entry::Turn {
                digest: unhex(&digest)?,
                asked,
                delivered: delivered.into_iter().map(Into::into).collect(),
            },
            Self::Own { name, answer } => Entry::Own {
                name,
                answer: answer.into(),
            },
            Self::Prints {
                count,
                bytes,
                digest,
            } => Entry::Prints {
                count,
                bytes,
                digest: unhex(&digest)?,
            },
            Self::Intent {
                id,
                call,
                action,
                params,
                key,
                once,
                definition,
                attempt,
            } => Entry::Intent(Box::new(Intent {
                id,
                call,
                name: action,
                params,
                key,
                once,
                definition,
                attempt,
            })),
            Self::Outcome { id, outcome, us } => Entry::Outcome {
                id,
                outcome: outcome.into(),
                duration: us,
            },
            Self::Wait { id, awaited } => Entry::Wait {
                id,
                wait: match awaited {
                    Awaited::Time { until } => Wait::Until(until),
                    Awaited::Signal { name, until } => Wait::Signal(name, until),
                    Awaited::Run { run, until } => Wait::Child(run, until),
                    Awaited::Approval { digest, until } => Wait::Approval(digest, until),
                    Awaited::Letter { number, by } => Wait::Letter(number, by),
                },
            },
            Self::Resolve { id, by, verdict } => Entry::Resolve(Box::new(Resolve {
                id,
                by,
                verdict: match verdict {
                    Word::Done(result) => Verdict::Done(result),
                    Word::Failed(message) => Verdict::Failed(message),
                    Word::Retry => Verdict::Retry,
                },
            })),
            Self::Cancel { by } => Entry::Cancel { by },
            Self::Takeover { epoch } => Entry::Takeover { epoch },
            Self::End { how, text, result } => Entry::End(Box::new(End {
                kind: match how {
                    How::Done => EndKind::Done,
                    How::Failed => EndKind::Failed,
                    How::Limit => EndKind::Limit,
                    How::Exited => EndKind::Exited,
                    How::Cancelled => EndKind::Cancelled,
                    How::OutputClosed => EndKind::OutputClosed,
                    How::Fault => EndKind::Fault,
                },
                text,
                result,
            })),
            Self::CallsCancelled { ids } => Entry::CallsCancelled { ids },
        })
    }
}

impl From<Delivered> for DeliveredDocument {
    fn from(one: Delivered) -> Self {
        let id = one.id;
        match one.delivery {
            Delivery::At(at) => Self::At { id, at },
            Delivery::Own(answer) => Self::Own {
                id,
                answer: answer.into(),
            },
        }
    }
}

impl From<DeliveredDocument> for Delivered {
    fn from(document: DeliveredDocument) -> Self {
        match document {
            DeliveredDocument::At { id, at } => Self {
                id,
                delivery: Delivery::At(at),
            },
            DeliveredDocument::Own { id, answer } => Self {
                id,
                delivery: Delivery::Own(answer.into()),
            },
        }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Ok(ok) => Self::Ok { ok },
            Err(failure) => Self::Error {
                error: failure.message,
                number: failure.kind,
                detail: failure.detail,
            },
        }
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Ok { ok } => Ok(ok),
            Answer::Error {
                error,
                number,
                detail,
            } => Err(Failure {
                kind: number,
                message: error,
                detail,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
