//! Compiles the regular expressions of filters, and keeps them for later calls.

use std::cell::RefCell;
use std::collections::VecDeque;

use jaq_core::Error;
use regex_automata::nfa::thompson::{self, pikevm::PikeVM};
use regex_automata::util::syntax;

use super::value::Val;

/// Bytes of memory for a compiled regular expression.
const MAX_PATTERN: usize = 1 << 20;

/// Compiled regular expressions to keep.
const KEPT: usize = 16;

/// The flags of jq.
const FLAGS: &str = "gnimslxp";

thread_local! {
    /// The regular expressions used last, by pattern and flags.
    static CACHE: RefCell<VecDeque<(String, String, PikeVM)>> = const { RefCell::new(VecDeque::new()) };
}

/// Takes a regular expression from the cache, or compiles it.
pub(super) fn compiled(pattern: &str, flags: &str) -> Result<PikeVM, Error<Val>> {
    let kept = CACHE.with_borrow(|cache| {
        let mut kept = cache.iter();
        kept.find(|kept| kept.0 == pattern && kept.1 == flags)
            .map(|kept| kept.2.clone())
    });
    if let Some(kept) = kept {
        return Ok(kept);
    }
    let made = compile(pattern, flags)?;
    CACHE.with_borrow_mut(|cache| {
        cache.truncate(KEPT - 1);
        cache.push_front((pattern.to_owned(), flags.to_owned(), made.clone()));
    });
    Ok(made)
}

fn compile(pattern: &str, flags: &str) -> Result<PikeVM, Error<Val>> {
    if let Some(flag) = flags.chars().find(|flag| !FLAGS.contains(*flag)) {
        let message = format_args!("{flag:?} is not a flag of regular expressions");
        return Err(Error::str(message));
    }
    let is = |flag: char| flags.contains(flag);
    let how = syntax::Config::new()
        .case_insensitive(is('i'))
        .multi_line(is('m') || is('p'))
        .dot_matches_new_line(is('s') || is('p'))
        .swap_greed(is('l'))
        .ignore_whitespace(is('x'))
        .nest_limit(50);
    let refused = |error: String| {
        // The last line of the error gives the reason. The lines before show the position.
        let why = error.lines().last().unwrap_or_default();
        let why = why.trim_start_matches("error: ");
        Error::str(format_args!("the regular expression {pattern:?}: {why}"))
    };
    let parsed = syntax::parse_with(pattern, &how);
    let parsed = parsed.map_err(|error| refused(error.to_string()))?;
    let bounds = thompson::Config::new().nfa_size_limit(Some(MAX_PATTERN));
    thompson::Compiler::new()
        .configure(bounds)
        .build_from_hir(&parsed)
        .and_then(PikeVM::new_from_nfa)
        .map_err(|error| refused(error.to_string()))
}
