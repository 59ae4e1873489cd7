//! The rows of an answer, written as JSON while they come.
//!
//! Bytes are `{"bytes": …}` with a character for each, a document is `{"json": …}`, a list is
//! `{"list": […]}`. Numbers that JSON has none for are texts.

use serde_json::Value;
use serde_json::value::RawValue;

use super::failure::Failure;
use crate::wire;

/// Bytes of all rows of an answer, as the database counts them.
const MAX_ANSWER: usize = 16 << 20;

/// Rows so far.
pub(super) struct Rows {
    columns: Vec<String>,
    text: String,
    count: usize,
    size: usize,
    max_rows: usize,
}

impl Rows {
    pub(super) fn new(columns: Vec<String>, max_rows: usize) -> Self {
        Self {
            columns,
            text: String::new(),
            count: 0,
            size: 0,
            max_rows,
        }
    }

    /// Names the columns of an answer without rows so far.
    pub(super) fn name(&mut self, columns: Vec<String>) {
        self.columns = columns;
    }

    pub(super) fn has_columns(&self) -> bool {
        !self.columns.is_empty()
    }

    /// Begins a row.
    pub(super) fn row(&mut self) -> Result<(), Failure> {
        if self.count == self.max_rows {
            return Err(self.too_many());
        }
        self.text
            .push_str(if self.count == 0 { "[" } else { "],[" });
        self.count += 1;
        Ok(())
    }

    pub(super) fn too_many(&self) -> Failure {
        Failure::Asked(format!(
            "the answer has more than {} rows, which the grant allows (`max_rows`): ask for fewer with LIMIT",
            self.max_rows
        ))
    }

    /// Adds a value to the row that has begun, as JSON made of so many bytes.
    pub(super) fn value(&mut self, json: &str, bytes: usize) -> Result<(), Failure> {
        self.size += 16 + bytes;
        if self.size > MAX_ANSWER {
            return Err(Failure::TooLarge);
        }
        if !self.text.ends_with('[') {
            self.text.push(',');
        }
        self.text.push_str(json);
        Ok(())
    }

    /// Both parts as fields of a table.
    pub(super) fn fields(&self) -> String {
        let end = if self.count == 0 { "" } else { "]" };
        let columns = Value::from(self.columns.clone());
        format!("\"columns\":{columns},\"rows\":[{}{end}]", self.text)
    }
}

pub(super) fn text(text: &str) -> String {
    Value::from(text).to_string()
}

/// A text; or bytes, where they are none.
pub(super) fn text_of(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| self::bytes(bytes), text)
}

pub(super) fn bytes(bytes: &[u8]) -> String {
    format!("{{\"bytes\":{}}}", text(&wire::chars(bytes)))
}

/// A number with a fraction.
pub(super) fn real(number: f64) -> String {
    match number.is_finite() {
        true => Value::from(number).to_string(),
        false => text(&number.to_string()),
    }
}

/// A document of JSON; a text, where it is none.
pub(super) fn document(bytes: &[u8]) -> String {
    match serde_json::from_slice::<&RawValue>(bytes) {
        Ok(document) => format!("{{\"json\":{}}}", document.get()),
        Err(_) => text_of(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_json_and_bounded() {
        let mut rows = Rows::new(vec!["a\"b".to_owned(), "c".to_owned()], 2);
        for _ in 0..2 {
            rows.row().expect("room");
            rows.value("1", 8).expect("room");
            rows.value(&bytes(b"\xff"), 1).expect("room");
        }
        let json = format!("{{{}}}", rows.fields());
        let read: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read["rows"][1][1]["bytes"], "\u{ff}");
        assert!(matches!(rows.row(), Err(Failure::Asked(_))));
        assert_eq!(rows.value("2", MAX_ANSWER), Err(Failure::TooLarge));
        let none = Rows::new(Vec::new(), 2).fields();
        assert_eq!(none, "\"columns\":[],\"rows\":[]");
        assert_eq!(document(b"{\"a\":1}"), "{\"json\":{\"a\":1}}");
        assert_eq!(document(b"{"), "\"{\"");
    }
}
