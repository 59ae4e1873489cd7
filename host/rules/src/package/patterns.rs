//! The regular expressions and globs of a package: read, bounded, and compiled once to see that
//! they can be.

use super::Source;
use crate::glob::Glob;
use crate::problem::Problem;

/// Patterns of each kind that a package may have, and bytes of each.
const MAX_PATTERNS: usize = 1000;
const MAX_PATTERN: usize = 4 << 10;
/// Bytes that one may take when it is compiled.
const MAX_COMPILED: usize = 1 << 20;

/// The non-empty lines of a file of patterns.
pub(super) fn lines(text: &str) -> Vec<String> {
    let line = |line: &str| line.trim_end_matches('\r').to_owned();
    text.split('\n')
        .map(line)
        .filter(|line| !line.is_empty())
        .collect()
}

/// Compiles all patterns, and says what is wrong with them. `place` names the file or the key.
pub(super) fn check(kind: &str, source: &Source, patterns: &[String], out: &mut Vec<Problem>) {
    if patterns.len() > MAX_PATTERNS {
        let message = format!(
            "{} {kind} patterns (allowed: {MAX_PATTERNS})",
            patterns.len()
        );
        out.push(Problem::error(&source.file, message));
        return;
    }
    for (at, pattern) in patterns.iter().enumerate() {
        let wrong = if pattern.len() > MAX_PATTERN {
            Some(format!("{} bytes (allowed: {MAX_PATTERN})", pattern.len()))
        } else if kind == "regex" {
            regex(pattern)
        } else {
            Glob::new(pattern).err()
        };
        if let Some(wrong) = wrong {
            let message = format!("{}{kind} {}: {wrong}", source.key, at + 1);
            out.push(Problem::error(&source.file, message));
        }
    }
}

fn regex(pattern: &str) -> Option<String> {
    let built = regex::bytes::RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .build();
    match built {
        Ok(_) => None,
        Err(regex::Error::CompiledTooBig(_)) => Some(format!(
            "it takes more than {} KiB when it is compiled",
            MAX_COMPILED >> 10
        )),
        Err(error) => {
            let whole = error.to_string();
            let last = whole.lines().last().unwrap_or_default();
            Some(last.trim_start_matches("error: ").to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_patterns_are_named_by_their_place() {
        let source = Source {
            file: "r/resources/regexes.txt".into(),
            key: "",
        };
        let patterns = lines("ok\r\n\n(\n(a{1000}){1000}\n");
        let mut out = Vec::new();
        check("regex", &source, &patterns, &mut out);
        let messages: Vec<_> = out.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "r/resources/regexes.txt: regex 2: unclosed group",
                "r/resources/regexes.txt: regex 3: it takes more than 1024 KiB when it is compiled",
            ]
        );
    }
}
