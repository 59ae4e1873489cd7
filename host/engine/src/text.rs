//! Bytes in hexadecimal, texts in addresses, and the beginnings of long texts.

use std::borrow::Cow;

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from(b"0123456789abcdef"[usize::from(digit)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// The bytes that hexadecimal digits of either case stand for; none if they are not exactly so many.
#[must_use]
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let digits = text.as_bytes();
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(bytes)
}

/// A text as it stands in an address: every byte but letters, digits and `-._~` is `%XX` (RFC 3986).
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            made.push(char::from(byte));
        } else {
            made.push('%');
            made.push_str(&hex(&[byte]).to_ascii_uppercase());
        }
    }
    made
}

/// The text that such a text stands for; none where a `%` is not followed by two digits, or the bytes are no UTF-8.
#[must_use]
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// The first `most` characters, followed by `...` when the text has more.
#[must_use]
pub fn shorten(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
    }
}

/// The text in at most `room` characters: a longer one ends in `...`, which counts.
#[must_use]
pub fn fit(text: &str, room: usize) -> Cow<'_, str> {
    match text.chars().nth(room) {
        None => Cow::Borrowed(text),
        Some(_) => shorten(text, room.saturating_sub(3)),
    }
}

/// The first `most` characters in quotes, followed by `...` when the text has more.
#[must_use]
pub fn quote(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", &text[..end]),
    }
}

/// Characters that move the cursor, colour the screen, or reorder the text around them.
#[must_use]
pub fn is_unsafe_char(c: char) -> bool {
    c.is_control() || is_bidi(c)
}

/// Characters that reorder the text around them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Characters that a person does not see and a model reads: of no width, or tags.
#[must_use]
pub fn is_invisible_char(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
        assert_eq!(unhex("000aFf"), Some([0, 10, 255]));
        for wrong in ["000af", "000aff00", "+00aff", "000ag0", ""] {
            assert_eq!(unhex::<3>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_text_in_an_address_is_read_as_it_was() {
        let text = "aZ09-._~ /?&=%@:é\0";
        let encoded = percent_encoded(text);
        assert_eq!(encoded, "aZ09-._~%20%2F%3F%26%3D%25%40%3A%C3%A9%00");
        assert_eq!(percent_decoded(&encoded).as_deref(), Some(text));
        assert_eq!(percent_decoded("a%2fb").as_deref(), Some("a/b"));
        for wrong in ["%", "%2", "%2g", "%+1", "%ff"] {
            assert_eq!(percent_decoded(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöü", 2), "äö...");
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdef", 5), "ab...");
        assert_eq!(quote("a\nb", 3), "\"a\\nb\"");
        assert_eq!(quote("a\nbc", 3), "\"a\\nb\"...");
    }
}
