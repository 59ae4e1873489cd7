//! Sessions: a state that is kept, chunks that are incomplete, names to complete them with,
//! interruptions.

use super::{REPO, fresh, image, module};
use crate::bindings::exports::kael::engine::runtime::{Chunk, ChunkEnd, ChunkUse, Repo};
use crate::session;
use crate::vm::Vm;

fn chunk(source: &str, use_as: ChunkUse) -> Chunk {
    Chunk {
        name: "in".into(),
        line: 3,
        source: source.into(),
        use_as,
    }
}

fn opened(interruptible: bool) -> (Vm, impl Fn() -> String) {
    let (vm, printed) = fresh();
    session::open(
        &vm,
        Some(Repo::Modules(vec![module("init", "init.lua", REPO)])),
        interruptible,
    )
    .expect("the repo is sound");
    (vm, move || std::mem::take(&mut *printed.borrow_mut()))
}

/// What it printed, or the error.
fn typed(vm: &Vm, printed: &impl Fn() -> String, source: &str) -> String {
    match session::evaluate(vm, &chunk(source, ChunkUse::Input)) {
        Ok(ChunkEnd::Done) => printed(),
        Ok(ChunkEnd::Incomplete) => "incomplete".to_owned(),
        Err(error) => format!("{}{}", printed(), error.message),
    }
}

#[test]
fn a_session_begins_with_an_image_as_with_the_repo() {
    let image = image(&[module("init", "init.lua", REPO)]);
    let image = image.expect("it loads").expect("it has one");
    let (vm, printed) = fresh();
    session::open(&vm, Some(Repo::Image(image)), true).expect("the repo is sound");
    let says = |source: &str| typed(&vm, &|| std::mem::take(&mut *printed.borrow_mut()), source);
    assert_eq!(says("actions.t.echo { x = 1 }.x"), "1\n");
    assert!(session::complete(&vm, "actions.t.e").contains(&"echo".to_owned()));
}

#[test]
fn values_are_printed_and_variables_kept() {
    let (vm, printed) = opened(true);
    let says = |source: &str| typed(&vm, &printed, source);
    assert_eq!(says("x = { 1, a = 'b' }"), "");
    assert_eq!(says("x, nil"), "{ 1, a = \"b\" }\tnil\n");
    assert_eq!(says("print(#x)"), "1\n");
    assert_eq!(says("actions.t.echo({ y = x.a }).y"), "\"b\"\n");
    assert_eq!(
        says("x.y.z"),
        "in:3: attempt to index a nil value (field 'y')"
    );
    assert_eq!(says("x.a"), "\"b\"\n");
    assert_eq!(says("-- nothing"), "");
    assert_eq!(says("return 1, 2"), "1\t2\n");
}

#[test]
fn the_beginning_of_a_chunk_is_no_error() {
    let (vm, printed) = opened(false);
    for source in [
        "for i = 1, 2 do",
        "f(",
        "1 +",
        "x =",
        "local",
        "[[a\n",
        "function f()\n  return 1",
        "if x then",
        "--[[",
    ] {
        assert_eq!(typed(&vm, &printed, source), "incomplete", "{source}");
        let checked = session::evaluate(&vm, &chunk(source, ChunkUse::Check));
        assert_eq!(checked.ok(), Some(ChunkEnd::Incomplete));
        assert!(session::evaluate(&vm, &chunk(source, ChunkUse::File)).is_err());
    }
    for source in ["x = = 1", "'abc", "1 1", "end", "for 1", "x y"] {
        assert_ne!(typed(&vm, &printed, source), "incomplete", "{source}");
    }
}

#[test]
fn nothing_keeps_an_interruption() {
    let (vm, printed) = opened(true);
    let loops = [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "parallel(function() while true do end end, function() actions.t.sleep { ms = 1 } end)",
        "setmetatable({}, { __index = function(t, k) while true do end end }).x",
    ];
    for source in loops {
        assert_eq!(typed(&vm, &printed, source), "interrupted", "{source}");
    }
    // The state is sound: branches still wait for each other.
    assert_eq!(
        typed(
            &vm,
            &printed,
            "parallel(function() return actions.t.echo({}) end, function() return 2 end)"
        ),
        "{}\t2\n"
    );
}

#[test]
fn names_are_completed_without_running_anything() {
    let (vm, printed) = opened(false);
    typed(
        &vm,
        &printed,
        "cost = { day = { total = 1, tags = {} }, name = 'x', f = print }
         setmetatable(cost, { __index = { deep = 1 }, __pairs = error, __name = 'c' })
         trap = setmetatable({}, { __index = error })",
    );
    let complete = |line: &str| session::complete(&vm, line).join(" ");
    assert_eq!(complete("x = cost."), "day deep f name");
    assert_eq!(complete("print(cost.day.t"), "tags total");
    assert_eq!(complete("cost.name:up"), "upper");
    assert_eq!(complete("cost:"), "f");
    assert_eq!(complete("actions."), "has t");
    assert_eq!(complete("actions.t.s"), "sleep");
    assert_eq!(complete("actions.none.s"), "");
    assert_eq!(complete("wh"), "while");
    assert_eq!(complete("pa"), "package pairs parallel");
    assert_eq!(complete("trap.x.y"), "");
    assert_eq!(complete("f().x"), "");
    assert_eq!(complete("1.x"), "");
    assert!(complete("").contains("cost"));
}
