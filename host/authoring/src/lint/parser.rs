//! Reads a script once, like Lua's compiler, and collects the names that it uses and the literals
//! of its calls.
//!
//! The guest's Lua has compiled the script before, so the parser reports no errors. If it cannot
//! continue it gives up, and then no names are checked. Loops read chains of operators and calls;
//! nesting is bounded as in Lua.

mod expressions;

use super::lexer::{Lexer, Token, TokenKind};
use super::syntax_facts::{
    Arguments, Expr, Facts, Form, Local, Path, Read, Root, Table, Use, What,
};

/// Levels of nesting. Lua allows 200.
const MAX_DEPTH: usize = 220;
/// The most literals to keep. The others are checked only at run time.
const MAX_LITERALS: usize = 200_000;
/// The most names to read: each is some 250 bytes of facts.
const MAX_NAMES: usize = 200_000;
/// Keywords, which cannot be names. `global` can.
const WORDS: [&str; 22] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
    "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];
/// Binary operators. Their precedence does not matter for names.
const BINARY: [&str; 19] = [
    "+", "-", "*", "/", "//", "%", "^", "..", "==", "~=", "<", "<=", ">", ">=", "&", "|", "~",
    "<<", ">>",
];

/// Why the facts of a script are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It nests too deep, or is written in a way that the parser does not know.
    Unknown,
    /// It has more names than are read.
    TooManyNames,
}

/// Collects the facts of a script.
pub(super) fn facts(source: &str) -> Result<Facts, Unread> {
    let mut names = 0;
    match read_names(source, &mut names) {
        Some(facts) => Ok(facts),
        None if names > MAX_NAMES => Err(Unread::TooManyNames),
        None => Err(Unread::Unknown),
    }
}

/// The same where the reason does not matter.
pub(super) fn read(source: &str) -> Option<Facts> {
    read_names(source, &mut 0)
}

fn read_names(source: &str, names: &mut usize) -> Option<Facts> {
    let mut lexer = Lexer::new(source);
    let mut parser = Parser {
        token: lexer.next()?,
        ahead: lexer.next()?,
        lexer,
        facts: Facts::default(),
        scope: Vec::new(),
        depth: 0,
        literals: 0,
        names,
    };
    parser.block()?;
    matches!(parser.token.kind, TokenKind::End).then_some(parser.facts)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    ahead: Token,
    facts: Facts,
    /// Names in scope, the innermost last. A name that is declared global hides a local.
    scope: Vec<(String, Option<usize>)>,
    depth: usize,
    literals: usize,
    names: &'a mut usize,
}

