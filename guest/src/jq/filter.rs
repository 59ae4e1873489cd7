//! Compiles filters, and makes errors that point into their text.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use jaq_core::compile::Undefined;
use jaq_core::load::parse::{self, Def};
use jaq_core::load::{Arena, File, Lexer, Loader, Parser, lex, span};

use super::place::{excerpt, told};
use super::{Data, define, functions};

/// The most bytes, tokens and open brackets of a filter. Parsing, compiling and running a filter
/// recurse as deep as it nests, up to one level per token, and a stack overflow cannot be caught.
/// Twice as many tokens overflow the stack in the worst case.
const MAX_BYTES: usize = 64 << 10;
const MAX_WORDS: usize = 1000;
const MAX_BRACKETS: usize = 50;

/// Compiled filters to keep for later calls.
const KEPT: usize = 64;

/// A compiled filter.
pub(super) struct Compiled {
    pub(super) filter: jaq_core::Filter<Data>,
    code: String,
    /// The variables for which it was compiled.
    names: Vec<String>,
}

thread_local! {
    /// The filters used last.
    static CACHE: RefCell<VecDeque<Rc<Compiled>>> = const { RefCell::new(VecDeque::new()) };
}

impl Compiled {
    /// Takes the filter from the cache, or compiles it.
    pub(super) fn get(code: &str, names: &[String]) -> Result<Rc<Self>, String> {
        let kept = CACHE.with_borrow(|cache| {
            let same = |kept: &&Rc<Self>| kept.code == code && kept.names == names;
            cache.iter().find(same).cloned()
        });
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let made = Rc::new(Self {
            filter: compile(code, names)?,
            code: code.to_owned(),
            names: names.to_vec(),
        });
        CACHE.with_borrow_mut(|cache| {
            cache.truncate(KEPT - 1);
            cache.push_front(made.clone());
        });
        Ok(made)
    }

    /// The message of a run-time error, which has no position.
    pub(super) fn failed(&self, error: &str) -> String {
        format!("{error} (in `{}`)", excerpt(&self.code))
    }
}

fn compile(code: &str, names: &[String]) -> Result<jaq_core::Filter<Data>, String> {
    if code.len() > MAX_BYTES {
        return Err(format!(
            "the filter has {} bytes, and may have {MAX_BYTES}",
            code.len()
        ));
    }
    brackets(code)?;
    let tokens = Lexer::new(code)
        .lex()
        .map_err(|errors| unread(code, &errors))?;
    let words = count(&tokens);
    if words > MAX_WORDS {
        return Err(format!(
            "the filter has {words} words, and may have {MAX_WORDS}: call jq more than once"
        ));
    }
    let parsed = Parser::new(&tokens).parse(|parser| parser.term());
    let mut body = parsed.map_err(|errors| unparsed(code, &errors))?;
    define::visit(&mut body);
    // The filter is the last definition, so it can be changed before it is compiled.
    let main = Def {
        name: "kael_main",
        args: Vec::new(),
        body,
    };
    let library: Vec<Def<&'static str>> = define::all().collect();
    let arena = Arena::default();
    let call = File {
        code: "kael_main",
        path: (),
    };
    let mut definitions: Vec<Def<&str>> = library;
    definitions.push(main);
    let modules = Loader::new(definitions).load(&arena, call);
    let modules = modules.map_err(|_| "the filter cannot be loaded".to_owned())?;
    let functions = functions::all().chain([define::guard()]);
    jaq_core::Compiler::default()
        .with_funs(functions)
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .map_err(|errors| {
            let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
            match first {
                Some((name, what)) => undefined(code, name, &what),
                None => "the filter cannot be compiled".to_owned(),
            }
        })
}

