//! What a program printed, as one JSON document: its text, its lines, its rows. What is made is never larger than it may be,
//! not even while it is made.

use std::collections::HashSet;
use std::io;

use super::shown;
use crate::catalog::{Adapter, Output};
use crate::executor::{Printed, not_json};
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::json::{self, JsonError};
use crate::units::ByteSize;

/// Fields that a row of CSV may have.
const MAX_FIELDS: usize = 10_000;

/// What is said of a program that printed nothing.
pub(crate) const EMPTY: &str = "printed nothing, and a result is one JSON value on stdout";

/// Output that is looked at here already, so that an error has what was written to stderr beside
/// it.
const MAX_CHECKED: usize = 64 << 10;

/// Makes one JSON document, of at most `cap` bytes, of what a program printed.
pub async fn decode_output(
    adapter: &Adapter,
    printed: Printed,
    cap: usize,
) -> Result<Vec<u8>, ActionError> {
    let (output, with_status) = (adapter.output, adapter.with_status);
    let Printed {
        stdout,
        stderr,
        exit_code,
    } = printed;
    let as_it_is = output == Output::Json && !with_status;
    // The gate checks it. What went wrong on the way stands on stderr, which the gate does not see.
    if as_it_is && (stderr.is_empty() || stdout.len() > MAX_CHECKED) {
        return Ok(stdout);
    }
    let (size, status) = (stdout.len(), with_status.then_some(exit_code));
    let work = move || {
        // What is printed as JSON may be nothing at all: the gate has words for that.
        if as_it_is && stdout.trim_ascii().is_empty() {
            return Err(ActionError::new(ErrorKind::BadOutput, EMPTY));
        }
        document(output, status, stdout, cap)
    };
    let made = json::aside(size, work).await;
    let interrupted = "could not be read: the host was interrupted";
    let made = made.unwrap_or_else(|| Err(ActionError::new(ErrorKind::BadOutput, interrupted)));
    made.map_err(|error| {
        let detail = error.detail.unwrap_or_default();
        let detail = Detail {
            stderr,
            exit_code: Some(exit_code),
            ..*detail
        };
        ActionError {
            detail: Some(Box::new(detail)),
            ..error
        }
    })
}

/// Why there is no document.
enum Fault {
    /// It would be larger than it may be.
    TooLarge,
    /// What was printed is not what its definition says, in words.
    Not(String),
    /// It is no JSON.
    Misread(JsonError),
}

/// The document, in a table with the status where that is wanted.
fn document(
    output: Output,
    status: Option<i32>,
    stdout: Vec<u8>,
    cap: usize,
) -> Result<Vec<u8>, ActionError> {
    let beginning = Detail::beginning(&stdout);
    let bad = |message: String| {
        let detail = Detail {
            stdout: beginning.clone(),
            ..Detail::default()
        };
        ActionError {
            detail: Some(Box::new(detail)),
            ..ActionError::new(ErrorKind::BadOutput, message)
        }
    };
    let text = json::text(stdout)
        .map_err(|error| bad(format!("printed bytes that are not text: {error}")))?;
    let mut out = Capped {
        bytes: Vec::new(),
        cap,
    };
    let written = match status {
        None => value(output, &text, &mut out),
        Some(status) => with_status(status, output, &text, &mut out),
    };
    match written {
        Ok(()) => Ok(out.bytes),
        Err(Fault::TooLarge) => Err(bad(format!(
            "printed what has more than {} as JSON",
            ByteSize::new(cap as u64)
        ))),
        Err(Fault::Not(why)) => Err(bad(why)),
        Err(Fault::Misread(error)) => Err(not_json(&error, text.as_bytes())),
    }
}

