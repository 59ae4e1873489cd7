//! Splits a Lua script into tokens. The script has compiled before, so the lexer reports no errors;
//! it gives up.

use serde_json::Value;

/// A token and its position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// In bytes from the start of the script.
    pub(super) at: usize,
    pub(super) kind: TokenKind,
}

/// The kind of a token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A name or a keyword. `global` is a keyword or a name, depending on its position.
    Name(String),
    Number(Value),
    /// None if the bytes are not UTF-8.
    String(Option<String>),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// The longest first, so that `..` is not read as two dots.
const SIGNS: [&str; 33] = [
    "...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", "..", "+", "-", "*", "/", "%", "^", "#",
    "&", "~", "|", "<", ">", "=", "(", ")", "{", "}", "[", "]", ";", ":", ",", ".",
];

/// Reads a script token by token.
pub(super) struct Lexer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Skips a byte order mark, and a first line that starts with `#`.
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

    /// The next token. None if the text is not Lua.
    pub(super) fn next(&mut self) -> Option<Token> {
        self.pass_over();
        let at = self.at;
        let kind = match self.peek(0) {
            0 if at >= self.bytes.len() => TokenKind::End,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.name(),
            b'0'..=b'9' => self.number()?,
            b'.' if self.peek(1).is_ascii_digit() => self.number()?,
            b'"' | b'\'' => self.quoted()?,
            b'[' if self.level().is_some() => {
                let text = self.long()?;
                TokenKind::String(Some(text))
            }
            _ => {
                let rest = &self.bytes[at..];
                let sign = SIGNS
                    .into_iter()
                    .find(|sign| rest.starts_with(sign.as_bytes()))?;
                self.at += sign.len();
                TokenKind::Sign(sign)
            }
        };
        Some(Token { at, kind })
    }

    /// The byte at this distance; 0 behind the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Skips white space and comments.
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

    fn name(&mut self) -> TokenKind {
        let start = self.at;
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' {
            self.at += 1;
        }
        TokenKind::Name(self.source[start..self.at].to_owned())
    }

    fn number(&mut self) -> Option<TokenKind> {
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
            // Any number will do: such literals are never parameters.
            Value::from(0.5)
        } else {
            // Lua keeps the last 64 bits.
            let digits = text[2..]
                .bytes()
                .map(|digit| char::from(digit).to_digit(16));
            let add = |sum: u64, digit: Option<u32>| Some((sum << 4) | u64::from(digit?));
            Value::from(digits.into_iter().try_fold(0, add)?.cast_signed())
        };
        Some(TokenKind::Number(value))
    }

    /// The number of `=` in an opening long bracket, if one is here.
    fn level(&self) -> Option<usize> {
        if self.peek(0) != b'[' {
            return None;
        }
        let rest = self.bytes[self.at + 1..].iter();
        let level = rest.take_while(|byte| **byte == b'=').count();
        (self.peek(1 + level) == b'[').then_some(level)
    }

    /// The text in long brackets. Reads nothing if they are not closed.
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

    fn quoted(&mut self) -> Option<TokenKind> {
        let quote = self.peek(0);
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'\n' => return None,
                b'\\' => self.escape(&mut text)?,
                byte if byte == quote => {
                    return Some(TokenKind::String(String::from_utf8(text).ok()));
                }
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
                // Lua reads both bytes as one line break.
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
                    // Lua encodes values beyond Unicode, too. The result is not UTF-8.
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

    fn kinds(source: &str) -> Vec<TokenKind> {
        let mut lexer = Lexer::new(source);
        let mut kinds = Vec::new();
        loop {
            match lexer.next().expect("Lua").kind {
                TokenKind::End => return kinds,
                kind => kinds.push(kind),
            }
        }
    }

    #[test]
    fn words_are_those_of_lua() {
        let text = |text: &str| TokenKind::String(Some(text.to_owned()));
        let number = |value: Value| TokenKind::Number(value);
        assert_eq!(
            kinds("\u{feff}#!/bin/kael\na.b --[[ no\n ]] ..'x\\n\\65\\x41\\u{e9}\\z \n!'--end"),
            [
                TokenKind::Name("a".to_owned()),
                TokenKind::Sign("."),
                TokenKind::Name("b".to_owned()),
                TokenKind::Sign(".."),
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
                TokenKind::String(None),
            ]
        );
    }

    #[test]
    fn what_is_no_lua_ends_it() {
        for source in ["'a", "'a\n'", "$", "[[a", "'\\q'", "é"] {
            let mut lexer = Lexer::new(source);
            let ended = (0..4)
                .any(|_| !matches!(lexer.next(), Some(token) if token.kind != TokenKind::End));
            assert!(ended, "{source}");
        }
        assert!(Lexer::new("'a").next().is_none());
    }
}