/// Refuses deeply nested brackets before any recursion.
fn brackets(code: &str) -> Result<(), String> {
    let (mut open, mut quoted, mut comment) = (Vec::new(), false, false);
    let mut characters = code.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\n' => comment = false,
            _ if comment => {}
            '#' if !quoted => comment = true,
            '\\' if quoted => {
                // `\(` begins a filter inside a string.
                if let Some((_, '(')) = characters.next() {
                    open.push(true);
                    quoted = false;
                }
            }
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => open.push(false),
            // Back in the string around the filter.
            ')' | ']' | '}' => quoted = open.pop().unwrap_or(false),
            _ => {}
        }
        if open.len() > MAX_BRACKETS {
            let message = format!("brackets nest deeper than {MAX_BRACKETS}");
            return Err(told(&message, code, at));
        }
    }
    Ok(())
}

/// Prefixes nest deeper than other tokens, so they count more.
const PREFIXES: [&str; 2] = ["-", "try"];
const PREFIX: usize = 4;

fn count(tokens: &[lex::Token<&str>]) -> usize {
    let inside = |token: &lex::Token<&str>| match &token.1 {
        lex::Tok::Block(tokens) => count(tokens),
        lex::Tok::Str(parts) => parts
            .iter()
            .map(|part| match part {
                lex::StrPart::Term(token) => count(std::slice::from_ref(token)),
                _ => 1,
            })
            .sum(),
        _ => 0,
    };
    let weight = |word: &str| if PREFIXES.contains(&word) { PREFIX } else { 1 };
    tokens
        .iter()
        .map(|token| weight(token.0) + inside(token))
        .sum()
}

fn unread(code: &str, errors: &[lex::Error<&str>]) -> String {
    match errors.first() {
        Some((expected, rest)) => {
            let message = format!("expected a {}", expected.as_str());
            told(&message, code, code.len() - rest.len())
        }
        None => "the filter cannot be read".to_owned(),
    }
}

fn unparsed(code: &str, errors: &[parse::TError<'_, &str>]) -> String {
    let Some((expected, found)) = errors.first() else {
        return "the filter cannot be parsed".to_owned();
    };
    let expected = match expected {
        parse::Expect::Just(word) => format!("`{word}`"),
        parse::Expect::Nothing => "the end".to_owned(),
        parse::Expect::Term => "a value or a filter".to_owned(),
        parse::Expect::Ident | parse::Expect::Arg => format!("an {}", expected.as_str()),
        other => format!("a {}", other.as_str()),
    };
    match found {
        Some(token) => {
            let word: String = excerpt(token.0).chars().take(20).collect();
            let message = format!("expected {expected}, got `{word}`");
            told(&message, code, span(code, token.0).start)
        }
        None => told(
            &format!("expected {expected}, got the end"),
            code,
            code.len(),
        ),
    }
}

/// Functions of jq that a sandbox must not have.
const OUTSIDE: [&str; 12] = [
    "input",
    "inputs",
    "env",
    "$ENV",
    "debug",
    "stderr",
    "halt",
    "halt_error",
    "input_filename",
    "input_line_number",
    "import",
    "include",
];

fn undefined(code: &str, name: &str, what: &Undefined) -> String {
    let what = match what {
        Undefined::Filter(0) => format!("no filter `{name}`"),
        Undefined::Filter(1) => format!("no filter `{name}` with 1 argument"),
        Undefined::Filter(arguments) => format!("no filter `{name}` with {arguments} arguments"),
        Undefined::Var => format!("no variable `{name}`"),
        Undefined::Label => format!("no label `{name}`"),
        Undefined::Mod => format!("no module `{name}`"),
        _ => format!("`{name}` is not known"),
    };
    let note = if OUTSIDE.contains(&name) {
        ": a script has nothing that it could reach"
    } else {
        ""
    };
    let whole = code.as_bytes().as_ptr_range();
    let message = format!("{what}{note}");
    // An undefined name in Kael's own definitions has no position in the filter.
    if whole.contains(&name.as_ptr()) {
        told(&message, code, span(code, name).start)
    } else {
        message
    }
}
