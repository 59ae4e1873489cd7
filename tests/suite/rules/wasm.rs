//! Predicates of WebAssembly: they mean what those in Lua mean, and reach nothing else.

use super::{EVENTS, NAMED_NC, Rules as _, alerts, lines, manifest, run, session};
use kael_tests::Kael;

/// All that a predicate may import, a memory, and what is behind them.
fn module(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
  (import "kestrel" "event_get_i64" (func $i64 (param i32 i32) (result i64)))
  (import "kestrel" "event_get_u64" (func $u64 (param i32 i32) (result i64)))
  (import "kestrel" "event_get_bool" (func $bool (param i32 i32) (result i32)))
  (import "kestrel" "event_get_str" (func $str (param i32 i32 i32 i32) (result i32)))
  (import "kestrel" "event_has" (func $has (param i32 i32) (result i32)))
  (import "kestrel" "re_match" (func $re (param i32 i32 i32) (result i32)))
  (import "kestrel" "glob_match" (func $glob (param i32 i32 i32) (result i32)))
  (import "kestrel" "alert_emit" (func $emit (param i32) (result i32)))
  (import "kestrel" "capture_field" (func $capture (param i32) (result i32)))
  (memory (export "memory") 1)
  {body})"#
    );
    wat::parse_str(&text).expect(&text)
}

/// A session with a predicate of WebAssembly.
fn rule(kael: Kael, id: &str, more: &str, wasm: &[u8]) -> Kael {
    kael.file(&format!("rules/{id}/manifest.json"), manifest(id, more))
        .file(&format!("rules/{id}/rule.wasm"), wasm)
}

/// The same as `NAMED_NC`, by a pattern.
const NC: &str = r#"
  (func (export "pred_init") (result i32) i32.const 0)
  (func (export "pred_eval") (param i32) (result i32)
    (call $re (i32.const 1) (i32.const 8)
      (call $str (local.get 0) (i32.const 2) (i32.const 8) (i32.const 1024))))
  (func (export "pred_capture") (param i32) (result i32)
    (drop (call $capture (i32.const 1)))
    (if (i32.ne (call $capture (i32.const 77)) (i32.const -2)) (then unreachable))
    (i32.const 0))"#;

#[test]
fn a_predicate_reads_its_event_and_names_its_captures() {
    let patterns = r#","patterns":{"regexes":["nc"]}"#;
    let ran = run(rule(session(), "nc", patterns, &module(NC)), EVENTS);
    ran.exits(0);
    assert_eq!(lines(&ran), ["nc 2", "nc 5"]);
    let captures = alerts(&ran)[0]["context"]["captures"].clone();
    assert_eq!(captures, serde_json::json!({ "process.pid": 17790 }));
    ran.says("nc: 3 evaluations, 2 matches, 2 alerts, 0 errors");
}

#[test]
fn captures_can_be_a_text_and_an_event_can_be_emitted() {
    let body = r#"
  (data (i32.const 64) "\07\00\00\00{\22a\22:1}")
  (func (export "pred_eval") (param i32 i32) (result i32)
    (if (i64.eq (call $i64 (local.get 1) (i32.const 1)) (i64.const 3))
      (then (drop (call $emit (i32.const 0)))))
    (i32.const 0))
  (func (export "pred_capture") (param i32) (result i32)
    (drop (call $capture (i32.const 2)))
    (i32.const 64))"#;
    let ran = run(rule(session(), "nc", "", &module(body)), EVENTS);
    ran.exits(0);
    assert_eq!(lines(&ran), ["nc 5"]);
    let context = alerts(&ran)[0]["context"].clone();
    assert_eq!(context["emitted"], true);
    assert_eq!(
        context["captures"],
        serde_json::json!({ "a": 1, "process.name": "ncat" })
    );
}

