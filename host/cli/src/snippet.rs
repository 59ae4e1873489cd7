//! The line that a message names, to be shown below it.
//!
//! A message may be of a script's making and name any file there is. So nothing is opened because a message names it:
//! only texts that Kael has read by itself are quoted, by the names that it gave them.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::sanitize::escape_control;
use kael_authoring::line_index::LineIndex;
use kael_engine::repo::Bundle;

/// Characters of a line that are shown.
const WIDTH: usize = 160;
/// Lines below a call of `define_action` in which its fields are looked for.
const FIELDS: usize = 60;
/// Bytes of a line that are kept and searched for the word.
const LONGEST: usize = 4 << 10;
/// Words of a message that are looked for in a line.
const WORDS: usize = 10;
/// Lines and frames of one report whose excerpts are looked up.
pub(super) const LOOK_UPS: usize = 10;
/// Bytes of a name that Lua shows of a chunk.
const SHORT: usize = 59;

/// Texts by the names that errors give them.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceMap(Vec<Source>);

#[derive(Debug, Clone)]
struct Source {
    name: String,
    text: String,
    /// Made for the first line that is looked up.
    lines: OnceLock<LineIndex>,
}

impl Source {
    fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            lines: OnceLock::new(),
        }
    }

    /// A line, counted from 1, and those below it.
    fn lines(&self, number: usize) -> Option<impl Iterator<Item = &str>> {
        let index = self.lines.get_or_init(|| LineIndex::new(&self.text));
        Some(index.lines(&self.text, number.checked_sub(1)?))
    }
}

/// A line of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    file: String,
    /// From 1.
    line: usize,
    text: String,
    /// Where the word that the message is about stands in it, in characters, and how long it is.
    word: Option<(usize, usize)>,
}

impl SourceMap {
    /// Adds a text.
    pub(super) fn with(mut self, name: &str, text: &str) -> Self {
        self.0.push(Source::new(name, text));
        self
    }

    /// Adds all texts of another.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Adds a text, in the place of one that had its name.
    pub(super) fn set(&mut self, name: &str, text: &str) {
        self.0.retain(|known| known.name != name);
        self.0.push(Source::new(name, text));
    }

    /// Adds the files of an actions repo, as far as they can be read.
    pub(super) fn with_repo(mut self, folder: Option<&Path>) -> Self {
        if let Some(Ok(bundle)) = folder.map(Bundle::read) {
            let files = bundle.modules.into_iter();
            self.0
                .extend(files.map(|module| Source::new(&module.display, &module.source)));
        }
        self
    }

    /// The line that a line of a message or a frame begins with the name of.
    pub(super) fn find(&self, message: &str) -> Option<Excerpt> {
        let (found, number, rest) = self.0.iter().find_map(|source| {
            let name = source.name.as_str();
            let rest = message
                .strip_prefix(name)
                .or_else(|| message.strip_prefix(&shortened(name)?))?
                .strip_prefix(':')?;
            let (number, rest) = rest.split_once(':')?;
            Some((source, number.parse::<usize>().ok()?, rest))
        })?;
        let mut lines = found.lines(number)?.map(beginning);
        let words: Vec<&str> = quoted(rest);
        let marked = |line: &str| words.iter().find_map(|word| alone(line, word));
        let (mut line, mut source) = (number, lines.next()?);
        if rest.contains("define_action:") && marked(source).is_none() {
            // It is the call that is named: the field stands below.
            let mut below = (number + 1..number.saturating_add(FIELDS)).zip(lines);
            let field = |(_, line): &(usize, &str)| marked(line).is_some();
            (line, source) = below.find(field).unwrap_or((line, source));
        }
        Some(Excerpt {
            file: found.name.clone(),
            line,
            text: source.to_owned(),
            word: marked(source),
        })
    }
}

impl Excerpt {
    /// How a report tells it.
    pub(super) fn json(&self) -> Value {
        json!({ "file": self.file, "line": self.line, "text": self.text })
    }

    /// How it looks below the message.
    pub(super) fn lines(&self) -> String {
        let shown: String = self.text.replace('\t', " ").chars().take(WIDTH).collect();
        let number = self.line.to_string();
        let mut out = format!("    {number} | {}\n", escape_control(&shown));
        // What is made visible is longer, and then the mark would stand elsewhere.
        let same = escape_control(&shown) == shown;
        if let Some((start, length)) = self.word
            && same
            && start + length <= WIDTH
        {
            let (margin, before) = (" ".repeat(number.len()), " ".repeat(start));
            out += &format!("    {margin} | {before}{}\n", "^".repeat(length));
        }
        out
    }
}

