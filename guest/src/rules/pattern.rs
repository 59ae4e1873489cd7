//! The regular expressions of a rule: a lazy DFA, and the slower engine where it gives up. Both
//! take time in proportion to the text.

use std::cell::OnceCell;

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::syntax;

/// Bytes of memory for a compiled pattern. The host has refused larger ones.
const MAX_PATTERN: usize = 4 << 20;

/// Bytes for the states of one DFA, and of all of a rule.
const CACHE: usize = 256 << 10;
const ALL_CACHES: usize = 4 << 20;

/// A regular expression that is searched for in bytes.
pub(crate) struct Pattern {
    /// How many states it has says how much a search can cost.
    pub(crate) nfa: NFA,
    /// None where the pattern cannot be a DFA.
    lazy: Option<(DFA, Cache)>,
    slow: OnceCell<(PikeVM, pikevm::Cache)>,
}

impl Pattern {
    /// Compiles a pattern of a rule that has `count` of them.
    pub(crate) fn new(pattern: &str, count: usize) -> Result<Self, String> {
        let bounds = thompson::Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::Implicit)
            .nfa_size_limit(Some(MAX_PATTERN));
        let nfa = thompson::Compiler::new()
            .syntax(syntax::Config::new().utf8(false))
            .configure(bounds)
            .build(pattern)
            .map_err(|error| error.to_string())?;
        let lazy = DFA::builder()
            .configure(
                DFA::config()
                    .cache_capacity(CACHE.min(ALL_CACHES / count.max(1)))
                    .skip_cache_capacity_check(true)
                    .minimum_cache_clear_count(Some(3))
                    .minimum_bytes_per_state(Some(10))
                    // Gives up at a character beyond ASCII, where it matters.
                    .unicode_word_boundary(true),
            )
            .build_from_nfa(nfa.clone())
            .ok()
            .map(|dfa| {
                let cache = dfa.create_cache();
                (dfa, cache)
            });
        Ok(Self {
            nfa,
            lazy,
            slow: OnceCell::new(),
        })
    }

    /// Whether the pattern is found anywhere in the text.
    pub(crate) fn is_in(&mut self, text: &[u8]) -> bool {
        if let Some((dfa, cache)) = &mut self.lazy
            && let Ok(found) = dfa.try_search_fwd(cache, &Input::new(text).earliest(true))
        {
            return found.is_some();
        }
        if self.slow.get().is_none() {
            let Ok(vm) = PikeVM::new_from_nfa(self.nfa.clone()) else {
                return false; // only for lack of features, which it was compiled without
            };
            let cache = vm.create_cache();
            self.slow.set((vm, cache)).ok();
        }
        self.slow
            .get_mut()
            .is_some_and(|(vm, cache)| vm.is_match(cache, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &[u8]) -> bool {
        Pattern::new(pattern, 1).expect(pattern).is_in(text)
    }

    #[test]
    fn patterns_are_found_anywhere() {
        assert!(found(r"bash\s+-i", b"x bash  -i >& y"));
        assert!(!found(r"^bash", b"x bash"));
        assert!(found(r"(?i)CURL", b"a curl"));
        assert!(found(r"a", b"\xff\xfea"));
        assert!(found(r"(?-u)\xff$", b"a\xff"));
    }

    #[test]
    fn words_end_where_unicode_says() {
        assert!(found(r"\bnc\b", b"x nc -l"));
        assert!(!found(r"\bnc\b", b"sync"));
        assert!(!found(r"\bnc\b", "éncore nc\u{e9}".as_bytes()));
        assert!(found(r"\bnc\b", "é nc é".as_bytes()));
    }

    #[test]
    fn many_states_take_no_more_than_the_cache() {
        let mut pattern = Pattern::new(r"[01]*1[01]{20}x", 1000).expect("it compiles");
        let text: Vec<u8> = (0..40_000u32)
            .map(|i| b'0' + (i.wrapping_mul(2_654_435_761) >> 31) as u8)
            .collect();
        assert!(!pattern.is_in(&text));
    }
}
