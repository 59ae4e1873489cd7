//! Reads events that a server sends, as the HTML standard describes them: lines that end in LF, CR or
//! both, of which a blank one ends an event.

use serde_json::{Map, Value};

use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::units::ByteSize;

/// Bytes of a line, and of the data of one event.
const MAX_LINE: usize = 1 << 20;
const MAX_DATA: usize = 4 << 20;
/// Bytes of an id: each event behind it has it, too.
const MAX_ID: usize = 1 << 10;

/// The events of one answer.
#[derive(Default)]
pub(super) struct Events {
    /// The line that has not ended, as bytes: a character can come in two pieces.
    line: Vec<u8>,
    /// Whether the last byte was CR, whose line a LF does not end again.
    after_cr: bool,
    has_begun: bool,
    kind: String,
    data: String,
    has_data: bool,
    /// It counts for later events as well.
    last_id: Option<String>,
    retry: Option<u64>,
}

impl Events {
    /// Takes what has come, and adds the events that are complete.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        events: &mut Vec<Value>,
    ) -> Result<(), ActionError> {
        for byte in bytes {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.line(&line, events)?;
                }
                byte => {
                    self.after_cr = false;
                    if self.line.len() == MAX_LINE {
                        return Err(too_large("a line", MAX_LINE));
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], events: &mut Vec<Value>) -> Result<(), ActionError> {
        let line = match self.has_begun {
            true => line,
            false => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
        };
        self.has_begun = true;
        let line = String::from_utf8_lossy(line);
        if line.is_empty() {
            self.dispatch(events);
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                if self.data.len() + value.len() > MAX_DATA {
                    return Err(too_large("an event", MAX_DATA));
                }
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(value);
            }
            "id" if value.len() > MAX_ID => return Err(too_large("an event's id", MAX_ID)),
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok();
            }
            // A comment, which keeps the connection open, or a field that has no meaning.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, events: &mut Vec<Value>) {
        let kind = std::mem::take(&mut self.kind);
        let retry = self.retry.take();
        if !std::mem::take(&mut self.has_data) {
            return;
        }
        let mut event = Map::new();
        let kind = if kind.is_empty() {
            "message".to_owned()
        } else {
            kind
        };
        event.insert("event".to_owned(), kind.into());
        event.insert("data".to_owned(), std::mem::take(&mut self.data).into());
        if let Some(id) = &self.last_id {
            event.insert("id".to_owned(), id.as_str().into());
        }
        if let Some(retry) = retry {
            event.insert("retry".to_owned(), retry.into());
        }
        events.push(event.into());
    }
}

fn too_large(what: &str, most: usize) -> ActionError {
    let most = ByteSize::new(most as u64);
    let message = format!("{what} of the server has more than {most}");
    ActionError::new(ErrorKind::Failed, message)
}

/// For the fuzz target: reads bytes of a server in pieces that end at a byte, and at once.
///
/// # Panics
/// When both do not give the same events.
#[cfg(fuzzing)]
pub fn read_in_pieces(bytes: &[u8], end: u8) {
    let read = |pieces: &[&[u8]]| {
        let (mut parser, mut events) = (Events::default(), Vec::new());
        let is_read = pieces
            .iter()
            .all(|piece| parser.push(piece, &mut events).is_ok());
        (is_read, events)
    };
    let pieces: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == end).collect();
    let whole = read(&[bytes]);
    assert_eq!(whole, read(&pieces));
    let mut ids = whole.1.iter().filter_map(|event| event["id"].as_str());
    assert!(ids.all(|id| id.len() <= MAX_ID));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The events of a text that comes in pieces of so many bytes.
    fn of(text: &[u8], size: usize) -> Vec<Value> {
        let (mut parser, mut events) = (Events::default(), Vec::new());
        for piece in text.chunks(size) {
            parser.push(piece, &mut events).expect("within bounds");
        }
        events
    }

    #[test]
    fn events_are_the_same_in_pieces_of_every_size() {
        let text = "\u{feff}: hello\r\n\r\nid: 7\rdata: é😀\rdata\r\rretry: 50\nevent: tick\ndata:  two\ndata: lines\n\nid: a\0b\nretry: x\nunknown\ndata:x\r\n\r\nevent: none\n\ndata: cut".as_bytes();
        let expected = vec![
            json!({ "event": "message", "data": "é😀\n", "id": "7" }),
            json!({ "event": "tick", "data": " two\nlines", "id": "7", "retry": 50 }),
            json!({ "event": "message", "data": "x", "id": "7" }),
        ];
        for size in 1..text.len() {
            assert_eq!(of(text, size), expected, "{size}");
        }
    }

    #[test]
    fn lines_and_events_are_bounded() {
        let (mut parser, mut events) = (Events::default(), Vec::new());
        let line = [b'x'; 1 << 16];
        let pushed = (0..17)
            .map(|_| parser.push(&line, &mut events))
            .find(Result::is_err);
        assert!(pushed.is_some());
        let (mut parser, mut events) = (Events::default(), Vec::new());
        let data = [b"data:".to_vec(), vec![b'x'; 1 << 19], b"\n".to_vec()].concat();
        let pushed = (0..9)
            .map(|_| parser.push(&data, &mut events))
            .find(Result::is_err);
        assert!(pushed.is_some() && events.is_empty());
        let id = [b"id:".to_vec(), vec![b'x'; MAX_ID + 1], b"\n".to_vec()].concat();
        let (mut parser, mut events) = (Events::default(), Vec::new());
        assert!(parser.push(&id, &mut events).is_err());
    }
}
