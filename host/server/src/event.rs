//! An event of a run, and how readers get it.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::time;

/// What an event is about. Codes are what the store has, and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The state of the run changed.
    State,
    /// The run printed something.
    Output,
    /// A call began.
    CallStarted,
    /// A call ended.
    CallEnded,
    /// The run showed a table or a chart.
    Report,
    /// A call waits for a person, or was decided on.
    Approval,
    /// The run ended.
    End,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::State,
        Self::Output,
        Self::CallStarted,
        Self::CallEnded,
        Self::Report,
        Self::Approval,
        Self::End,
    ];

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::State => 1,
            Self::Output => 2,
            Self::CallStarted => 3,
            Self::CallEnded => 4,
            Self::Report => 5,
            Self::Approval => 6,
            Self::End => 9,
        }
    }

    pub(crate) fn of_code(code: i64) -> Self {
        let found = Self::ALL.into_iter().find(|kind| kind.code() == code);
        // What a newer Kael wrote tells a reader at least that something changed.
        found.unwrap_or(Self::State)
    }

    /// The name of the event for readers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Output => "output",
            Self::CallStarted | Self::CallEnded => "call",
            Self::Report => "report",
            Self::Approval => "approval",
            Self::End => "end",
        }
    }
}

/// One event of a run.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Counted from 0, without gaps.
    pub(crate) seq: i64,
    /// When it happened.
    pub(crate) at: i64,
    /// What it is about.
    pub(crate) kind: Kind,
    /// Bytes that the run has printed, those of this event included.
    pub(crate) offset: i64,
    /// Bytes that were printed for output, else JSON.
    pub(crate) body: Vec<u8>,
}

impl Event {
    /// Its id for readers: `SEQ-OFFSET`.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.seq, self.offset)
    }

    /// The number in an id that a reader gives back.
    pub(crate) fn seq_of_id(id: &str) -> Option<i64> {
        let number = id.split('-').next()?;
        number.parse().ok().filter(|seq| *seq >= 0)
    }

    /// What readers get of it.
    pub(crate) fn data(&self) -> String {
        match self.kind {
            Kind::Output => {
                let start = self.offset - i64::try_from(self.body.len()).unwrap_or(0);
                let text = String::from_utf8_lossy(&self.body);
                json!({ "text": text, "offset": start }).to_string()
            }
            _ => String::from_utf8_lossy(&self.body).into_owned(),
        }
    }

    /// The same as a JSON value, for readers that poll.
    pub(crate) fn document(&self) -> Value {
        let data = RawValue::from_string(self.data()).ok();
        json!({
            "id": self.id(),
            "event": self.kind.name(),
            "at": time::text(self.at),
            "data": data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_ids_lead_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_code(kind.code()), kind);
        }
        let event = Event {
            seq: 7,
            at: 0,
            kind: Kind::Output,
            offset: 12,
            body: b"hello".to_vec(),
        };
        assert_eq!(event.id(), "7-12");
        assert_eq!(Event::seq_of_id(&event.id()), Some(7));
        assert_eq!(Event::seq_of_id("7"), Some(7));
        for wrong in ["", "x", "-1", "9x-1"] {
            assert_eq!(Event::seq_of_id(wrong), None, "{wrong}");
        }
        assert_eq!(event.data(), r#"{"offset":7,"text":"hello"}"#);
    }
}
