//! Events as an instance that is a rule is given them, and the verdicts that it gives back.
//!
//! guest/src/rules/batch.rs describes the bytes of a batch. What comes back is a rule's word: every
//! length and place in it is checked.

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A truth value.
    Bool(bool),
    /// A number with a fraction.
    F64(f64),
    /// A text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list, as JSON text.
    Array(String),
}

/// One event, written once for all rules.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedEvent(Vec<u8>);

impl EncodedEvent {
    /// Writes an event: its number, its type, its time in nanoseconds, and its fields by slot.
    ///
    /// # Panics
    /// With more than 65,534 slots, which a schema cannot have.
    #[must_use]
    pub fn new(seq: u64, kind: u32, time: i64, fields: &[Option<FieldValue>]) -> Self {
        let slots = u16::try_from(fields.len()).expect("a schema has fewer fields");
        let present = fields.iter().flatten().count();
        let index = (2 * fields.len()).next_multiple_of(8);
        let texts = 32 + index + 16 * present;
        let mut out = Vec::with_capacity(texts + 256);
        out.extend(0_u32.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(seq.to_le_bytes());
        out.extend(time.to_le_bytes());
        out.extend(slots.to_le_bytes());
        out.extend((present as u16).to_le_bytes());
        out.extend([0; 4]);
        let mut count = 0_u16;
        for field in fields {
            let place = match field {
                Some(_) => {
                    count += 1;
                    count
                }
                None => 0,
            };
            out.extend(place.to_le_bytes());
        }
        out.resize(32 + index, 0);
        let mut at = texts;
        for field in fields.iter().flatten() {
            let (tag, length, bits): (u32, usize, u64) = match field {
                FieldValue::I64(value) => (1, 0, value.cast_unsigned()),
                FieldValue::U64(value) => (2, 0, *value),
                FieldValue::Bool(value) => (3, 0, u64::from(*value)),
                FieldValue::F64(value) => (4, 0, value.to_bits()),
                FieldValue::String(text) => (5, text.len(), at as u64),
                FieldValue::Bytes(bytes) => (6, bytes.len(), at as u64),
                FieldValue::Array(text) => (7, text.len(), at as u64),
            };
            at += length;
            out.extend(tag.to_le_bytes());
            out.extend((length as u32).to_le_bytes());
            out.extend(bits.to_le_bytes());
        }
        for field in fields.iter().flatten() {
            match field {
                FieldValue::String(text) | FieldValue::Array(text) => out.extend(text.as_bytes()),
                FieldValue::Bytes(bytes) => out.extend(bytes),
                _ => {}
            }
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let length = (out.len() as u32).to_le_bytes();
        out[..4].copy_from_slice(&length);
        Self(out)
    }
}

/// Events that an instance is given at once.
#[derive(Debug, Clone, PartialEq)]
pub struct EventBatch {
    bytes: Vec<u8>,
    count: u32,
}

impl EventBatch {
    /// A batch of these events.
    #[must_use]
    pub fn new<'a>(events: impl IntoIterator<Item = &'a EncodedEvent>) -> Self {
        let (mut bytes, mut count) = (vec![0; 8], 0_u32);
        for event in events {
            bytes.extend_from_slice(&event.0);
            count += 1;
        }
        bytes[..4].copy_from_slice(&count.to_le_bytes());
        Self { bytes, count }
    }

    /// How many events it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What one function of a rule said of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// It matched.
    pub matched: bool,
    /// It called `alert_emit`.
    pub emitted: bool,
    /// It failed, which is no match.
    pub failed: bool,
}

/// A text that a rule gave beside a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The captures, as the text of a JSON object; it is not checked yet.
    Captures(String),
    /// Why there are none.
    CaptureError(String),
    /// Why an evaluation failed.
    Error(String),
}

/// What a rule said of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdicts {
    /// By event and then by function.
    pub verdicts: Vec<Verdict>,
    /// Functions of the rule.
    pub functions: usize,
    /// Notes, by the place of their event in the batch.
    pub notes: Vec<(usize, Note)>,
    /// How often a field was asked for that the schema lacks.
    pub unknown_fields: u64,
}

impl Verdicts {
    /// Reads what a rule answered to a batch of so many events; none when it is not well formed.
    #[must_use]
    pub fn read(answer: &[u8], events: usize, functions: usize) -> Option<Self> {
        let mut rest = answer;
        let same = |number: u32, expected: usize| number as usize == expected;
        if !same(take_u32(&mut rest)?, events) || !same(take_u32(&mut rest)?, functions) {
            return None;
        }
        let unknown_fields =
            u64::from(take_u32(&mut rest)?) | u64::from(take_u32(&mut rest)?) << 32;
        let (bytes, mut rest) = rest.split_at_checked(events.checked_mul(functions)?)?;
        let verdict = |byte: &u8| {
            (*byte < 8).then_some(Verdict {
                matched: byte & 1 != 0,
                failed: byte & 2 != 0,
                emitted: byte & 4 != 0,
            })
        };
        let verdicts = bytes.iter().map(verdict).collect::<Option<_>>()?;
        let mut notes = Vec::new();
        while !rest.is_empty() {
            let event = take_u32(&mut rest)? as usize;
            let kind = take_u32(&mut rest)?;
            let length = take_u32(&mut rest)? as usize;
            let (text, after) = rest.split_at_checked(length)?;
            rest = after;
            let text = String::from_utf8_lossy(text).into_owned();
            let note = match kind {
                1 => Note::Captures(text),
                2 => Note::CaptureError(text),
                3 => Note::Error(text),
                _ => return None,
            };
            if event >= events {
                return None;
            }
            notes.push((event, note));
        }
        Some(Self {
            verdicts,
            functions,
            notes,
            unknown_fields,
        })
    }
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_place_for_every_slot() {
        let fields = [
            None,
            Some(FieldValue::I64(-1)),
            Some(FieldValue::String("ab".into())),
        ];
        let event = EncodedEvent::new(7, 3, 9, &fields).0;
        assert_eq!(event.len() % 8, 0);
        assert_eq!(event[..4], (event.len() as u32).to_le_bytes());
        // The slots: absent, the first field, the second one.
        assert_eq!(event[32..40], [0, 0, 1, 0, 2, 0, 0, 0]);
        assert_eq!(&event[72..74], b"ab");
        let batch = EventBatch::new([&EncodedEvent(event)]);
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_refused() {
        let mut answer = Vec::new();
        for number in [2_u32, 1, 3, 0] {
            answer.extend(number.to_le_bytes());
        }
        answer.extend([1, 6]);
        for number in [1_u32, 3, 2] {
            answer.extend(number.to_le_bytes());
        }
        answer.extend(b"no");
        let read = Verdicts::read(&answer, 2, 1).expect("it is well formed");
        assert!(read.verdicts[0].matched && read.verdicts[1].failed && read.verdicts[1].emitted);
        assert_eq!(read.notes, [(1, Note::Error("no".into()))]);
        assert_eq!(read.unknown_fields, 3);
        assert_eq!(Verdicts::read(&answer, 3, 1), None);
        assert_eq!(Verdicts::read(&answer[..answer.len() - 1], 2, 1), None);
        for at in 0..answer.len() {
            let mut changed = answer.clone();
            changed[at] = 0xff;
            drop(Verdicts::read(&changed, 2, 1)); // reading it ends
        }
    }
}