/// One predicate in both languages: which of the values `big` and `process.pid` is it?
#[test]
fn both_languages_must_say_the_same_of_every_line() {
    let lua = "
function pred_eval(e)
  if not kestrel.event_has(e, 4) then return kestrel.event_get_bool(e, 1) end
  return kestrel.event_get_i64(e, 4) == math.maxinteger and math.ult(math.maxinteger, kestrel.event_get_u64(e, 4))
    or kestrel.glob_match(1, kestrel.event_get_str(e, 2))
end
function pred_capture(e) return { ['process.pid'] = kestrel.event_get(e, 1) } end";
    let wasm = r#"
  (func (export "pred_eval") (param $e i32) (result i32)
    (if (i32.eqz (call $has (local.get $e) (i32.const 4)))
      (then (return (call $bool (local.get $e) (i32.const 1)))))
    (i32.or
      (i32.and
        (i64.eq (call $i64 (local.get $e) (i32.const 4)) (i64.const 0x7fffffffffffffff))
        (i64.gt_u (call $u64 (local.get $e) (i32.const 4)) (i64.const 0x7fffffffffffffff)))
      (call $glob (i32.const 1) (i32.const 0)
        (call $str (local.get $e) (i32.const 2) (i32.const 0) (i32.const 64)))))
  (func (export "pred_capture") (param i32) (result i32)
    (drop (call $capture (i32.const 1))) (i32.const 0))"#;
    let events = r#"{"process.pid":0}
{"process.pid":7,"_expect":{"process.pid":7}}
{"big":18446744073709551615,"_expect":true}
{"big":9223372036854775807}
{"big":5,"process.name":"a/nc","_expect":true}
{"big":5,"process.name":"ncat"}
{"big":5,"process.name":7}
"#;
    let tested = |lua: &str| {
        let more = r#","runtime":"lua","patterns":{"globs":["*nc"]}"#;
        rule(session(), "a", more, &module(wasm))
            .file("rules/a/predicate.lua", lua)
            .file("rules/a/tests/a.jsonl", events)
            .words(&["rules", "test", "rules", "--both"])
            .ends()
    };
    tested(lua)
        .exits(0)
        .prints("ok rules/a/tests/a.jsonl (7 events)\n1 of 1 files pass\n");
    let other = lua.replace("['process.pid']", "pid");
    let ran = tested(&other);
    ran.exits(1);
    assert!(
        ran.stdout.contains(
            "a.jsonl:2: lua says an alert with {\"pid\":7}, wasm says an alert with {\"process.pid\":7}"
        ),
        "{}",
        ran.stdout
    );
}

#[test]
fn no_hostile_module_gets_anywhere() {
    let eval = |body: &str| {
        format!(r#"(func (export "pred_eval") (param i32) (result i32) {body} (i32.const 1))"#)
    };
    for (name, body, said) in [
        (
            "a loop",
            eval("(loop (br 0))"),
            "an evaluation takes more than 1000000 steps",
        ),
        (
            "searches without end",
            eval("(loop (drop (call $re (i32.const 1) (i32.const 0) (i32.const 65536))) (br 0))"),
            "an evaluation takes more than 1000000 steps",
        ),
        (
            "a stack",
            format!("(func $r (call $r)) {}", eval("(call $r)")),
            "an evaluation trapped: wasm trap: call stack exhausted",
        ),
        (
            "a pointer",
            eval("(drop (call $str (i32.const 0) (i32.const 2) (i32.const -1) (i32.const -1)))"),
            "an evaluation trapped: 4294967295 bytes at 4294967295 are outside of its memory",
        ),
        (
            "a pattern that is none",
            eval("(drop (call $re (i32.const 2) (i32.const 0) (i32.const 0)))"),
            "an evaluation trapped: there is no regex 2 (the rule has 1)",
        ),
        (
            "a handle of another event",
            eval("(drop (call $has (i32.const 99) (i32.const 2)))"),
            "an evaluation trapped: stale event",
        ),
        (
            "a capture out of place",
            eval("(drop (call $capture (i32.const 2)))"),
            "an evaluation trapped: capture_field is for pred_capture alone",
        ),
    ] {
        let patterns = r#","patterns":{"regexes":["x"]}"#;
        let ran = run(
            rule(session(), "hostile", patterns, &module(&body)).rule("nc", "", NAMED_NC),
            EVENTS,
        );
        ran.exits(5).no_panic();
        ran.says(&format!(
            "hostile: event 1 is skipped, and its state is lost: {said}"
        ));
        assert_eq!(lines(&ran), ["nc 2", "nc 5"], "{name}: {}", ran.stderr);
    }
    // Without a place for the text, its length alone is told.
    let length = r#"(func (export "pred_eval") (param i32) (result i32)
      (i32.eq (i32.const 4) (call $str (local.get 0) (i32.const 2) (i32.const -1) (i32.const 0))))"#;
    let ran = run(rule(session(), "length", "", &module(length)), EVENTS);
    ran.exits(0);
    assert_eq!(lines(&ran), ["length 5"], "the name `ncat` alone has four");
    // Less than zero is an error of the predicate.
    let failed = r#"(func (export "pred_eval") (param i32) (result i32) (i32.const -1))"#;
    let ran = run(rule(session(), "failed", "", &module(failed)), EVENTS);
    ran.exits(0)
        .says("failed: 3 evaluations, 0 matches, 0 alerts, 3 errors");
    // Memory that it is not given is no error; the host lives.
    let grows = eval("(drop (memory.grow (i32.const 65000)))");
    let ran = run(rule(session(), "grows", "", &module(&grows)), EVENTS);
    ran.exits(0);
    assert_eq!(lines(&ran).len(), 3);
    // A failed capture costs no alert.
    let capture = format!(
        r#"{} (func (export "pred_capture") (param i32) (result i32) (i32.const 65534))"#,
        eval("")
    );
    let ran = run(rule(session(), "capture", "", &module(&capture)), EVENTS);
    let error = alerts(&ran)[0]["context"]["capture_error"].clone();
    assert_eq!(
        error,
        "pred_capture trapped: pred_capture returned an address outside of its memory"
    );
}

