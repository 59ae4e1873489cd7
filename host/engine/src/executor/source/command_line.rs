//! Reads the command line of an interpreter: which program it starts.

/// A program's name without its version.
pub(super) fn base(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

/// Whether an interpreter's command line is that of Python.
pub(super) fn is_python(interpreter: &str) -> bool {
    let program = program(interpreter).unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    matches!(base(name), "python" | "pypy")
}

/// The program of an interpreter's command line: the one that `env` starts, where that is first.
/// None where `env` starts what follows the command line.
pub(super) fn program(interpreter: &str) -> Option<&str> {
    let mut words = interpreter.split_whitespace();
    let first = words.next()?;
    if !(first == "env" || first.ends_with("/env")) {
        return Some(first);
    }
    // Its options and assignments stand before the program.
    words.find(|word| !word.starts_with('-') && !word.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_is_known_by_its_program() {
        for (interpreter, expected) in [
            ("/usr/bin/env python3", true),
            ("/usr/bin/env -S python3.11 -u", true),
            ("/opt/py/bin/python -I", true),
            ("pypy3", true),
            ("/usr/bin/env -S uv run --script", false),
            ("/usr/bin/env", false),
        ] {
            assert_eq!(is_python(interpreter), expected, "{interpreter}");
        }
    }
}
