//! Looks at a line of JSON before it is read: so many values take so much memory, however short they are in the file.

/// Whether a text of JSON has no more values, names and brackets than that. What is in its strings does not count.
pub(super) fn is_small(text: &str, most: usize) -> bool {
    let (mut count, mut is_text, mut is_escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b':' | b'[' | b'{' if !is_text => {
                count += 1;
                if count > most {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_text_does_not_count() {
        for (text, count) in [
            ("1", 0),
            (r#"{"a":[1,2]}"#, 4),
            (r#"{"a,:[{\",,":",,\\"}"#, 2),
            (r#"["\\",","]"#, 2),
        ] {
            assert!(is_small(text, count), "{text}");
            assert!(count == 0 || !is_small(text, count - 1), "{text}");
        }
    }
}
