//! Takes the values of secrets out of what an action gives back.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::encodings;
use super::value::SecretValue;
use crate::failure::{ActionError, Detail};

/// Bytes of patterns up to which a table of all states is made: it reads a text several times as fast.
const MAX_DFA: usize = 256 << 10;
/// Of a value that was cut off, this many bytes are seen.
const CUT: usize = 6;
/// Kael cuts off no text that has fewer bytes.
const LONG: usize = 480;

/// Values to hide, and what stands in their places.
#[derive(Default)]
pub struct Masks {
    finder: Option<AhoCorasick>,
    /// Each form of a value, and which value that is.
    patterns: Vec<(Vec<u8>, usize)>,
    values: Vec<(String, SecretValue)>,
}

/// A part of a text that is not shown: one match, or several that overlap.
struct Hidden {
    start: usize,
    end: usize,
    /// Of the longest match.
    pattern: usize,
    longest: usize,
}

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masks")
    }
}

impl Masks {
    /// Masks of these values, each with the name that is shown.
    #[must_use]
    pub fn of(values: Vec<(String, SecretValue)>) -> Self {
        let mut patterns = Vec::new();
        for (at, (_, value)) in values.iter().enumerate() {
            let forms = encodings::of(value.expose()).into_iter();
            patterns.extend(forms.map(|form| (form, at)));
        }
        let size: usize = patterns.iter().map(|(form, _)| form.len()).sum();
        let kind = (size <= MAX_DFA).then_some(AhoCorasickKind::DFA);
        let built = AhoCorasick::builder()
            // Values may overlap, and each of them is hidden whole.
            .match_kind(MatchKind::Standard)
            .kind(kind)
            .build(patterns.iter().map(|(form, _)| form));
        Self {
            finder: (!patterns.is_empty()).then_some(built).and_then(Result::ok),
            patterns,
            values,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn label(&self, value: usize) -> String {
        format!("[secret {}]", self.values[value].0)
    }

    /// The same bytes without the values.
    #[must_use]
    pub fn hide(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.hide_parts(bytes, false)
    }

    /// With `escapes` an escape of JSON that a value begins or ends in is hidden whole.
    fn hide_parts(&self, bytes: Vec<u8>, escapes: bool) -> Vec<u8> {
        let Some(finder) = &self.finder else {
            // Patterns that cannot be built are no reason to show anything.
            return if self.values.is_empty() {
                bytes
            } else {
                Vec::new()
            };
        };
        let mut hidden: Vec<Hidden> = Vec::new();
        for found in finder.find_overlapping_iter(&bytes) {
            let (mut start, mut end) = (found.start(), found.end());
            if escapes {
                start -= usize::from(is_escaped(&bytes, start));
                end += usize::from(end < bytes.len() && is_escaped(&bytes, end));
            }
            let mut new = Hidden {
                start,
                end,
                pattern: found.pattern().as_usize(),
                longest: found.end() - found.start(),
            };
            // In the order of their ends: an earlier one may lie in this one, or reach into it.
            while let Some(before) = hidden.pop_if(|before| before.end > new.start) {
                new.start = new.start.min(before.start);
                if before.longest >= new.longest {
                    (new.pattern, new.longest) = (before.pattern, before.longest);
                }
            }
            hidden.push(new);
        }
        if hidden.is_empty() {
            return bytes;
        }
        let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
        for part in hidden {
            out.extend_from_slice(&bytes[at..part.start]);
            out.extend_from_slice(self.label(self.patterns[part.pattern].1).as_bytes());
            at = part.end;
        }
        out.extend_from_slice(&bytes[at..]);
        out
    }

    /// The same document of JSON without the values, whatever escapes its texts are written with.
    #[must_use]
    pub fn hide_json(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.is_empty() {
            return bytes;
        }
        match bytes.contains(&b'\\') {
            true => self.hide_parts(self.hide_texts(&bytes), true),
            false => self.hide(bytes),
        }
    }

    /// Takes the values out of the texts that are written with escapes, as a reader sees them.
    fn hide_texts(&self, bytes: &[u8]) -> Vec<u8> {
        let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
        while let Some(start) = bytes[at..].iter().position(|byte| *byte == b'"') {
            let start = at + start;
            let end = text_end(bytes, start);
            out.extend_from_slice(&bytes[at..start]);
            let text = &bytes[start..end];
            let read = text
                .contains(&b'\\')
                .then(|| serde_json::from_slice::<String>(text).ok())
                .flatten();
            match read.map(|read| (self.hide(read.clone().into_bytes()), read)) {
                Some((hidden, read)) if hidden != read.as_bytes() => {
                    let hidden = String::from_utf8_lossy(&hidden);
                    out.extend(serde_json::Value::from(hidden).to_string().into_bytes());
                }
                _ => out.extend_from_slice(text),
            }
            at = end;
        }
        out.extend_from_slice(&bytes[at..]);
        out
    }

    /// The same for a text that may have been cut off within a value, at either end.
    pub fn hide_text(&self, text: &mut String) {
        if self.is_empty() {
            return;
        }
        let is_long = text.len() >= LONG;
        let hidden = self.hide(std::mem::take(text).into_bytes());
        *text = String::from_utf8_lossy(&hidden).into_owned();
        // A program cuts off what it prints itself, and Kael what is long.
        let values = self
            .values
            .iter()
            .map(|(_, value)| value.expose().as_bytes());
        let values = values.zip(0..);
        let forms = self.patterns.iter().map(|(form, at)| (&form[..], *at));
        let forms: Vec<(&[u8], usize)> = values.chain(forms.filter(|_| is_long)).collect();
        // Of several that may have been cut off here the one counts of which most is there.
        let end = forms
            .iter()
            .filter_map(|(form, at)| Some((left_at_end(text, form)?, *at)));
        if let Some((left, at)) = end.max() {
            text.replace_range(text.len() - left.., &self.label(at));
        }
        let start = forms
            .iter()
            .filter_map(|(form, at)| Some((left_at_start(text, form)?, *at)));
        if let Some((left, at)) = start.max() {
            text.replace_range(..left, &self.label(at));
        }
    }

    /// The same failure without the values.
    #[must_use]
    pub fn hide_error(&self, mut error: ActionError) -> ActionError {
        if self.is_empty() {
            return error;
        }
        self.hide_text(&mut error.message);
        if let Some(detail) = &mut error.detail {
            let Detail {
                stderr,
                stdout,
                hint,
                frames,
                ..
            } = &mut **detail;
            for text in [stderr, stdout].into_iter().chain(hint).chain(frames) {
                self.hide_text(text);
            }
        }
        error
    }
}

/// How many bytes a cut has left at the end of a text of one form of a value.
fn left_at_end(text: &str, form: &[u8]) -> Option<usize> {
    let mut all = (CUT..form.len().min(text.len() + 1)).rev();
    all.find(|left| {
        let at = text.len() - left;
        text.is_char_boundary(at) && text.as_bytes()[at..] == form[..*left]
    })
}

/// How many bytes a cut has left at the beginning of a text of one form of a value.
fn left_at_start(text: &str, form: &[u8]) -> Option<usize> {
    let mut all = (CUT + 1..form.len().min(text.len() + 1)).rev();
    all.find(|left| {
        let rest = &form[form.len() - left..];
        text.is_char_boundary(*left) && text.as_bytes().starts_with(rest)
    })
}

/// Whether an odd number of backslashes stands before a place.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].iter().rev();
    before.take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The place behind a text of JSON that begins here.
fn text_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}
