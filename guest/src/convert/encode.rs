//! Writes a Lua value as JSON text. If JSON cannot hold it, the error names the place:
//! `$.rows[3].value`.

use std::ffi::{c_int, c_void};
use std::fmt::Write as _;
use std::io;

use super::MAX_DEPTH;
use super::stack::{Mark, Slot, Stack};

/// Encodes the value in a slot. Object keys are sorted, so equal values have equal text.
pub(crate) fn encode(stack: &mut Stack<'_>, at: c_int, pretty: bool) -> Result<String, String> {
    encode_as(
        stack,
        at,
        Form {
            pretty,
            handles: false,
        },
    )
}

/// How values are written.
#[derive(Clone, Copy)]
struct Form {
    pretty: bool,
    /// Whether the handle of a secret is written for the host, and not as a text with its name.
    handles: bool,
}

fn encode_as(stack: &mut Stack<'_>, at: c_int, form: Form) -> Result<String, String> {
    let text = match attempt(stack, at, form) {
        Err(Fault::Memory) => {
            // Collects garbage and tries again. If that fails, the run is over its limit.
            stack.collect();
            attempt(stack, at, form)
        }
        answer => answer,
    };
    match text {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| "$ is not UTF-8".to_owned()),
        Err(Fault::Refused(refusal)) => Err(refusal.to_string()),
        // Ends the run.
        Err(Fault::Memory) => std::alloc::handle_alloc_error(std::alloc::Layout::new::<u8>()),
    }
}

/// Encodes a value for the host: the handle of a secret is an object with its name.
pub(crate) fn encode_handles(stack: &mut Stack<'_>, at: c_int) -> Result<String, String> {
    let form = Form {
        pretty: false,
        handles: true,
    };
    encode_as(stack, at, form)
}

/// Encodes the parameters of an action.
pub(crate) fn encode_params(stack: &mut Stack<'_>, at: c_int) -> Result<String, String> {
    encode_handles(stack, at).map_err(|error| format!("parameter {error}"))
}

fn attempt(stack: &mut Stack<'_>, at: c_int, form: Form) -> Result<Vec<u8>, Fault> {
    let top = stack.top();
    let mut encoder = Encoder {
        stack,
        out: Out(Vec::new()),
        open: Vec::new(),
        fields: Vec::new(),
        spare: Vec::new(),
        form,
    };
    let answer = without_collecting(|| {
        // Most documents are small. Reserving room once is faster than growing.
        let room = encoder.out.0.try_reserve(256);
        room.map_err(|_| Fault::Memory)
            .and_then(|()| encoder.value(at))
    });
    let text = std::mem::take(&mut encoder.out.0);
    encoder.stack.cut(top);
    answer.map(|()| text)
}

/// While this runs, a refused allocation is an error and does not collect garbage.
fn without_collecting<T>(walk: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "wasm32")]
    return crate::alloc::without_collecting(walk);
    #[cfg(not(target_arch = "wasm32"))]
    walk()
}

enum Fault {
    /// There is not enough memory now.
    Memory,
    Refused(Box<Refusal>),
}

/// A value that JSON cannot hold, and its place.
struct Refusal {
    error: String,
    /// The path to the root, the innermost step first.
    path: Vec<Step>,
}

enum Step {
    Key(String),
    Index(i64),
}

fn refuse<T>(error: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Refused(Box::new(Refusal {
        error: error.into(),
        path: Vec::new(),
    })))
}

impl Fault {
    fn under(mut self, step: impl FnOnce() -> Step) -> Self {
        if let Self::Refused(refusal) = &mut self {
            refusal.path.push(step());
        }
        self
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::from("$");
        for step in self.path.iter().rev() {
            match step {
                Step::Index(index) => write!(text, "[{index}]")?,
                Step::Key(key) => {
                    let plain = !key.is_empty()
                        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                    if plain {
                        write!(text, ".{key}")?;
                    } else {
                        write!(text, "[{key:?}]")?;
                    }
                }
            }
            if text.len() > 300 {
                text.push_str("...");
                break;
            }
        }
        write!(f, "{text} {}", self.error)
    }
}

/// The text so far. A refused allocation is an error.
struct Out(Vec<u8>);

