//! What a program printed, as one JSON document: its text, its lines, its rows. What is made is never larger than it may be,
//! not even while it is made.

use std::collections::HashSet;
use std::io;

use super::shown;
use crate::catalog::Output;
use crate::failure::{ActionError, ErrorKind};
use crate::json;
use crate::units::ByteSize;

/// Fields that a row of CSV may have.
const MAX_FIELDS: usize = 10_000;

/// Makes one JSON document, of at most `cap` bytes, of what a program printed.
pub async fn take(output: Output, stdout: Vec<u8>, cap: usize) -> Result<Vec<u8>, ActionError> {
    if output == Output::Json {
        return Ok(stdout);
    }
    let made = json::aside(stdout.len(), move || document(output, stdout, cap)).await;
    made.unwrap_or_else(|| Err("could not be read: the host was interrupted".to_owned()))
        .map_err(|message| ActionError::new(ErrorKind::BadOutput, message))
}

fn document(output: Output, stdout: Vec<u8>, cap: usize) -> Result<Vec<u8>, String> {
    let text = String::from_utf8(stdout).map_err(|problem| {
        let at = problem.utf8_error().valid_up_to();
        format!("printed what is not UTF-8 (byte {at})")
    })?;
    let mut out = Capped {
        bytes: Vec::new(),
        cap,
    };
    let written = match output {
        Output::Json => out.raw(&text),
        Output::Text => out.quoted(text.strip_suffix('\n').unwrap_or(&text)),
        Output::Lines => out.list(text.lines(), Capped::quoted),
        Output::Ndjson => {
            for (number, line) in text.lines().enumerate() {
                if !line.trim().is_empty() {
                    json::check(line)
                        .map_err(|problem| format!("line {} is not JSON: {problem}", number + 1))?;
                }
            }
            let lines = text.lines().map(str::trim);
            out.list(lines.filter(|line| !line.is_empty()), Capped::raw)
        }
        Output::Csv => csv(&text, &mut out)?,
    };
    written.map_err(|TooLarge| {
        format!(
            "printed what has more than {} as JSON",
            ByteSize::new(cap as u64)
        )
    })?;
    Ok(out.bytes)
}

/// JSON in the making, of at most so many bytes.
struct Capped {
    bytes: Vec<u8>,
    cap: usize,
}

/// It would be more.
#[derive(Debug)]
struct TooLarge;

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
    fn raw(&mut self, text: &str) -> Result<(), TooLarge> {
        io::Write::write_all(self, text.as_bytes()).map_err(|_| TooLarge)
    }

    fn quoted(&mut self, text: &str) -> Result<(), TooLarge> {
        // Nothing but the writer can fail.
        serde_json::to_writer(self, text).map_err(|_| TooLarge)
    }

    fn list<'a>(
        &mut self,
        parts: impl Iterator<Item = &'a str>,
        each: fn(&mut Self, &str) -> Result<(), TooLarge>,
    ) -> Result<(), TooLarge> {
        for (at, part) in parts.enumerate() {
            self.raw(if at == 0 { "[" } else { "," })?;
            each(self, part)?;
        }
        self.raw(if self.bytes.is_empty() { "[]" } else { "]" })
    }
}

/// RFC 4180: quotes hold commas, line breaks and doubled quotes. The outer error is in the text.
fn csv(text: &str, out: &mut Capped) -> Result<Result<(), TooLarge>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = Rows {
        rest: text,
        line: 1,
    };
    let Some(names) = rows.next_row()? else {
        return Ok(out.raw("[]"));
    };
    let mut known = HashSet::new();
    if let Some((at, name)) = names
        .iter()
        .enumerate()
        .find(|(_, name)| !known.insert(*name))
    {
        return Err(format!(
            "line 1: the column `{}` is there twice (column {})",
            shown(name),
            at + 1
        ));
    }
    let mut separator = "[";
    loop {
        let before = rows.line;
        let Some(row) = rows.next_row()? else { break };
        if row.len() == 1 && row[0].is_empty() {
            continue;
        }
        if row.len() != names.len() {
            return Err(format!(
                "line {before}: {} fields, and the first line names {}",
                row.len(),
                names.len()
            ));
        }
        // The names in the first line stand in every row.
        if let Err(too_large) = object(out, separator, &names, &row) {
            return Ok(Err(too_large));
        }
        separator = ",";
    }
    Ok(out.raw(if separator == "[" { "[]" } else { "]" }))
}

fn object(
    out: &mut Capped,
    separator: &str,
    names: &[String],
    values: &[String],
) -> Result<(), TooLarge> {
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
                Some(',') => {}
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
            let at = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
            let plain = &self.rest[..at];
            let ends_line = self.rest[at..].starts_with('\n') || at == self.rest.len();
            field.push_str(if ends_line {
                plain.trim_end_matches('\r')
            } else {
                plain
            });
            self.rest = &self.rest[at..];
        }
        let rest = self.rest.strip_prefix('\r').unwrap_or(self.rest);
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
            Some(',') => {
                self.rest = chars.as_str();
                Ok((field, Some(',')))
            }
            Some(_) => Err(format!("line {}: text behind a closed quote", self.line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_json() {
        let taken = |output, text: &str| {
            let document = document(output, text.as_bytes().to_vec(), 1 << 20);
            document.map(|json| String::from_utf8(json).expect("text"))
        };
        assert_eq!(taken(Output::Text, "a\"b\n\n"), Ok(r#""a\"b\n""#.into()));
        assert_eq!(taken(Output::Text, ""), Ok(r#""""#.into()));
        assert_eq!(taken(Output::Lines, "a\r\nb\n"), Ok(r#"["a","b"]"#.into()));
        assert_eq!(taken(Output::Lines, ""), Ok("[]".into()));
        assert_eq!(
            taken(Output::Ndjson, "{\"a\":1}\n\n[2]\n"),
            Ok(r#"[{"a":1},[2]]"#.into())
        );
        assert!(
            taken(Output::Ndjson, "{}\nx\n").is_err_and(|e| e.starts_with("line 2 is not JSON: "))
        );
        assert!(document(Output::Text, b"\xff".to_vec(), 100).is_err());
    }

    #[test]
    fn nothing_grows_without_bound() {
        let rows = format!("{}\n{}", "n".repeat(1000), "1\n".repeat(1000));
        let error = document(Output::Csv, rows.into_bytes(), 64 << 10).expect_err("too much");
        assert_eq!(error, "printed what has more than 64 KiB as JSON");
        assert!(document(Output::Text, vec![1; 1000], 2000).is_err());
        let commas = ",".repeat(1 << 20);
        assert_eq!(
            document(Output::Csv, commas.into_bytes(), 64 << 20),
            Err("line 1: more than 10000 fields".to_owned())
        );
        let full = |cap| document(Output::Lines, b"a\nb".to_vec(), cap);
        assert!(full(9).is_ok() && full(8).is_err());
    }

    #[test]
    fn csv_is_read_by_its_first_line() {
        let csv = |text: &str| {
            let document = document(Output::Csv, text.as_bytes().to_vec(), 1 << 20);
            document.map(|json| String::from_utf8(json).expect("text"))
        };
        assert_eq!(
            csv("a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n2,\n"),
            Ok(r#"[{"a":"1","b":"x, \"y\"\nz"},{"a":"2","b":""}]"#.into())
        );
        assert_eq!(csv(""), Ok("[]".into()));
        assert_eq!(csv("a,b\n"), Ok("[]".into()));
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
