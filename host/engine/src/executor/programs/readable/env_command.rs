//! Reads what stands behind `env` in an interpreter's command line: which program it starts.

/// Options of GNU's `env` without an operand.
const PLAIN: [&str; 8] = [
    "-",
    "--ignore-environment",
    "--null",
    "--debug",
    "--default-signal",
    "--ignore-signal",
    "--block-signal",
    "--list-signal-handling",
];

/// The program that `env` starts with these arguments. None where it starts none of them, or where
/// that cannot be told from the words alone.
pub(super) fn program<'a>(words: &[&'a str]) -> Option<&'a str> {
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        match operands(word)? {
            Operand::None => {}
            Operand::Next => _ = words.next()?,
            Operand::NotAnOption => return plain(word, words),
        }
    }
    let word = words.next()?;
    plain(word, words)
}

/// What an option takes.
enum Operand {
    None,
    /// The word behind it.
    Next,
    NotAnOption,
}

/// None for an option that is not known, or that changes where a program is looked for.
fn operands(word: &str) -> Option<Operand> {
    if PLAIN.contains(&word) {
        return Some(Operand::None);
    }
    if let Some(long) = word.strip_prefix("--") {
        return match long.split_once('=') {
            Some(("unset", name)) if name != "PATH" => Some(Operand::None),
            Some((option, _)) if PLAIN.contains(&&*format!("--{option}")) => Some(Operand::None),
            None if long == "split-string" => Some(Operand::None),
            _ => None,
        };
    }
    let Some(short) = word.strip_prefix('-') else {
        return Some(Operand::NotAnOption);
    };
    for (at, letter) in short.char_indices() {
        match (letter, &short[at + 1..]) {
            ('i' | '0' | 'v', _) => {}
            // The words behind it are those of the text that it splits.
            ('S', "") => return Some(Operand::None),
            ('u', "") => return Some(Operand::Next),
            ('u', name) if name != "PATH" => return Some(Operand::None),
            _ => return None,
        }
    }
    Some(Operand::None)
}

/// The first word that is no assignment.
fn plain<'a>(first: &'a str, rest: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    for word in [first].into_iter().chain(rest) {
        // `-S` takes these apart in its own way.
        if word.contains(['\'', '"', '\\', '$', '#']) || word.starts_with("PATH=") {
            return None;
        }
        if !word.contains('=') {
            return Some(word);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_stands_behind_options_and_assignments() {
        for (line, expected) in [
            ("python3 -u", Some("python3")),
            ("-S python3 -u", Some("python3")),
            ("-S FOO=a BAR=b python3 -x", Some("python3")),
            ("-i python3", Some("python3")),
            ("-vS python3", Some("python3")),
            ("-u NAME python3", Some("python3")),
            ("-uNAME --unset=X python3", Some("python3")),
            ("-- python3", Some("python3")),
            ("--split-string A=b python3", Some("python3")),
            ("--ignore-signal=INT python3", Some("python3")),
            ("", None),
            ("-S", None),
            ("-u", None),
            ("A=b", None),
            ("-uPATH python3", None),
            ("-C /x python3", None),
            ("--chdir=/x python3", None),
            ("-a x python3", None),
            ("-Spython3 -u", None),
            ("--unset X python3", None),
            ("PATH=/x python3", None),
            ("-S ${HOME}/x", None),
            ("-S 'a b'", None),
        ] {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(program(&words), expected, "{line}");
        }
    }
}
