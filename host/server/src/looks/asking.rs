//! Asks for the values of variables where a journal is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kael_engine::journal::{Input, Inspected, Inspecting, Inspector};
use kael_engine::sandbox::Output;

use super::start;

/// Bytes of a value.
const MAX_VALUE: usize = 500;
/// Names that are looked for, and how long their values are asked for.
const MAX_NAMES: usize = 200;
const MAX_ASKING: Duration = Duration::from_secs(3);

/// Asks for the values of names where a journal is left.
pub(super) struct Asking {
    /// Those that were not asked for, the last one first.
    names: Mutex<Vec<String>>,
    begun: Instant,
    output: Output,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// What the script itself had printed.
    printed: String,
    asked: Option<String>,
    has_arrived: bool,
    values: BTreeMap<String, String>,
}

impl Asking {
    pub(super) fn new(mut names: Vec<String>, output: Output) -> Self {
        names.reverse();
        Self {
            names: Mutex::new(names),
            begun: Instant::now(),
            output,
            found: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run was where its journal is left.
    pub(super) fn has_arrived(&self) -> bool {
        self.lock().has_arrived
    }

    /// What the script had printed, and the values of the names.
    pub(super) fn found(&self) -> (String, BTreeMap<String, String>) {
        let mut found = self.lock();
        found.asked = None;
        let found = std::mem::take(&mut *found);
        (found.printed, found.values)
    }

    /// Notes what the last name has shown, and gives the next one.
    fn turn(&self, last: &Inspected) -> Option<Input> {
        let shown = self.output.take();
        let mut found = self.lock();
        found.has_arrived = true;
        match (found.asked.take(), last) {
            (None, _) => found.printed.push_str(&shown),
            (Some(name), Inspected::Done) => {
                found
                    .values
                    .insert(name, start(shown.trim_end(), MAX_VALUE));
            }
            (Some(_), _) => {}
        }
        if self.begun.elapsed() > MAX_ASKING {
            return None;
        }
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let name = names.pop()?;
        found.asked = Some(name.clone());
        Some(Input {
            source: name,
            line: 1,
        })
    }
}

impl Inspector for Asking {
    fn next(&self, last: Inspected) -> Inspecting<'_> {
        Box::pin(std::future::ready(self.turn(&last)))
    }
}

/// Every name that a script writes, as far as that many are looked for.
pub(super) fn names(source: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(source);
    let mut seen = BTreeSet::new();
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let names = words.filter(|word| {
        let begins = word.starts_with(|first: char| !first.is_ascii_digit());
        begins && word.len() <= 40 && !KEYWORDS.contains(word) && seen.insert(*word)
    });
    names.take(MAX_NAMES).map(str::to_owned).collect()
}

/// The words of Lua.
const KEYWORDS: [&str; 23] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "global", "goto",
    "if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_its_names_once() {
        let script = b"local count = 1 for _, host in ipairs(hosts) do print(host, 0x1f) end";
        assert_eq!(
            names(script),
            ["count", "_", "host", "ipairs", "hosts", "print"]
        );
        assert_eq!(names(&b"x1 ".repeat(9)).len(), 1);
        let many: String = (0..500).map(|at| format!("n{at} ")).collect();
        assert_eq!(names(many.as_bytes()).len(), MAX_NAMES);
    }
}