/// What is kept of a line: its first bytes, up to the end of a character.
fn beginning(line: &str) -> &str {
    &line[..line.floor_char_boundary(LONGEST)]
}

/// A name as Lua shortens it: its end.
fn shortened(name: &str) -> Option<String> {
    let end = name.len().checked_sub(SHORT - 3)?;
    (name.len() > SHORT).then(|| format!("...{}", name.get(end..).unwrap_or_default()))
}

/// The words in quotes of a message.
fn quoted(message: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for quote in ['`', '\''] {
        let parts = message.split(quote).skip(1).step_by(2);
        let parts = parts.filter(|word| word.len() > 1 && word.chars().all(is_part));
        words.extend(parts.take(WORDS));
    }
    words
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where a word stands in a line, if it stands there once.
fn alone(line: &str, word: &str) -> Option<(usize, usize)> {
    let mut places = line.match_indices(word).filter(|(at, _)| {
        let (before, after) = (&line[..*at], &line[at + word.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    });
    let (at, _) = places.next()?;
    let only = places.next().is_none();
    only.then(|| (line[..at].chars().count(), word.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(texts: &SourceMap, message: &str) -> String {
        texts
            .find(message)
            .map(|found| found.lines())
            .unwrap_or_default()
    }

    #[test]
    fn the_line_is_shown_and_the_word_marked() {
        let texts = SourceMap::default()
            .with("s.lua", "local x\n\tx.field.y = 1\nx = = 2")
            .with("k.yaml", "deny: []\nmax_memroy: 1")
            .with("i.lua", "return define_action({\n  source = 5,\n})");
        assert_eq!(
            shown(
                &texts,
                "s.lua:2: attempt to index a nil value (field 'field')"
            ),
            "    2 |  x.field.y = 1\n      |    ^^^^^\n"
        );
        assert_eq!(
            shown(&texts, "s.lua:3: unexpected symbol near '='"),
            "    3 | x = = 2\n"
        );
        assert_eq!(
            shown(
                &texts,
                "k.yaml:2: unknown key `max_memroy` (did you mean `max_memory`?)"
            ),
            "    2 | max_memroy: 1\n      | ^^^^^^^^^^\n"
        );
        assert_eq!(
            shown(
                &texts,
                "i.lua:1: define_action: field 'source' must be a string, got a number"
            ),
            "    2 |   source = 5,\n      |   ^^^^^^\n"
        );
        for none in [
            "other.lua:1: x",
            "s.lua:9: x",
            "s.lua: x",
            "/etc/passwd:1: x",
            "s.lua:0: x",
        ] {
            assert_eq!(shown(&texts, none), "", "{none}");
        }
    }

    #[test]
    fn nothing_in_a_line_drives_the_terminal() {
        let texts = SourceMap::default().with("s", "a\x1b[2Jword\u{202e}");
        let line = shown(&texts, "s:1: 'word'");
        assert_eq!(line, "    1 | a\\u{1b}[2Jword\\u{202e}\n");
    }

    #[test]
    fn a_long_line_is_kept_in_part_and_few_words_are_looked_for() {
        let texts = SourceMap::default().with("s", &"é".repeat(1 << 20));
        let found = texts.find(&format!("s:1: {}", "'ab' ".repeat(10_000)));
        assert_eq!(found.map(|found| found.text.len()), Some(LONGEST));
        assert!(quoted(&"'ab' ".repeat(10_000)).len() <= 2 * WORDS);
    }

    #[test]
    fn look_ups_take_no_time_however_many_lines_there_are() {
        let texts = SourceMap::default().with("s", &"\n".repeat(16 << 20));
        let begun = std::time::Instant::now();
        for _ in 0..1000 {
            assert!(texts.find("s:16777216: x").is_some());
        }
        assert!(texts.find("s:16777217: x").is_none());
        let took = begun.elapsed();
        assert!(took < std::time::Duration::from_secs(5), "{took:?}");
    }

    #[test]
    fn a_long_name_is_known_by_its_end() {
        let name = format!("/a/{}/script.lua", "long".repeat(20));
        let texts = SourceMap::default().with(&name, "x()");
        let short = format!("...{}", &name[name.len() - 56..]);
        assert_eq!(short.len(), 59);
        assert_eq!(
            shown(&texts, &format!("{short}:1: in main chunk")),
            "    1 | x()\n"
        );
    }
}