impl Out {
    /// Writes a string. Returns true if it needed no escapes.
    fn string(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        self.0
            .try_reserve(bytes.len() + 2)
            .map_err(|_| Fault::Memory)?;
        if is_plain(bytes) {
            self.0.push(b'"');
            self.0.extend_from_slice(bytes);
            self.0.push(b'"');
            return Ok(true);
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return refuse("is a string that is not UTF-8");
        };
        let start = self.0.len();
        serde_json::to_writer(&mut *self, text).map_err(|_| Fault::Memory)?;
        Ok(!self.0[start..].contains(&b'\\'))
    }
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .try_reserve(bytes.len())
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An entry of an object in the text.
struct Field {
    start: usize,
    /// The text of the key, without quotes.
    key: std::ops::Range<usize>,
    /// Whether the key has no escapes.
    plain: bool,
    end: usize,
}

/// Nothing here collects garbage, because a finaliser could change a table during the walk.
struct Encoder<'a, 'b> {
    stack: &'a mut Stack<'b>,
    out: Out,
    /// The tables around the current value. Meeting one of them again is a cycle.
    open: Vec<*const c_void>,
    /// The entries of the objects around the current value.
    fields: Vec<Field>,
    spare: Vec<u8>,
    form: Form,
}

impl Encoder<'_, '_> {
    fn value(&mut self, at: c_int) -> Result<(), Fault> {
        match self.stack.slot(at) {
            Slot::Nil | Slot::Null => self.put(b"null"),
            Slot::Boolean(true) => self.put(b"true"),
            Slot::Boolean(false) => self.put(b"false"),
            Slot::Integer(integer) => self.scalar(&integer),
            Slot::Number(number) if number.is_finite() => self.scalar(&number),
            Slot::Number(number) => {
                let what = if number.is_nan() { "NaN" } else { "infinity" };
                refuse(format!("is {what}, which JSON cannot hold"))
            }
            Slot::String(bytes) => self.out.string(bytes).map(|_| ()),
            Slot::Table(identity) => self.table(at, identity),
            Slot::Other(name) => refuse(format!("is a {name}, which JSON cannot hold")),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        io::Write::write_all(&mut self.out, bytes).map_err(|_| Fault::Memory)
    }

    fn scalar<T: serde::Serialize>(&mut self, value: &T) -> Result<(), Fault> {
        serde_json::to_writer(&mut self.out, value).map_err(|_| Fault::Memory)
    }

    fn table(&mut self, at: c_int, identity: *const c_void) -> Result<(), Fault> {
        if self.open.contains(&identity) {
            return refuse("contains itself");
        }
        if self.open.len() == MAX_DEPTH {
            return refuse(format!("nests deeper than {MAX_DEPTH}"));
        }
        if !self.stack.reserve(4) {
            return refuse("nests deeper than the stack of the script allows");
        }
        self.open.try_reserve(1).map_err(|_| Fault::Memory)?;
        self.open.push(identity);
        let length = self.stack.length(at);
        match self.stack.mark(at) {
            _ if length > 0 => self.array(at, length)?,
            Mark::Array => self.array(at, length)?,
            Mark::Secret if !self.form.handles => self.handle(at)?,
            Mark::Secret | Mark::None => self.object(at)?,
        }
        self.open.pop();
        Ok(())
    }

    /// Writes the handle of a secret as its name.
    fn handle(&mut self, table: c_int) -> Result<(), Fault> {
        let name = self.stack.handle_name(table);
        let text = format!("[secret {}]", name.as_deref().unwrap_or("?"));
        self.out.string(text.as_bytes()).map(|_| ())
    }

    /// Lua keeps most lists in an array, so the elements come in order.
    fn array(&mut self, table: c_int, length: i64) -> Result<(), Fault> {
        let start = self.out.0.len();
        self.put(b"[")?;
        let (mut index, top) = (0, self.stack.top());
        self.stack.push_nil();
        while self.stack.next(table) {
            if index == length || self.stack.slot(top + 1) != Slot::Integer(index + 1) {
                self.stack.cut(top);
                self.out.0.truncate(start);
                return self.scattered_array(table, length);
            }
            index += 1;
            self.element(index, top + 2)?;
        }
        if index < length {
            return refuse(missing(index, length));
        }
        self.close(length == 0, b"]")
    }

    /// Reads all keys first. Keys from 1 to n are an array; JSON has no form for others.
    fn scattered_array(&mut self, table: c_int, length: i64) -> Result<(), Fault> {
        let (mut indices, mut names, top) = (0, false, self.stack.top());
        self.stack.push_nil();
        while self.stack.next(table) {
            match self.stack.slot(top + 1) {
                Slot::String(_) => names = true,
                Slot::Integer(index) if (1..=length).contains(&index) => indices += 1,
                Slot::Integer(index) => return hole(index, length),
                other => return bad_key(other),
            }
            self.stack.cut(top + 1);
        }
        if names {
            return refuse("mixes a list with named keys");
        }
        if indices != length {
            return refuse(missing(indices, length));
        }
        self.put(b"[")?;
        for index in 1..=length {
            self.stack.push_element(table, index);
            self.element(index, top + 1)?;
        }
        self.close(false, b"]")
    }

    /// Writes the value on top of the stack as an element, and pops it.
    fn element(&mut self, index: i64, top: c_int) -> Result<(), Fault> {
        if index > 1 {
            self.put(b",")?;
        }
        if self.form.pretty {
            self.new_line(self.open.len())?;
        }
        self.value(top)
            .map_err(|fault| fault.under(|| Step::Index(index)))?;
        self.stack.cut(top - 1);
        Ok(())
    }

    fn object(&mut self, table: c_int) -> Result<(), Fault> {
        self.put(b"{")?;
        let (start, first) = (self.out.0.len(), self.fields.len());
        let top = self.stack.top();
        self.stack.push_nil();
        while self.stack.next(table) {
            self.field(top + 1)
                .map_err(|fault| match self.stack.slot(top + 1) {
                    Slot::String(_) => fault.under(|| Step::Key(self.stack.text(top + 1))),
                    _ => fault,
                })?;
            self.stack.cut(top + 1);
        }
        if self.fields.len() == first {
            return self.put(b"}");
        }
        self.sort(start, first)?;
        // Removes the last comma.
        self.out.0.pop();
        self.close(false, b"}")
    }

    /// Writes the key in a slot and the value above it, followed by a comma.
    fn field(&mut self, at: c_int) -> Result<(), Fault> {
        let start = self.out.0.len();
        if self.form.pretty {
            self.new_line(self.open.len())?;
        }
        let quote = self.out.0.len();
        let plain = match self.stack.slot(at) {
            Slot::String(bytes) => self.out.string(bytes)?,
            Slot::Integer(index) => return hole(index, 0),
            other => return bad_key(other),
        };
        let key = quote + 1..self.out.0.len() - 1;
        self.put(if self.form.pretty { b": " } else { b":" })?;
        self.value(at + 1)?;
        self.put(b",")?;
        self.fields.try_reserve(1).map_err(|_| Fault::Memory)?;
        self.fields.push(Field {
            start,
            key,
            plain,
            end: self.out.0.len(),
        });
        Ok(())
    }

    /// Sorts the entries of the innermost object by key.
    fn sort(&mut self, start: usize, first: usize) -> Result<(), Fault> {
        let text = &mut self.out.0;
        let fields = &mut self.fields[first..];
        let by_key = |a: &Field, b: &Field| {
            let plain = a.plain && b.plain;
            let (a, b) = (&text[a.key.clone()], &text[b.key.clone()]);
            if plain {
                a.cmp(b)
            } else {
                unescaped(a).cmp(&unescaped(b))
            }
        };
        if !fields.is_sorted_by(|a, b| by_key(a, b).is_le()) {
            fields.sort_unstable_by(by_key);
            self.spare.clear();
            self.spare
                .try_reserve(text.len() - start)
                .map_err(|_| Fault::Memory)?;
            for field in &*fields {
                self.spare.extend_from_slice(&text[field.start..field.end]);
            }
            text[start..].copy_from_slice(&self.spare);
        }
        self.fields.truncate(first);
        Ok(())
    }

    fn close(&mut self, empty: bool, bracket: &[u8]) -> Result<(), Fault> {
        if self.form.pretty && !empty {
            self.new_line(self.open.len() - 1)?;
        }
        self.put(bracket)
    }

    fn new_line(&mut self, indent: usize) -> Result<(), Fault> {
        self.put(b"\n")?;
        (0..indent).try_for_each(|_| self.put(b"  "))
    }
}

/// Whether a string is ASCII without control characters, quotes and backslashes.
fn is_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // Sets the high bit of each zero byte. This is exact only if no byte is above 127, which is
    // checked too.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let bad = |word: u64| {
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        (word | control | quote | backslash) & HIGH
    };
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| bad(u64::from_ne_bytes(*word)) == 0)
        && rest
            .iter()
            .all(|byte| matches!(byte, 0x20..=0x7f) && !matches!(byte, b'"' | b'\\'))
}

