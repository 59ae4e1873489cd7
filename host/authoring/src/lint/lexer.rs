//! The words of a Lua script. It was compiled before, so what would be wrong with it is not told here, only given up on.

use serde_json::Value;

/// A word, and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// Bytes from the start of the script.
    pub(super) at: usize,
    pub(super) kind: Kind,
}

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name, or a word of Lua's own: which of them depends on the place in one case (`global`).
    Name(String),
    Number(Value),
    /// None where it is no text: Lua's strings are bytes.
    String(Option<String>),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Longest first, so that `..` is not two dots.
const SIGNS: [&str; 33] = [
    "...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", "..", "+", "-", "*", "/", "%", "^", "#",
    "&", "~", "|", "<", ">", "=", "(", ")", "{", "}", "[", "]", ";", ":", ",", ".",
];

/// Takes a script apart, word by word.
pub(super) struct Lexer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    /// The script as it is in its file: a byte order mark and a first line that starts with `#` are passed over.
    pub(super) fn new(source: &'a str) -> Self {
        let mark = if source.starts_with('\u{feff}') { 3 } else { 0 };
        let line = match source[mark..].starts_with('#') {
            true => source[mark..].find('\n').unwrap_or(source.len() - mark),
            false => 0,
        };
        Self {
            source,
            bytes: source.as_bytes(),
            at: mark + line,
        }
    }

    /// The next word; none where this is no Lua.
    pub(super) fn next(&mut self) -> Option<Token> {
        self.pass_over();
        let at = self.at;
        let kind = match self.peek(0) {
            0 if at >= self.bytes.len() => Kind::End,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.name(),
            b'0'..=b'9' => self.number()?,
            b'.' if self.peek(1).is_ascii_digit() => self.number()?,
            b'"' | b'\'' => self.quoted()?,
            b'[' if self.level().is_some() => {
                let text = self.long()?;
                Kind::String(Some(text))
            }
            _ => {
                let rest = &self.bytes[at..];
                let sign = SIGNS
                    .into_iter()
                    .find(|sign| rest.starts_with(sign.as_bytes()))?;
                self.at += sign.len();
                Kind::Sign(sign)
            }
        };
        Some(Token { at, kind })
    }

    /// The byte so many further on; 0 behind the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// White space and comments.
    fn pass_over(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'-' if self.peek(1) == b'-' => {
                    self.at += 2;
                    if self.level().is_none() || self.long().is_none() {
                        let rest = &self.bytes[self.at..];
                        self.at += rest
                            .iter()
                            .position(|byte| *byte == b'\n')
                            .unwrap_or(rest.len());
                    }
                }
                _ => return,
            }
        }
    }

    fn name(&mut self) -> Kind {
        let start = self.at;
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' {
            self.at += 1;
        }
        Kind::Name(self.source[start..self.at].to_owned())
    }

    fn number(&mut self) -> Option<Kind> {
        let start = self.at;
        let hex = self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X');
        let exponent: &[u8] = if hex { b"pP" } else { b"eE" };
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'.' {
            let sign = exponent.contains(&self.peek(0)) && matches!(self.peek(1), b'+' | b'-');
            self.at += if sign { 2 } else { 1 };
        }
        let text = &self.source[start..self.at];
        let value = if !hex {
            let whole = text.parse::<i64>().ok().map(Value::from);
            whole.or_else(|| Some(Value::from(text.parse::<f64>().ok()?)))?
        } else if text.contains(['.', 'p', 'P']) {
            // Nobody writes parameters like that: any number will do.
            Value::from(0.5)
        } else {
            // Lua keeps the last 64 bits.
            let digits = text[2..]
                .bytes()
                .map(|digit| char::from(digit).to_digit(16));
            let add = |sum: u64, digit: Option<u32>| Some((sum << 4) | u64::from(digit?));
            Value::from(digits.into_iter().try_fold(0, add)?.cast_signed())
        };
        Some(Kind::Number(value))
    }

    /// How many `=` an opening long bracket has, if one is here.
    fn level(&self) -> Option<usize> {
        if self.peek(0) != b'[' {
            return None;
        }
        let rest = self.bytes[self.at + 1..].iter();
        let level = rest.take_while(|byte| **byte == b'=').count();
        (self.peek(1 + level) == b'[').then_some(level)
    }

    /// What is in long brackets; nothing is passed over where they are not closed.
    fn long(&mut self) -> Option<String> {
        let level = self.level()?;
        let start = self.at + level + 2;
        let close = format!("]{}]", "=".repeat(level));
        let end = start + self.source[start..].find(&close)?;
        self.at = end + close.len();
        let text = &self.source[start..end];
        let text = text
            .strip_prefix("\r\n")
            .or_else(|| text.strip_prefix('\n'))
            .unwrap_or(text);
        Some(text.replace("\r\n", "\n"))
    }

    fn quoted(&mut self) -> Option<Kind> {
        let quote = self.peek(0);
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'\n' => return None,
                b'\\' => self.escape(&mut text)?,
                byte if byte == quote => return Some(Kind::String(String::from_utf8(text).ok())),
                byte => text.push(byte),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Option<()> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        match byte {
            b'a' => text.push(7),
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'n' | b'\n' => text.push(b'\n'),
            b'\r' => {
                // One line break, as Lua has it.
                self.at += usize::from(self.peek(0) == b'\n');
                text.push(b'\n');
            }
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'v' => text.push(11),
            b'\\' | b'"' | b'\'' => text.push(byte),
            b'x' => {
                let digits = self.source.get(self.at..self.at + 2)?;
                text.push(u8::from_str_radix(digits, 16).ok()?);
                self.at += 2;
            }
            b'z' => {
                while self.peek(0).is_ascii_whitespace() || self.peek(0) == 0x0b {
                    self.at += 1;
                }
            }
            b'u' => {
                let digits = self.source.get(self.at..)?.strip_prefix('{')?;
                let digits = &digits[..digits.find('}')?];
                self.at += digits.len() + 2;
                match char::from_u32(u32::from_str_radix(digits, 16).ok()?) {
                    Some(c) => text.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    // What Unicode does not have, Lua writes all the same: no text.
                    None => text.push(0xff),
                }
            }
            b'0'..=b'9' => {
                let mut number = u32::from(byte - b'0');
                for _ in 0..2 {
                    if self.peek(0).is_ascii_digit() {
                        number = number * 10 + u32::from(self.peek(0) - b'0');
                        self.at += 1;
                    }
                }
                text.push(u8::try_from(number).ok()?);
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<Kind> {
        let mut lexer = Lexer::new(source);
        let mut kinds = Vec::new();
        loop {
            match lexer.next().expect("Lua").kind {
                Kind::End => return kinds,
                kind => kinds.push(kind),
            }
        }
    }

    #[test]
    fn words_are_those_of_lua() {
        let text = |text: &str| Kind::String(Some(text.to_owned()));
        let number = |value: Value| Kind::Number(value);
        assert_eq!(
            kinds("\u{feff}#!/bin/kael\na.b --[[ no\n ]] ..'x\\n\\65\\x41\\u{e9}\\z \n!'--end"),
            [
                Kind::Name("a".to_owned()),
                Kind::Sign("."),
                Kind::Name("b".to_owned()),
                Kind::Sign(".."),
                text("x\nAA\u{e9}!"),
            ]
        );
        assert_eq!(
            kinds("1 0x10 1.5e-3 .5 9223372036854775808 [==[\n]=]a]==] '\\xff'"),
            [
                number(1.into()),
                number(16.into()),
                number(0.0015.into()),
                number(0.5.into()),
                number(9_223_372_036_854_775_808.0.into()),
                text("]=]a"),
                Kind::String(None),
            ]
        );
    }

    #[test]
    fn what_is_no_lua_ends_it() {
        for source in ["'a", "'a\n'", "$", "[[a", "'\\q'", "é"] {
            let mut lexer = Lexer::new(source);
            let ended =
                (0..4).any(|_| !matches!(lexer.next(), Some(token) if token.kind != Kind::End));
            assert!(ended, "{source}");
        }
        assert!(Lexer::new("'a").next().is_none());
    }
}
