//! The definitions that filters use, and the bound on a filter's recursion.
//!
//! jaq evaluates recursively on the guest's stack. A filter recurses without end through a
//! definition that calls itself, or through the update of a `reduce` or `foreach`; paths of updates
//! nest deepest. Each of these begins with a native that checks the remaining stack, and raises an
//! error if there is little. So the stack never overflows.

use std::cell::Cell;

use jaq_core::box_iter::box_once;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::load::{self, lex::StrPart};
use jaq_core::native::{Fun, v};
use jaq_core::path::Part;
use jaq_core::{Error, Exn, Native, ValX};

use super::Data;
use super::value::{self, Val};

/// Bytes of the stack that a filter may use, of one mebibyte. Unoptimised builds have larger
/// frames.
const MAX_STACK: usize = if cfg!(debug_assertions) {
    1 << 20
} else {
    192 << 10
};

/// The native's name, which no filter can write.
const GUARD: &str = "!guard";

thread_local! {
    /// The stack address at which the filter began.
    static BASE: Cell<usize> = const { Cell::new(0) };
}

/// Exists while a filter is evaluated. A finaliser may evaluate another filter meanwhile.
pub(super) struct StackGuard {
    outer: usize,
}

impl StackGuard {
    pub(super) fn enter() -> Self {
        value::take_too_deep();
        Self {
            outer: BASE.replace(here()),
        }
    }

    /// Checks an output for an overflow of the nesting. None if evaluation must end.
    pub(super) fn check(&self, output: ValX<'_, Val>) -> Result<Option<Val>, String> {
        if value::take_too_deep() {
            return Err(too_deep());
        }
        output.map(Some).map_err(value::failure)
    }
}

impl Drop for StackGuard {
    fn drop(&mut self) {
        BASE.set(self.outer);
    }
}

/// The address of the current stack frame.
#[inline(never)]
fn here() -> usize {
    let local = 0_u8;
    std::hint::black_box(&raw const local).addr()
}

fn too_deep() -> String {
    format!("a value nests deeper than {}", crate::convert::MAX_DEPTH)
}

fn guarded() -> Result<(), Error<Val>> {
    if value::is_too_deep() {
        return Err(Error::str(too_deep()));
    }
    if BASE.get().abs_diff(here()) > MAX_STACK {
        return Err(Error::str(
            "the filter recurses too deep: a definition or an update nests without end",
        ));
    }
    Ok(())
}

/// The native that checks the stack.
pub(super) fn guard() -> Fun<Data> {
    let native = Native::new(|cv| box_once(guarded().map(|()| cv.1).map_err(Exn::from)))
        .with_paths(|cv| box_once(guarded().map(|()| cv.1).map_err(Exn::from)))
        .with_update(|cv, f| match guarded() {
            Ok(()) => f(cv.1),
            Err(error) => box_once(Err(error.into())),
        });
    (GUARD, v(0), native)
}

/// jaq's definitions that a sandbox must not have, or that are natives here.
const WITHOUT: [&str; 14] = [
    "@htmld",
    "debug",
    "drem",
    "gamma",
    "halt",
    "halt_error",
    "infinite",
    "logb",
    "nan",
    "nexttoward",
    "pow10",
    "scalb",
    "significand",
    "stderr",
];

/// All definitions. Those that can recurse begin with the guard.
pub(super) fn all() -> impl Iterator<Item = Def<&'static str>> {
    let own = load::parse(include_str!("defs.jq"), |parser| parser.defs());
    jaq_core::defs()
        .chain(jaq_std::defs().filter(|def| !WITHOUT.contains(&def.name)))
        .chain(own.unwrap_or_default())
        .map(|mut def| {
            define(&mut def);
            def
        })
}

fn define(def: &mut Def<&str>) {
    visit(&mut def.body);
    if uses(&def.body, def.name) {
        put_guard(&mut def.body);
    }
}

