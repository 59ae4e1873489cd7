//! Finds integers that no script can hold: Lua's integers have 64 bits, and a double would round
//! them.

/// Where the first such integer stands, and its length. A double that JavaScript writes without an
/// exponent, such as 1e20, is not one.
pub(super) fn first(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let (mut at, mut in_string) = (0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => {
                let rest = &bytes[at..];
                let inner =
                    |byte: &&u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = rest.iter().take_while(inner).count();
                let number = &text[at..at + length];
                if !number.contains(['.', 'e', 'E']) && is_rounded(number) {
                    return Some((at, length));
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn is_rounded(integer: &str) -> bool {
    if integer.parse::<i64>().is_ok() {
        return false;
    }
    let Ok(double) = integer.parse::<f64>() else {
        return true;
    };
    let exact = integer
        .parse::<i128>()
        .is_ok_and(|whole| double as i128 == whole);
    !exact && format!("{double}") != integer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_integers_that_lose_digits_are_found() {
        for (text, expected) in [
            (
                r#"{"id":18446744073709551615}"#,
                Some("18446744073709551615"),
            ),
            ("[1, -9223372036854775809]", Some("-9223372036854775809")),
            (
                "123456789012345678901234567890",
                Some("123456789012345678901234567890"),
            ),
            ("[9223372036854775807, -9223372036854775808]", None),
            ("[9223372036854775808, 100000000000000000000]", None),
            // JavaScript prints 2 ** 64 like this.
            ("18446744073709552000", None),
            (
                r#"["18446744073709551615", "\"18446744073709551615"]"#,
                None,
            ),
            ("[1.8446744073709551615, 18446744073709551615e0]", None),
        ] {
            let found = first(text).map(|(at, length)| &text[at..at + length]);
            assert_eq!(found, expected, "{text}");
        }
    }
}
