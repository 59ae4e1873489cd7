//! Reads a bounded part of YAML into nodes that know their lines: tables, lists and scalars.
//!
//! Anchors, aliases, tags and merge keys are refused, so that a small file cannot become a large
//! tree, and a reader sees in one place what a value is.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;

use super::{Mistake, shown};

/// Levels of tables and lists.
const MAX_DEPTH: usize = 32;
/// Tables, lists, keys and scalars of one file.
const MAX_NODES: usize = 20_000;

/// A value and the line that it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// From 1.
    pub line: u32,
    /// What it is.
    pub kind: Kind,
}

/// What stands at a place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing at all, as behind `key:`.
    Nothing,
    /// A scalar without quotes: a word, a number, true, false or null.
    Word(String),
    /// A scalar in quotes, or a block of text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with their lines, in their order, each once.
    Table(Vec<(String, u32, Node)>),
}

impl Node {
    /// The same as JSON, which reads to an equal node but for its lines.
    #[must_use]
    pub fn json(&self) -> Value {
        match &self.kind {
            Kind::Nothing => Value::Null,
            // A number or a word of JSON stays one without quotes.
            Kind::Word(word) => {
                let value = serde_json::from_str::<Value>(word).ok();
                let is_same = |value: &Value| {
                    let written = value.to_string();
                    written == *word
                };
                let value = value.filter(is_same);
                value.unwrap_or_else(|| Value::String(word.clone()))
            }
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(elements) => elements.iter().map(Self::json).collect(),
            Kind::Table(entries) => {
                let entries = entries.iter();
                Value::Object(
                    entries
                        .map(|(key, _, node)| (key.clone(), node.json()))
                        .collect(),
                )
            }
        }
    }
}

impl Kind {
    /// For messages: what it is, in words.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Word(_) => "a word",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// The one document of a file.
///
/// # Errors
/// The first thing that is no YAML, is not taken here, or exceeds a bound.
pub fn parse(text: &str) -> Result<Node, Mistake> {
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        line: 1,
        nodes: 0,
    };
    let mut root = None;
    loop {
        match builder.next()? {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::DocumentStart(_) if root.is_some() => {
                return Err(builder.mistake("expected one document"));
            }
            Event::DocumentStart(_) => {}
            Event::StreamEnd => break,
            event => root = Some(builder.node(event, 0)?),
        }
    }
    Ok(root.unwrap_or(Node {
        line: 1,
        kind: Kind::Nothing,
    }))
}

struct Builder<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    line: u32,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake::new(self.line, message)
    }

    fn next(&mut self) -> Result<Event<'a>, Mistake> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.line = line_of(span.start.line());
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = line_of(error.marker().line());
                Err(self.mistake(format!("no YAML: {}", error.info())))
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn plain(&self, anchor: usize, tagged: bool) -> Result<(), Mistake> {
        if anchor > 0 {
            return Err(self.mistake("anchors (`&name`) are not taken here: write the value out"));
        }
        if tagged {
            return Err(self.mistake("tags (`!name`) are not taken here"));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, Mistake> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.mistake(format!("the file holds more than {MAX_NODES} values")));
        }
        if depth > MAX_DEPTH {
            return Err(self.mistake(format!("it nests deeper than {MAX_DEPTH}")));
        }
        let line = self.line;
        let kind = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.plain(anchor, tag.is_some())?;
                match style {
                    ScalarStyle::Plain if text.is_empty() => Kind::Nothing,
                    ScalarStyle::Plain => Kind::Word(text.into_owned()),
                    _ => Kind::Text(text.into_owned()),
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(anchor, tag.is_some())?;
                let mut elements = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break Kind::List(elements),
                        event => elements.push(self.node(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(anchor, tag.is_some())?;
                self.table(depth)?
            }
            Event::Alias(_) => {
                return Err(self
                    .mistake("aliases (`*name`) are not taken here; a pattern stands in quotes"));
            }
            _ => return Err(self.mistake("expected a value")),
        };
        Ok(Node { line, kind })
    }

    fn table(&mut self, depth: usize) -> Result<Kind, Mistake> {
        let mut entries: Vec<(String, u32, Node)> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        loop {
            let event = self.next()?;
            let line = self.line;
            let key = match event {
                Event::MappingEnd => return Ok(Kind::Table(entries)),
                Event::Scalar(key, _, anchor, tag) => {
                    self.plain(anchor, tag.is_some())?;
                    key.into_owned()
                }
                _ => return Err(self.mistake("a key must be a word")),
            };
            if let Some(first) = seen.insert(key.clone(), line) {
                let message = format!("`{}` stands on line {first}, too", shown(&key));
                return Err(Mistake::new(line, message));
            }
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            entries.push((key, line, value));
        }
    }
}

fn line_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        let mistake = parse(text).expect_err("refused");
        format!("{}: {}", mistake.line, mistake.message)
    }

    #[test]
    fn what_makes_a_small_file_large_is_refused() {
        assert_eq!(
            mistake("a: &a [x]\nb: [*a, *a]"),
            "1: anchors (`&name`) are not taken here: write the value out"
        );
        assert!(mistake("a: &a\n  b: *a\n").starts_with("1: anchors"));
        assert!(mistake("allow: *.delete").starts_with("1: "));
        assert_eq!(
            mistake("a: !!str x"),
            "1: tags (`!name`) are not taken here"
        );
        assert_eq!(mistake("a: 1\nb: 2\na: 3"), "3: `a` stands on line 1, too");
        assert_eq!(mistake("a: 1\n---\nb: 2"), "2: expected one document");
        assert_eq!(mistake(&"[".repeat(40)), "1: it nests deeper than 32");
        // The parser refuses these by itself.
        assert!(mistake(&"[".repeat(60_000)).starts_with("1: "));
        assert!(mistake(&"- 1\n".repeat(30_000)).ends_with("more than 20000 values"));
        assert!(mistake("? [a]\n: 1").ends_with("a key must be a word"));
    }

    #[test]
    fn values_know_their_lines() {
        let node = parse("# x\na:\n  - 'b'\n  - c\n").expect("YAML");
        let Kind::Table(entries) = node.kind else {
            panic!("a table")
        };
        let Kind::List(elements) = &entries[0].2.kind else {
            panic!("a list")
        };
        assert_eq!(entries[0].1, 2);
        assert_eq!(elements[0].kind, Kind::Text("b".into()));
        assert_eq!(
            (elements[1].line, &elements[1].kind),
            (4, &Kind::Word("c".into()))
        );
        assert_eq!(parse("").expect("nothing").kind, Kind::Nothing);
    }
}