#[test]
fn what_a_module_may_not_be_is_refused_when_it_is_loaded() {
    let eval = r#"(func (export "pred_eval") (param i32) (result i32) (i32.const 0))"#;
    for (text, said) in [
        (
            r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#.to_owned(),
            "it imports `wasi_snapshot_preview1.fd_write` (there are, of `kestrel`: alert_emit, capture_field,",
        ),
        (
            r#"(module (import "kestrel" "event_get_str" (func (param i32 i32 i32) (result i32))))"#.to_owned(),
            "it imports `kestrel.event_get_str` as (i32 i32 i32) -> i32, and that is (i32 i32 i32 i32) -> i32",
        ),
        ("(module)".to_owned(), "it exports no function pred_eval"),
        (
            r#"(module (func (export "pred_eval") (result i32) (i32.const 0)))"#.to_owned(),
            "pred_eval must be (i32) -> i32",
        ),
        (
            format!(r#"(module {eval} (func (export "pred_init") (result i32) (i32.const 3)))"#),
            "pred_init returned 3 (0 is success)",
        ),
        (
            format!("(module {eval} (func $s (loop (br 0))) (start $s))"),
            "loading it computes for more than 1000 ms",
        ),
        (
            format!("(module {eval} (memory 1000))"),
            "loading it needs more memory than 16 MiB",
        ),
        (
            format!("(module {eval} (memory 200) (memory 200))"),
            "loading it needs more memory than 16 MiB",
        ),
        (format!("(module {eval} (table 10000000 funcref))"), "table"),
        (
            format!(
                r#"(module (import "kestrel" "event_has" (func $has (param i32 i32) (result i32))) {eval}
                (func $s (drop (call $has (i32.const 0) (i32.const 1)))) (start $s))"#
            ),
            "there is no event yet: only pred_eval and pred_capture have one",
        ),
        (
            format!(
                r#"(module (import "kestrel" "event_has" (func $has (param i32 i32) (result i32))) {eval}
                (func (export "pred_init") (result i32) (call $has (i32.const 0) (i32.const 1))))"#
            ),
            "there is no event yet: only pred_eval and pred_capture have one",
        ),
        ("(component)".to_owned(), "is a component, and a predicate is a core module"),
    ] {
        let wasm = wat::parse_str(&text).expect(&text);
        let ran = run(rule(session(), "a", "", &wasm), EVENTS);
        ran.exits(3).no_panic();
        assert!(
            ran.unquoted().contains(said) || ran.stderr.contains(said),
            "{text}\n{}",
            ran.stderr
        );
    }
    let ran = run(rule(session(), "a", "", b"\0asm"), EVENTS);
    ran.exits(3).says("is no module of WebAssembly");
}