impl Parser<'_> {
    fn advance(&mut self) -> Option<Token> {
        let behind = match self.ahead.kind {
            TokenKind::End => self.ahead.clone(),
            _ => self.lexer.next()?,
        };
        if matches!(behind.kind, TokenKind::Name(_)) {
            *self.names += 1;
            if *self.names > MAX_NAMES {
                return None;
            }
        }
        let ahead = std::mem::replace(&mut self.ahead, behind);
        Some(std::mem::replace(&mut self.token, ahead))
    }

    fn is(&self, word: &str) -> bool {
        match &self.token.kind {
            TokenKind::Name(name) => name == word,
            TokenKind::Sign(sign) => *sign == word,
            _ => false,
        }
    }

    fn takes(&mut self, word: &str) -> Option<bool> {
        let is = self.is(word);
        if is {
            self.advance()?;
        }
        Some(is)
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        self.takes(word)?.then_some(())
    }

    fn name(&mut self) -> Option<(String, usize)> {
        match &self.token.kind {
            TokenKind::Name(name) if !WORDS.contains(&name.as_str()) => {
                let token = self.advance()?;
                match token.kind {
                    TokenKind::Name(name) => Some((name, token.at)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn declare(&mut self, name: String, made_with: Option<Path>) -> usize {
        if name == "_ENV" {
            // From here on the names have other meanings.
            self.facts.set.insert(name.clone());
        }
        let number = self.facts.locals.len();
        self.facts.locals.push(Local {
            made_with,
            assigned: false,
        });
        self.scope.push((name, Some(number)));
        number
    }

    /// A block with a scope of its own.
    fn scoped(&mut self, end: &str) -> Option<()> {
        let outer = self.scope.len();
        self.block()?;
        self.scope.truncate(outer);
        self.expect(end)
    }

    fn block(&mut self) -> Option<()> {
        while !matches!(self.token.kind, TokenKind::End)
            && !["end", "else", "elseif", "until"]
                .iter()
                .any(|word| self.is(word))
        {
            if self.takes("return")? {
                let ends = ["end", "else", "elseif", "until", ";"]
                    .iter()
                    .any(|word| self.is(word));
                if !ends && !matches!(self.token.kind, TokenKind::End) {
                    self.expressions()?;
                }
                self.takes(";")?;
                return Some(());
            }
            self.deeper(Self::statement)?;
        }
        Some(())
    }

    fn statement(&mut self) -> Option<()> {
        let TokenKind::Name(word) = &self.token.kind else {
            return if self.takes(";")? {
                Some(())
            } else if self.takes("::")? {
                self.name()?;
                self.expect("::")
            } else {
                self.expression_statement()
            };
        };
        match word.as_str() {
            "if" => self.conditional(),
            "while" => {
                self.advance()?;
                self.condition()?;
                self.expect("do")?;
                self.scoped("end")
            }
            "do" => {
                self.advance()?;
                self.scoped("end")
            }
            "for" => self.loops(),
            "repeat" => {
                self.advance()?;
                // The condition of `until` sees the block's locals.
                let outer = self.scope.len();
                self.block()?;
                self.expect("until")?;
                self.condition()?;
                self.scope.truncate(outer);
                Some(())
            }
            "function" => self.function_statement(),
            "local" => {
                self.advance()?;
                if self.takes("function")? {
                    let (name, _) = self.name()?;
                    self.declare(name, None);
                    return self.function_body(false);
                }
                self.locals()
            }
            "global" if self.declares_globals() => {
                self.advance()?;
                self.globals()
            }
            "goto" => {
                self.advance()?;
                self.name().map(drop)
            }
            "break" => self.advance().map(drop),
            _ => self.expression_statement(),
        }
    }

    /// Whether `global` is a keyword here.
    fn declares_globals(&self) -> bool {
        match &self.ahead.kind {
            TokenKind::Name(name) => name == "function" || !WORDS.contains(&name.as_str()),
            TokenKind::Sign(sign) => matches!(*sign, "<" | "*"),
            _ => false,
        }
    }

    fn conditional(&mut self) -> Option<()> {
        self.advance()?;
        loop {
            self.condition()?;
            self.expect("then")?;
            let outer = self.scope.len();
            self.block()?;
            self.scope.truncate(outer);
            if self.takes("elseif")? {
                continue;
            }
            return if self.takes("else")? {
                self.scoped("end")
            } else {
                self.expect("end")
            };
        }
    }

    fn condition(&mut self) -> Option<()> {
        let before = self.facts.reads.len();
        let condition = self.expression()?;
        self.asks(&condition, before);
        Some(())
    }

    /// A global whose value is only tested may be missing.
    fn asks(&mut self, expr: &Expr, since: usize) {
        if let Form::Path(path) = &expr.form
            && path.keys.is_empty()
        {
            let reads = self.facts.reads[since..].iter_mut();
            reads
                .filter(|read| read.at == path.at)
                .for_each(|read| read.asked = true);
        }
    }

    fn loops(&mut self) -> Option<()> {
        self.advance()?;
        let mut names = vec![self.name()?.0];
        while self.takes(",")? {
            names.push(self.name()?.0);
        }
        if !self.takes("=")? {
            self.expect("in")?;
        }
        self.expressions()?;
        self.expect("do")?;
        let outer = self.scope.len();
        for name in names {
            self.declare(name, None);
        }
        self.block()?;
        self.scope.truncate(outer);
        self.expect("end")
    }

    fn function_statement(&mut self) -> Option<()> {
        self.advance()?;
        let (name, at) = self.name()?;
        let root = self.root(&name);
        let mut path = Path {
            root,
            at,
            keys: Vec::new(),
        };
        while self.takes(".")? {
            path.keys.push(self.name()?);
        }
        let method = self.takes(":")?;
        if method {
            path.keys.push(self.name()?);
        }
        self.assign(path, &name);
        self.function_body(method)
    }

    /// The parameters, the block, and `end`.
    fn function_body(&mut self, method: bool) -> Option<()> {
        let outer = self.scope.len();
        if method {
            self.declare("self".to_owned(), None);
        }
        self.expect("(")?;
        while !self.takes(")")? {
            if self.takes("...")? {
                // In Lua 5.5 the varargs may have a name.
                if let Some((name, _)) = self.name() {
                    self.declare(name, None);
                }
            } else {
                let (name, _) = self.name()?;
                self.declare(name, None);
            }
            self.takes(",")?;
        }
        self.block()?;
        self.scope.truncate(outer);
        self.expect("end")
    }

    fn attribute(&mut self) -> Option<()> {
        if self.takes("<")? {
            self.name()?;
            self.expect(">")?;
        }
        Some(())
    }

    /// Names, each with an optional attribute.
    fn attributed_names(&mut self) -> Option<Vec<String>> {
        let mut names = Vec::new();
        loop {
            names.push(self.name()?.0);
            self.attribute()?;
            if !self.takes(",")? {
                return Some(names);
            }
        }
    }

    fn locals(&mut self) -> Option<()> {
        self.attribute()?;
        let names = self.attributed_names()?;
        let mut values = if self.takes("=")? {
            self.expressions()?.list.into_iter()
        } else {
            Vec::new().into_iter()
        };
        for name in names {
            let made_with = match values.next().map(|value| value.form) {
                Some(Form::Path(path)) => Some(path),
                _ => None,
            };
            self.declare(name, made_with);
        }
        Some(())
    }

    fn globals(&mut self) -> Option<()> {
        if self.takes("function")? {
            let (name, _) = self.name()?;
            self.facts.set.insert(name.clone());
            self.scope.push((name, None));
            return self.function_body(false);
        }
        self.attribute()?;
        if self.takes("*")? {
            return Some(());
        }
        let names = self.attributed_names()?;
        let set = self.takes("=")?;
        if set {
            self.expressions()?;
        }
        for name in names {
            // A script that declares its globals also declares those of the sandbox.
            self.facts.set.insert(name.clone());
            self.scope.push((name, None));
        }
        Some(())
    }

    fn expression_statement(&mut self) -> Option<()> {
        let (first, name) = self.suffixed(true)?;
        if !self.is("=") && !self.is(",") {
            return Some(());
        }
        let mut targets = vec![(first, name)];
        while self.takes(",")? {
            targets.push(self.suffixed(true)?);
        }
        self.expect("=")?;
        self.expressions()?;
        for (target, name) in targets {
            if let Form::Path(path) = target.form {
                self.assign(path, &name);
            }
        }
        Some(())
    }

    fn assign(&mut self, path: Path, name: &str) {
        match (&path.root, path.keys.is_empty()) {
            (Root::Global(_), true) => _ = self.facts.set.insert(name.to_owned()),
            (Root::Local(number), true) => self.facts.locals[*number].assigned = true,
            (_, false) => self.facts.uses.push(Use {
                path,
                what: What::Set,
            }),
        }
    }

    fn root(&self, name: &str) -> Root {
        let found = self.scope.iter().rev().find(|(known, _)| known == name);
        match found {
            Some((_, Some(number))) => Root::Local(*number),
            Some((_, None)) | None => Root::Global(name.to_owned()),
        }
    }
}

pub(super) fn is_json_array(path: &Path) -> bool {
    let keys: Vec<&str> = path.keys.iter().map(|(key, _)| key.as_str()).collect();
    path.root == Root::Global("json".to_owned()) && keys == ["array"]
}

#[cfg(test)]
mod tests;