fn with_status(status: i32, output: Output, text: &str, out: &mut Capped) -> Result<(), Fault> {
    out.raw(&format!(r#"{{"status":{status},"output":"#))?;
    match output {
        // A program that says all by its status prints nothing, such as `grep -q`.
        Output::Json | Output::LastJson if text.trim().is_empty() => out.raw("null")?,
        _ => value(output, text, out)?,
    }
    out.raw("}")
}

fn value(output: Output, text: &str, out: &mut Capped) -> Result<(), Fault> {
    match output {
        Output::Json => {
            json::check(text).map_err(Fault::Misread)?;
            out.raw(text.trim())
        }
        Output::LastJson => {
            let last = json::last(text);
            // None of it is on the lines above, and so no error is.
            let above = text.trim_end().len() - last.len();
            let above = text[..above].matches('\n').count();
            if last.is_empty() {
                return Err(Fault::Not(EMPTY.to_owned()));
            }
            json::check(last).map_err(|error| {
                Fault::Not(format!(
                    "printed output that does not end with a JSON document: {}",
                    error.below(above)
                ))
            })?;
            out.raw(last)
        }
        Output::Text => out.quoted(text.strip_suffix('\n').unwrap_or(text)),
        Output::Lines => out.list(text.lines(), Capped::quoted),
        Output::Ndjson => {
            for (above, line) in text.lines().enumerate() {
                if !line.trim().is_empty() {
                    json::check(line).map_err(|error| {
                        Fault::Not(format!(
                            "printed a line that is not JSON: {}",
                            error.below(above)
                        ))
                    })?;
                }
            }
            let lines = text.lines().map(str::trim);
            out.list(lines.filter(|line| !line.is_empty()), Capped::raw)
        }
        Output::Csv { separator } => csv(text, separator, out),
    }
}

/// JSON in the making, of at most so many bytes.
struct Capped {
    bytes: Vec<u8>,
    cap: usize,
}

impl io::Write for Capped {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if more.len() > self.cap - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Capped {
    fn raw(&mut self, text: &str) -> Result<(), Fault> {
        io::Write::write_all(self, text.as_bytes()).map_err(|_| Fault::TooLarge)
    }

    fn quoted(&mut self, text: &str) -> Result<(), Fault> {
        // Nothing but the writer can fail.
        serde_json::to_writer(self, text).map_err(|_| Fault::TooLarge)
    }

    fn list<'a>(
        &mut self,
        parts: impl Iterator<Item = &'a str>,
        each: fn(&mut Self, &str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut separator = "[";
        for part in parts {
            self.raw(separator)?;
            each(self, part)?;
            separator = ",";
        }
        self.raw(if separator == "[" { "[]" } else { "]" })
    }
}

/// RFC 4180: quotes hold separators, line breaks and doubled quotes.
fn csv(text: &str, separator: char, out: &mut Capped) -> Result<(), Fault> {
    let mut rows = Rows {
        rest: text,
        line: 1,
        separator,
    };
    let Some(names) = rows.next_row().map_err(Fault::Not)? else {
        return out.raw("[]");
    };
    let mut known = HashSet::new();
    if let Some((at, name)) = names
        .iter()
        .enumerate()
        .find(|(_, name)| !known.insert(*name))
    {
        return Err(Fault::Not(format!(
            "line 1: the column `{}` is there twice (column {})",
            shown(name),
            at + 1
        )));
    }
    let mut begin = "[";
    loop {
        let before = rows.line;
        // An empty line, and not a quoted empty text in the only column.
        let blank = rows.rest.starts_with(['\n', '\r']);
        let Some(row) = rows.next_row().map_err(Fault::Not)? else {
            break;
        };
        if blank && row.len() == 1 && row[0].is_empty() {
            continue;
        }
        if row.len() != names.len() {
            return Err(Fault::Not(format!(
                "line {before}: {} fields, and the first line names {}",
                row.len(),
                names.len()
            )));
        }
        // The names in the first line stand in every row.
        object(out, begin, &names, &row)?;
        begin = ",";
    }
    out.raw(if begin == "[" { "[]" } else { "]" })
}

fn object(
    out: &mut Capped,
    separator: &str,
    names: &[String],
    values: &[String],
) -> Result<(), Fault> {
    out.raw(separator)?;
    for (at, (name, value)) in names.iter().zip(values).enumerate() {
        out.raw(if at == 0 { "{" } else { "," })?;
        out.quoted(name)?;
        out.raw(":")?;
        out.quoted(value)?;
    }
    out.raw("}")
}

struct Rows<'a> {
    rest: &'a str,
    line: usize,
    separator: char,
}

impl Rows<'_> {
    fn next_row(&mut self) -> Result<Option<Vec<String>>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (mut row, line) = (Vec::new(), self.line);
        loop {
            if row.len() == MAX_FIELDS {
                return Err(format!("line {line}: more than {MAX_FIELDS} fields"));
            }
            let (field, end) = self.field()?;
            row.push(field);
            match end {
                Some(end) if end == self.separator => {}
                _ => return Ok(Some(row)),
            }
        }
    }

    /// A field and what ended it.
    fn field(&mut self) -> Result<(String, Option<char>), String> {
        let mut field = String::new();
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let start = self.line;
            self.rest = quoted;
            loop {
                let Some(at) = self.rest.find('"') else {
                    return Err(format!("line {start}: a quote is not closed"));
                };
                self.line += self.rest[..at].matches('\n').count();
                field.push_str(&self.rest[..at]);
                self.rest = &self.rest[at + 1..];
                match self.rest.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        self.rest = more;
                    }
                    None => break,
                }
            }
        } else {
            let at = self
                .rest
                .find([self.separator, '\n'])
                .unwrap_or(self.rest.len());
            let plain = &self.rest[..at];
            let ends_line = self.rest[at..].starts_with('\n') || at == self.rest.len();
            let plain = match plain.strip_suffix('\r') {
                Some(line) if ends_line => line,
                _ => plain,
            };
            if plain.contains('\r') {
                return Err(format!(
                    "line {}: a carriage return within a field: lines end with LF or CRLF, and a field that holds one is quoted",
                    self.line
                ));
            }
            field.push_str(plain);
            self.rest = &self.rest[at..];
        }
        let ends_line = self.rest.starts_with("\r\n") || self.rest == "\r";
        let rest = &self.rest[usize::from(ends_line)..];
        let mut chars = rest.chars();
        match chars.next() {
            None => {
                self.rest = "";
                Ok((field, None))
            }
            Some('\n') => {
                self.line += 1;
                self.rest = chars.as_str();
                Ok((field, Some('\n')))
            }
            Some(end) if end == self.separator => {
                self.rest = chars.as_str();
                Ok((field, Some(end)))
            }
            Some(_) => Err(format!("line {}: text behind a closed quote", self.line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: Output = Output::Csv { separator: ',' };

    fn made(output: Output, status: Option<i32>, text: &str, cap: usize) -> Result<String, String> {
        let document = document(output, status, text.as_bytes().to_vec(), cap);
        let text = document.map(|json| String::from_utf8(json).expect("text"));
        text.map_err(|error| error.message)
    }

    #[test]
    fn text_becomes_json() {
        let taken = |output, text: &str| made(output, None, text, 1 << 20);
        assert_eq!(taken(Output::Text, "a\"b\n\n"), Ok(r#""a\"b\n""#.into()));
        assert_eq!(taken(Output::Text, ""), Ok(r#""""#.into()));
        assert_eq!(taken(Output::Lines, "a\r\nb\n"), Ok(r#"["a","b"]"#.into()));
        assert_eq!(taken(Output::Lines, ""), Ok("[]".into()));
        assert_eq!(
            taken(Output::Ndjson, "{\"a\":1}\n\n[2]\n"),
            Ok(r#"[{"a":1},[2]]"#.into())
        );
        assert_eq!(
            taken(Output::Ndjson, "{}\n [NaN]\n"),
            Err("printed a line that is not JSON: NaN, which JSON does not have (write null, or a text), at line 2 column 3".into())
        );
        assert!(document(Output::Text, None, b"\xff".to_vec(), 100).is_err());
        let marked = "\u{feff}";
        for (output, text, expected) in [
            (Output::Text, "a", "\"a\""),
            (Output::Lines, "a", "[\"a\"]"),
            (Output::Ndjson, "{}", "[{}]"),
            (Output::LastJson, "{}", "{}"),
            (CSV, "a\n1", "[{\"a\":\"1\"}]"),
        ] {
            assert_eq!(
                taken(output, &format!("{marked}{text}")),
                Ok(expected.into())
            );
        }
    }

    #[test]
    fn the_last_document_is_the_result() {
        let taken = |text: &str| made(Output::LastJson, None, text, 1 << 20);
        assert_eq!(
            taken("a\n{\n \"b\": [1]\n}\n"),
            Ok("{\n \"b\": [1]\n}".into())
        );
        assert_eq!(
            taken("a\n{\"b\":1}\nc\n"),
            Err("printed output that does not end with a JSON document: it begins with \"c\", which is not a JSON value, at line 3 column 1".into())
        );
        assert_eq!(taken(" \n"), Err(EMPTY.into()));
    }

    #[test]
    fn a_status_stands_beside_its_output() {
        let taken = |output, text: &str| made(output, Some(2), text, 1 << 20);
        for (output, text, expected) in [
            (Output::Json, " [1]\n", r#"{"status":2,"output":[1]}"#),
            (Output::Json, "", r#"{"status":2,"output":null}"#),
            (Output::Text, "", r#"{"status":2,"output":""}"#),
            (Output::Lines, "", r#"{"status":2,"output":[]}"#),
            (CSV, "a\n", r#"{"status":2,"output":[]}"#),
        ] {
            assert_eq!(taken(output, text), Ok(expected.into()));
        }
        // Nothing that is printed gets past the table.
        assert!(taken(Output::Json, r#"1,"status":0"#).is_err());
    }

    #[test]
    fn nothing_grows_without_bound() {
        let rows = format!("{}\n{}", "n".repeat(1000), "1\n".repeat(1000));
        let error = made(CSV, None, &rows, 64 << 10).expect_err("too much");
        assert_eq!(error, "printed what has more than 64 KiB as JSON");
        assert!(made(Output::Text, None, &"\u{1}".repeat(1000), 2000).is_err());
        assert_eq!(
            made(CSV, None, &",".repeat(1 << 20), 64 << 20),
            Err("line 1: more than 10000 fields".to_owned())
        );
        let full = |cap| made(Output::Lines, None, "a\nb", cap);
        assert!(full(9).is_ok() && full(8).is_err());
    }

    #[test]
    fn csv_is_read_by_its_first_line() {
        let csv = |text: &str| made(CSV, None, text, 1 << 20);
        let semicolons = Output::Csv { separator: ';' };
        assert_eq!(
            made(semicolons, None, "a;b,c\n1,5;\"x;y\"\n", 1 << 20),
            Ok(r#"[{"a":"1,5","b,c":"x;y"}]"#.into())
        );
        assert_eq!(
            csv("a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n2,\n"),
            Ok(r#"[{"a":"1","b":"x, \"y\"\nz"},{"a":"2","b":""}]"#.into())
        );
        assert_eq!(csv(""), Ok("[]".into()));
        assert_eq!(csv("a,b\n"), Ok("[]".into()));
        assert_eq!(
            csv("a\n\n\"\"\nx\n\r\n"),
            Ok(r#"[{"a":""},{"a":"x"}]"#.into())
        );
        // Lines that end with CR alone would all be the first.
        let within = "line 1: a carriage return within a field: lines end with LF or CRLF, and a field that holds one is quoted";
        assert_eq!(csv("a,b\r1,2\r"), Err(within.into()));
        assert_eq!(
            csv("a,b\n\"1\"\r,2\n"),
            Err("line 2: text behind a closed quote".into())
        );
        assert_eq!(csv("a\n\"1\r2\"\r\n"), Ok(r#"[{"a":"1\r2"}]"#.into()));
        assert_eq!(csv("a\n1"), Ok(r#"[{"a":"1"}]"#.into()));
        assert_eq!(
            csv("a,b\n1\n"),
            Err("line 2: 1 fields, and the first line names 2".into())
        );
        assert_eq!(
            csv("a,b\n\"x\ny\",1\n1\n"),
            Err("line 4: 1 fields, and the first line names 2".into())
        );
        assert_eq!(csv("a\n\"x"), Err("line 2: a quote is not closed".into()));
        assert_eq!(
            csv("a\n\"x\"y"),
            Err("line 2: text behind a closed quote".into())
        );
        assert_eq!(
            csv("a,a\n"),
            Err("line 1: the column `a` is there twice (column 2)".into())
        );
    }
}