fn put_guard(body: &mut Term<&str>) {
    let inner = Box::new(std::mem::take(body));
    let guard = Box::new(Term::Call(GUARD, Vec::new()));
    // The body comes last in the pipe, so that a tail call still does not grow the stack.
    *body = Term::BinOp(guard, BinaryOp::Pipe(None), inner);
}

/// Adds guards to everything in a term.
pub(super) fn visit(term: &mut Term<&str>) {
    match term {
        Term::Fold(_, _, _, arguments) => {
            if let Some(update) = arguments.get_mut(1) {
                put_guard(update);
            }
        }
        Term::Def(defs, _) => defs.iter_mut().for_each(|def| {
            if uses(&def.body, def.name) {
                put_guard(&mut def.body);
            }
        }),
        Term::BinOp(
            paths,
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt,
            _,
        ) => put_guards(paths),
        _ => {}
    }
    children(term, &mut |child| visit(child));
}

/// An update evaluates the pipes in its paths as nested closures. Each of them gets a guard, too.
fn put_guards(paths: &mut Term<&str>) {
    children(paths, &mut |child| put_guards(child));
    if let Term::BinOp(_, BinaryOp::Pipe(_), right) = paths {
        put_guard(right);
    }
}

/// Whether a term calls a filter of this name.
fn uses(term: &Term<&str>, name: &str) -> bool {
    let mut found = matches!(term, Term::Call(called, _) if *called == name);
    if !found {
        // The walk needs mutable access, so it walks a copy. Terms are small.
        children(&mut term.clone(), &mut |child| {
            found = found || uses(child, name);
        });
    }
    found
}

/// The parts of a term.
fn children<'s>(term: &mut Term<&'s str>, see: &mut dyn FnMut(&mut Term<&'s str>)) {
    fn pattern<'s>(this: &mut Pattern<&'s str>, see: &mut dyn FnMut(&mut Term<&'s str>)) {
        match this {
            Pattern::Var(_) => {}
            Pattern::Arr(parts) => parts.iter_mut().for_each(|part| pattern(part, see)),
            Pattern::Obj(parts) => parts.iter_mut().for_each(|(key, part)| {
                see(key);
                pattern(part, see);
            }),
        }
    }
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => {}
        Term::Str(_, parts) => parts.iter_mut().for_each(|part| {
            if let StrPart::Term(term) = part {
                see(term);
            }
        }),
        Term::Arr(inner) => inner.iter_mut().for_each(|inner| see(inner)),
        Term::Obj(entries) => entries.iter_mut().for_each(|(key, value)| {
            see(key);
            value.iter_mut().for_each(&mut *see);
        }),
        Term::Neg(inner) | Term::Label(_, inner) => see(inner),
        Term::BinOp(left, op, right) => {
            see(left);
            if let BinaryOp::Pipe(Some(this)) = op {
                pattern(this, see);
            }
            see(right);
        }
        Term::Fold(_, over, this, arguments) => {
            see(over);
            pattern(this, see);
            arguments.iter_mut().for_each(see);
        }
        Term::TryCatch(inner, catch) => {
            see(inner);
            catch.iter_mut().for_each(|catch| see(catch));
        }
        Term::IfThenElse(branches, otherwise) => {
            branches.iter_mut().for_each(|(test, then)| {
                see(test);
                see(then);
            });
            otherwise.iter_mut().for_each(|otherwise| see(otherwise));
        }
        Term::Def(defs, inner) => {
            defs.iter_mut().for_each(|def| see(&mut def.body));
            see(inner);
        }
        Term::Call(_, arguments) => arguments.iter_mut().for_each(see),
        Term::Path(inner, path) => {
            see(inner);
            path.0.iter_mut().for_each(|(part, _)| match part {
                Part::Index(index) => see(index),
                Part::Range(from, to) => from.iter_mut().chain(to).for_each(&mut *see),
            });
        }
    }
}
