//! Reads expressions: the names in them, their calls and their literals.

use super::*;

impl Parser<'_> {
    pub(super) fn expressions(&mut self) -> Option<Arguments> {
        let mut arguments = Arguments::default();
        loop {
            let expr = self.expression()?;
            arguments.open = matches!(expr.form, Form::Many);
            arguments.list.push(expr);
            if !self.takes(",")? {
                return Some(arguments);
            }
        }
    }

    pub(super) fn expression(&mut self) -> Option<Expr> {
        self.deeper(Self::operators)
    }

    /// Operands and the operators between them. Precedence does not matter.
    pub(super) fn operators(&mut self) -> Option<Expr> {
        let before = self.facts.reads.len();
        let mut left = self.operand()?;
        loop {
            let asks = ["and", "or", "==", "~="].iter().any(|word| self.is(word));
            let between = match &self.token.kind {
                TokenKind::Name(name) => name == "and" || name == "or",
                TokenKind::Sign(sign) => BINARY.contains(sign),
                _ => false,
            };
            if !between {
                return Some(left);
            }
            if asks {
                self.asks(&left, before);
            }
            let at = left.at;
            self.advance()?;
            let since = self.facts.reads.len();
            let right = self.operand()?;
            if asks {
                self.asks(&right, since);
            }
            left = Expr {
                at,
                form: Form::Unknown,
            };
        }
    }

    pub(super) fn operand(&mut self) -> Option<Expr> {
        let at = self.token.at;
        let mut minus = 0;
        let (mut other, mut asks) = (false, false);
        let before = self.facts.reads.len();
        loop {
            if self.takes("-")? {
                minus += 1;
            } else if self.takes("not")? {
                (other, asks) = (true, true);
            } else if self.takes("#")? || self.takes("~")? {
                other = true;
            } else {
                break;
            }
        }
        let expr = self.simple()?;
        if asks {
            self.asks(&expr, before);
        }
        let form = match (other, minus, expr.form) {
            (false, 0, form) => form,
            (false, 1, Form::Literal(value)) if value.is_number() => {
                match (value.as_i64(), value.as_f64()) {
                    (Some(whole), _) => Form::Literal(whole.wrapping_neg().into()),
                    (None, Some(number)) => Form::Literal((-number).into()),
                    (None, None) => Form::Unknown,
                }
            }
            _ => Form::Unknown,
        };
        Some(Expr { at, form })
    }

    pub(super) fn simple(&mut self) -> Option<Expr> {
        let at = self.token.at;
        let form = match &self.token.kind {
            TokenKind::Number(_) | TokenKind::String(_) => match self.advance()?.kind {
                TokenKind::Number(value) => Form::Literal(value),
                TokenKind::String(Some(text)) => Form::Literal(text.into()),
                _ => Form::Unknown,
            },
            TokenKind::Sign("...") => {
                self.advance()?;
                Form::Many
            }
            TokenKind::Sign("{") => Form::Table(self.table()?),
            TokenKind::Name(name) => match name.as_str() {
                "nil" | "true" | "false" => {
                    let form = match name.as_str() {
                        "nil" => Form::Nil,
                        word => Form::Literal((word == "true").into()),
                    };
                    self.advance()?;
                    form
                }
                "function" => {
                    self.advance()?;
                    self.function_body(false)?;
                    Form::Function
                }
                _ => return Some(self.suffixed(false)?.0),
            },
            _ => return Some(self.suffixed(false)?.0),
        };
        Some(Expr { at, form })
    }

    pub(super) fn table(&mut self) -> Option<Table> {
        self.expect("{")?;
        let mut table = Table::default();
        while !self.takes("}")? {
            let named = matches!(&self.token.kind, TokenKind::Name(_))
                && matches!(self.ahead.kind, TokenKind::Sign("="));
            let key = if named {
                let (name, at) = self.name()?;
                self.advance()?;
                Some((Some(name), at))
            } else if self.takes("[")? {
                let key = self.expression()?;
                self.expect("]")?;
                self.expect("=")?;
                let name = match key.form {
                    Form::Literal(serde_json::Value::String(text)) => Some(text),
                    _ => None,
                };
                Some((name, key.at))
            } else {
                None
            };
            let value = self.expression()?;
            self.literals += 1;
            let kept = self.literals <= MAX_LITERALS;
            match key {
                Some((Some(name), at)) if kept => table.fields.push((name, at, value)),
                None if kept => {
                    table.open |= matches!(value.form, Form::Many);
                    table.elements.push(value);
                }
                // The key is known only at run time, or there are too many keys.
                _ => table.open = true,
            }
            if !self.takes(",")? {
                self.takes(";")?;
            }
        }
        Some(table)
    }

    /// A name or an expression in parentheses, with all indexing and calls after it. Also returns
    /// the name.
    pub(super) fn suffixed(&mut self, statement: bool) -> Option<(Expr, String)> {
        let at = self.token.at;
        let mut base = String::new();
        let mut form = if self.takes("(")? {
            let inner = self.expression()?;
            self.expect(")")?;
            match inner.form {
                Form::Many => Form::Unknown,
                form => form,
            }
        } else {
            let (name, at) = self.name()?;
            let root = self.root(&name);
            base = name;
            Form::Path(Path {
                root,
                at,
                keys: Vec::new(),
            })
        };
        // Whether no use was collected for the current path yet.
        let mut fresh = !base.is_empty();
        loop {
            let place = self.token.at;
            if self.takes(".")? {
                let key = self.name()?;
                form = self.indexed(form, Some(key));
            } else if self.takes("[")? {
                let key = self.expression()?;
                self.expect("]")?;
                form = match (form, key.form) {
                    (form, Form::Literal(serde_json::Value::String(text))) => {
                        self.indexed(form, Some((text, key.at)))
                    }
                    (form, _) => {
                        self.note(&form, fresh, true);
                        self.indexed(form, None)
                    }
                };
            } else if self.takes(":")? {
                let (method, _) = self.name()?;
                self.note_root(&form, fresh, true);
                if let Form::Path(path) = form {
                    let what = What::Method(method, place);
                    self.facts.uses.push(Use { path, what });
                }
                fresh = false;
                self.arguments()?;
                form = Form::Many;
            } else if self.is("(")
                || self.is("{")
                || matches!(self.token.kind, TokenKind::String(_))
            {
                self.note_root(&form, fresh, false);
                fresh = false;
                let since = self.facts.reads.len();
                let mut arguments = self.arguments()?;
                if matches!(&form, Form::Path(path) if path.keys.is_empty() && path.root == Root::Global("type".to_owned()))
                {
                    arguments
                        .list
                        .iter()
                        .for_each(|argument| self.asks(argument, since));
                }
                form = match form {
                    Form::Path(path) if is_json_array(&path) && arguments.list.len() == 1 => {
                        match arguments.list.pop().map(|expr| expr.form) {
                            Some(Form::Table(table)) => Form::Table(Table {
                                list: true,
                                ..table
                            }),
                            _ => Form::Unknown,
                        }
                    }
                    Form::Path(path) => {
                        let what = What::Call(arguments);
                        self.facts.uses.push(Use { path, what });
                        Form::Many
                    }
                    _ => Form::Many,
                };
            } else {
                break;
            }
        }
        let target = statement && (self.is("=") || self.is(","));
        let whole = matches!(&form, Form::Path(path) if path.keys.is_empty());
        match target {
            // An assignment does not read its target. `a.b = 1` reads `a`.
            true if whole => {}
            true => self.note_root(&form, fresh, true),
            false => self.note(&form, fresh, !whole),
        }
        Some((Expr { at, form }, base))
    }

    pub(super) fn indexed(&mut self, form: Form, key: Option<(String, usize)>) -> Form {
        match (form, key) {
            (Form::Path(mut path), Some(key)) => {
                path.keys.push(key);
                Form::Path(path)
            }
            _ => Form::Unknown,
        }
    }

    /// Records a read of the value at a path.
    pub(super) fn note(&mut self, form: &Form, fresh: bool, indexed: bool) {
        self.note_root(form, fresh, indexed);
        if let (Form::Path(path), true) = (form, fresh) {
            let path = path.clone();
            self.facts.uses.push(Use {
                path,
                what: What::Read,
            });
        }
    }

    /// Records a read of the name at the start of a path.
    pub(super) fn note_root(&mut self, form: &Form, fresh: bool, indexed: bool) {
        if let (Form::Path(path), true) = (form, fresh)
            && let Root::Global(name) = &path.root
        {
            self.facts.reads.push(Read {
                name: name.clone(),
                at: path.at,
                asked: false,
                indexed: indexed || !path.keys.is_empty(),
            });
        }
    }

    pub(super) fn arguments(&mut self) -> Option<Arguments> {
        let at = self.token.at;
        let one = |form| Arguments {
            list: vec![Expr { at, form }],
            open: false,
        };
        if let TokenKind::String(text) = &self.token.kind {
            let form = text
                .clone()
                .map_or(Form::Unknown, |text| Form::Literal(text.into()));
            self.advance()?;
            return Some(one(form));
        }
        if self.is("{") {
            let table = self.table()?;
            return Some(one(Form::Table(table)));
        }
        self.expect("(")?;
        if self.takes(")")? {
            return Some(Arguments::default());
        }
        let arguments = self.expressions()?;
        self.expect(")")?;
        Some(arguments)
    }
}
