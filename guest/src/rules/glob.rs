//! Globs over bytes. The host compiles this file, too, so that a glob means the same in predicates
//! of Lua and of WebAssembly.

/// A compiled glob. It matches a whole text, and case counts.
#[derive(Debug, Clone)]
pub(crate) enum Glob {
    /// A text without wildcards.
    Is(Vec<u8>),
    /// `*x*`
    Contains(Vec<u8>),
    /// `*x`
    EndsWith(Vec<u8>),
    /// `x*`
    StartsWith(Vec<u8>),
    Parts(Vec<Part>),
}

/// One step of a glob.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Byte(u8),
    /// `?`: one character.
    One,
    /// `[a-z]`, `[!a-z]`: one character, by ranges.
    Class(bool, Vec<(char, char)>),
    /// `*`: any run, `/` included.
    Star,
    /// `**/`: no path parts, or some.
    Folders,
}

impl Glob {
    /// Compiles a glob. The error is a fragment that says what is wrong.
    pub(crate) fn new(glob: &str) -> Result<Self, String> {
        let parts = parts(glob)?;
        let text = |parts: &[Part]| -> Option<Vec<u8>> {
            let byte = |part: &Part| match part {
                Part::Byte(byte) => Some(*byte),
                _ => None,
            };
            parts.iter().map(byte).collect()
        };
        let simple = match parts.as_slice() {
            [Part::Star, inner @ .., Part::Star] => text(inner).map(Self::Contains),
            [Part::Star, rest @ ..] => text(rest).map(Self::EndsWith),
            [rest @ .., Part::Star] => text(rest).map(Self::StartsWith),
            all => text(all).map(Self::Is),
        };
        Ok(simple.unwrap_or(Self::Parts(parts)))
    }

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Is(whole) => text == whole,
            Self::Contains(inner) => contains(text, inner),
            Self::EndsWith(end) => text.ends_with(end),
            Self::StartsWith(start) => text.starts_with(start),
            Self::Parts(parts) => walk(parts, text),
        }
    }
}

fn contains(text: &[u8], inner: &[u8]) -> bool {
    let Some((first, rest)) = inner.split_first() else {
        return true;
    };
    let mut from = text;
    while let Some(at) = from.iter().position(|byte| byte == first) {
        from = &from[at + 1..];
        if from.starts_with(rest) {
            return true;
        }
    }
    false
}

/// Only the last run has to be tried again at other lengths: whatever an earlier one could take
/// more, the last one can take, too.
fn walk(parts: &[Part], text: &[u8]) -> bool {
    let (mut part, mut at) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    loop {
        match parts.get(part) {
            None if at == text.len() => return true,
            Some(Part::Star | Part::Folders) => {
                again = Some((part, at));
                part += 1;
                continue;
            }
            Some(one) => {
                if let Some(length) = step(one, &text[at..]) {
                    (part, at) = (part + 1, at + length);
                    continue;
                }
            }
            None => {}
        }
        let Some((run, from)) = again else {
            return false;
        };
        // The run takes more: one byte, or up to behind the next `/`.
        let more = match parts[run] {
            Part::Folders => text[from..].iter().position(|byte| *byte == b'/'),
            _ => (from < text.len()).then_some(0),
        };
        let Some(more) = more else {
            return false;
        };
        let from = from + more + 1;
        again = Some((run, from));
        (part, at) = (run + 1, from);
    }
}

/// How many bytes a part takes at the start of a text, if it matches there.
fn step(part: &Part, text: &[u8]) -> Option<usize> {
    match part {
        Part::Byte(byte) => (text.first() == Some(byte)).then_some(1),
        Part::One => character(text).map(|(_, length)| length),
        Part::Class(wanted, ranges) => {
            let (c, length) = character(text)?;
            let within =
                c.is_some_and(|c| ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)));
            (within == *wanted).then_some(length)
        }
        Part::Star | Part::Folders => None,
    }
}

/// The first character of a text and its length. A byte that is not UTF-8 counts as a character.
fn character(text: &[u8]) -> Option<(Option<char>, usize)> {
    let first = *text.first()?;
    if first < 0x80 {
        return Some((Some(char::from(first)), 1));
    }
    let start = &text[..text.len().min(4)];
    let valid = match std::str::from_utf8(start) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default(),
    };
    Some(match valid.chars().next() {
        Some(c) => (Some(c), c.len_utf8()),
        None => (None, 1),
    })
}

fn parts(glob: &str) -> Result<Vec<Part>, String> {
    let chars: Vec<char> = glob.chars().collect();
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '*' if chars.get(at) == Some(&'*') => {
                let begins = at == 1 || chars[at - 2] == '/';
                match chars.get(at + 1) {
                    None if begins => parts.push(Part::Star),
                    Some('/') if begins => {
                        parts.push(Part::Folders);
                        at += 1;
                    }
                    _ => return Err("`**` must be a whole part of a path, as in `a/**/b`".into()),
                }
                at += 1;
            }
            '*' => {
                if parts.last() != Some(&Part::Star) {
                    parts.push(Part::Star);
                }
            }
            '?' => parts.push(Part::One),
            '[' => {
                let (class, end) = class(&chars, at)?;
                parts.push(class);
                at = end;
            }
            c => {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).as_bytes();
                parts.extend(bytes.iter().copied().map(Part::Byte));
            }
        }
    }
    Ok(parts)
}

/// The class whose first character is at `at`, and the place behind it.
fn class(chars: &[char], mut at: usize) -> Result<(Part, usize), String> {
    let wanted = chars.get(at) != Some(&'!');
    at += usize::from(!wanted);
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let low = *chars.get(at).ok_or("`[` has no `]`")?;
        if low == ']' && at > first {
            return Ok((Part::Class(wanted, ranges), at + 1));
        }
        match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(&high)) if high != ']' => {
                if high < low {
                    return Err(format!("the range `{low}-{high}` is empty"));
                }
                ranges.push((low, high));
                at += 3;
            }
            _ => {
                ranges.push((low, low));
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, text: &str) -> bool {
        Glob::new(glob).expect(glob).matches(text.as_bytes())
    }

    #[test]
    fn globs_match_the_whole_text() {
        for (glob, text, expected) in [
            ("*.exe", "C:/a/b.exe", true),
            ("*.exe", "b.exe ", false),
            ("b*", "bin/sh", true),
            ("*in/s*", "/bin/sh", true),
            ("sh", "sh", true),
            ("sh", "Sh", false),
            ("", "", true),
            ("?", "é", true),
            ("??", "é", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]a]", "]", true),
            ("[é]", "é", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("/etc/**/x", "/etc/x", true),
            ("/etc/**/x", "/etc/a/b/x", true),
            ("/etc/**/x", "/etc/ax", false),
            ("**/x", "x", true),
            ("**/*.so", "lib/a.so", true),
            ("/etc/**", "/etc/a/b", true),
            ("*/**/b/?", "a/c/b/d", true),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
        assert!(Glob::new("?").is_ok_and(|glob| glob.matches(b"\xff")));
    }

    #[test]
    fn wrong_globs_say_why() {
        for (glob, error) in [
            ("a**", "`**` must be a whole part of a path, as in `a/**/b`"),
            ("[ab", "`[` has no `]`"),
            ("[z-a]", "the range `z-a` is empty"),
        ] {
            assert_eq!(Glob::new(glob).expect_err(glob), error);
        }
    }
}