/// A key without escapes. Keys are sorted by it.
fn unescaped(key: &[u8]) -> String {
    let quoted = [b"\"", key, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_default()
}

fn missing(count: i64, length: i64) -> String {
    format!(
        "is a list with a hole: {count} of {length} elements are there (the keys of a map are texts in JSON: use tostring)"
    )
}

fn hole<T>(index: i64, length: i64) -> Result<T, Fault> {
    if length == 0 {
        return refuse(format!(
            "has the number {index} for a key, and JSON keys are texts: use tostring({index})"
        ));
    }
    refuse(format!(
        "is a list with a hole: it has [{index}] after {length} elements (the keys of a map are texts in JSON: use tostring)"
    ))
}

fn bad_key<T>(key: Slot<'_>) -> Result<T, Fault> {
    refuse(format!(
        "has a key that is a {}, and JSON keys are texts: use tostring",
        key.type_name()
    ))
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn plain_text_is_what_json_writes_as_it_is() {
        for byte in 0..=255_u8 {
            for at in [0, 3, 7, 8, 10] {
                let mut bytes = *b"plain text!";
                bytes[at] = byte;
                let same = std::str::from_utf8(&bytes).is_ok_and(|text| {
                    let json = serde_json::to_string(text).expect("JSON");
                    text.is_ascii() && json == format!("\"{text}\"")
                });
                assert_eq!(is_plain(&bytes), same, "{bytes:?}");
            }
        }
    }
}
