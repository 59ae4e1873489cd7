//! Finds the last JSON document of a text, for programs that also log on stdout.

/// The last JSON document: it begins at the start of a line and ends with the text. It is found by
/// its brackets, without parsing.
pub(crate) fn last(text: &str) -> &str {
    let text = text.trim_end();
    let mut start = text.len();
    // JSON strings never span lines, so each line is counted alone, from the last one up.
    let mut open = 0_i64;
    loop {
        let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        open += closed(&text[line_start..start]);
        if open <= 0 || line_start == 0 {
            return &text[line_start..];
        }
        start = line_start - 1;
    }
}

/// How many more brackets a line closes than opens, outside of strings.
fn closed(line: &str) -> i64 {
    let (mut closed, mut in_string, mut escaped) = (0, false, false);
    for byte in line.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => closed -= 1,
            b']' | b'}' => closed += 1,
            _ => {}
        }
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_the_line_that_opens_it() {
        for (text, expected) in [
            ("log\n{\"a\":1}\n", "{\"a\":1}"),
            (
                "it's \"on\n{\n \"a\": [\n  1\n ]\n}\n\n",
                "{\n \"a\": [\n  1\n ]\n}",
            ),
            ("[1]\n[\n\"]\",\n\"\\\"[\"\n]", "[\n\"]\",\n\"\\\"[\"\n]"),
            ("log\n42", "42"),
            ("{\"a\":1}", "{\"a\":1}"),
            ("}", "}"),
            ("", ""),
            ("[\nlog\n{\"a\":{}}", "{\"a\":{}}"),
        ] {
            assert_eq!(last(text), expected, "{text}");
        }
    }
}
