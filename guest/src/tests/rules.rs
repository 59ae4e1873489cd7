//! Rules: events in, verdicts out, in a state that is kept.

use super::fresh;
use crate::bindings::exports::kael::engine::rules::{Field, Rule};
use crate::rules;
use crate::vm::Vm;

enum Is<'a> {
    I64(i64),
    U64(u64),
    Bool(bool),
    F64(f64),
    Text(&'a str),
    List(&'a str),
    Absent,
}

/// A batch as the host writes it: each event has these values in its slots.
fn batch(events: &[&[Is<'_>]]) -> Vec<u8> {
    let mut out = (events.len() as u64).to_le_bytes().to_vec();
    for (number, slots) in events.iter().enumerate() {
        let (mut index, mut fields) = (Vec::new(), Vec::new());
        let mut texts: Vec<u8> = Vec::new();
        let present = slots.iter().filter(|is| !matches!(is, Is::Absent)).count();
        let texts_at = 32 + (2 * slots.len()).next_multiple_of(8) + 16 * present;
        let mut count = 0u16;
        for is in *slots {
            let mut text = |text: &str| {
                let at = texts_at + texts.len();
                texts.extend(text.as_bytes());
                (text.len() as u32, at as u64)
            };
            let (tag, (length, bits)) = match is {
                Is::Absent => {
                    index.extend(0u16.to_le_bytes());
                    continue;
                }
                Is::I64(value) => (1u32, (0, value.cast_unsigned())),
                Is::U64(value) => (2, (0, *value)),
                Is::Bool(value) => (3, (0, u64::from(*value))),
                Is::F64(value) => (4, (0, value.to_bits())),
                Is::Text(value) => (5, text(value)),
                Is::List(value) => (7, text(value)),
            };
            count += 1;
            index.extend(count.to_le_bytes());
            fields.extend(tag.to_le_bytes());
            fields.extend(length.to_le_bytes());
            fields.extend(bits.to_le_bytes());
        }
        index.resize(index.len().next_multiple_of(8), 0);
        let length = (32 + index.len() + fields.len() + texts.len()).next_multiple_of(8);
        let start = out.len();
        out.extend((length as u32).to_le_bytes());
        out.extend(1001u32.to_le_bytes());
        out.extend((number as u64 + 1).to_le_bytes());
        out.extend(1_652_292_622_003_000_000u64.to_le_bytes());
        out.extend((slots.len() as u16).to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend([0; 4]);
        out.extend(index);
        out.extend(fields);
        out.extend(texts);
        out.resize(start + length, 0);
    }
    out
}

fn rule(source: &str) -> Rule {
    let field = |(at, path): (usize, &str)| Field {
        id: at as u32 + 1,
        path: path.to_owned(),
    };
    Rule {
        name: "predicate.lua".into(),
        source: source.into(),
        seed: 7,
        functions: vec!["pred_eval".into()],
        capture_after: 0,
        fields: ["pid", "name", "list"]
            .into_iter()
            .enumerate()
            .map(field)
            .collect(),
        regexes: vec![r"\bnc\b".into()],
        globs: vec!["*.exe".into()],
    }
}

fn opened(rule: Rule) -> Result<Vm, String> {
    let (vm, _) = fresh();
    match rules::open(&vm, rule) {
        Ok(_) => Ok(vm),
        Err(error) => Err(error.message),
    }
}

/// The verdicts, and the texts as `event/kind: text`.
fn verdicts(vm: &Vm, events: &[&[Is<'_>]]) -> (Vec<u8>, Vec<String>) {
    let answer = rules::evaluate(vm, batch(events));
    let u32_at =
        |at: usize| u32::from_le_bytes(*answer[at..].first_chunk().expect("a number")) as usize;
    let end = 16 + u32_at(0) * u32_at(4);
    let (mut at, mut texts) = (end, Vec::new());
    while at < answer.len() {
        let length = u32_at(at + 8);
        let text = String::from_utf8_lossy(&answer[at + 12..at + 12 + length]);
        texts.push(format!("{}/{}: {text}", u32_at(at), u32_at(at + 4)));
        at += 12 + length;
    }
    (answer[16..end].to_vec(), texts)
}

/// What a predicate's one expression is for an event.
fn value_of(expression: &str, event: &[Is<'_>]) -> String {
    let source = format!(
        "function pred_eval(e) return true end\n\
         function pred_capture(e) return {{ v = tostring({expression}) }} end"
    );
    let vm = opened(rule(&source)).expect("it opens");
    let (_, texts) = verdicts(&vm, &[event]);
    texts.join("; ")
}

#[test]
fn values_are_those_of_the_table() {
    let big = [Is::U64(u64::MAX), Is::Text("a\0b"), Is::List("[1,2]")];
    for (expression, expected) in [
        ("kestrel.event_get_i64(e, 1)", i64::MAX.to_string()),
        ("kestrel.event_get_u64(e, 1)", "-1".into()),
        ("kestrel.event_get_bool(e, 1)", "true".into()),
        ("#kestrel.event_get_str(e, 2)", "3".into()),
        ("kestrel.event_get_i64(0, 2)", "0".into()),
        ("kestrel.event_get_str(e, 3)", String::new()),
        ("kestrel.event_get(e, 3)[2]", "2".into()),
        ("kestrel.event_has(e, 99)", "false".into()),
        ("kestrel.event_get(e, 99)", "nil".into()),
        ("kestrel.field('name')", "2".into()),
        ("os.time()", "1652292622".into()),
        ("os.date('!%Y')", "2022".into()),
    ] {
        let expected = format!("0/1: {{\"v\":\"{expected}\"}}");
        assert_eq!(value_of(expression, &big), expected, "{expression}");
    }
    let small = [Is::I64(-5), Is::Bool(true), Is::F64(1.5)];
    for (expression, expected) in [
        ("kestrel.event_get_u64(e, 1)", "0"),
        ("kestrel.event_get_i64(e, 2)", "1"),
        ("kestrel.event_get_i64(e, 3)", "0"),
        ("kestrel.event_get_bool(e, 3)", "false"),
        ("kestrel.event_get(e, 3)", "1.5"),
    ] {
        let expected = format!("0/1: {{\"v\":\"{expected}\"}}");
        assert_eq!(value_of(expression, &small), expected, "{expression}");
    }
}

#[test]
fn patterns_match_by_their_numbers() {
    let vm = opened(rule(
        "function pred_eval(e)
           local name = kestrel.event_get_str(e, 2)
           return kestrel.re_match(1, name) or kestrel.glob_match(1, name)
         end",
    ))
    .expect("it opens");
    let events: [&[Is<'_>]; 3] = [
        &[Is::Absent, Is::Text("x nc -l")],
        &[Is::Absent, Is::Text("sync")],
        &[Is::Absent, Is::Text("a.exe")],
    ];
    assert_eq!(verdicts(&vm, &events), (vec![1, 0, 1], vec![]));
}

#[test]
fn state_is_kept_from_event_to_event_and_batch_to_batch() {
    let vm = opened(rule(
        "local seen = 0
         function pred_eval(e) seen = seen + 1 return seen % 2 == 0 and seen or 0 end",
    ))
    .expect("it opens");
    let event: &[Is<'_>] = &[];
    assert_eq!(verdicts(&vm, &[event, event, event]).0, [0, 1, 0]);
    assert_eq!(verdicts(&vm, &[event, event]).0, [1, 0]);
}

#[test]
fn an_error_is_no_match_and_the_next_event_is_evaluated() {
    let vm = opened(rule(
        "kept = nil
         function pred_eval(e)
           local pid = kestrel.event_get_i64(e, 1)
           if pid == 1 then kept = e end
           if pid == 2 then return kestrel.event_get_i64(kept, 1) end
           if pid == 3 then kestrel.alert_emit(e) error({}) end
           if pid == 4 then return 'yes' end
           if pid == 5 then return -1 end
           if pid == 6 then return kestrel.re_match(9, '') end
           if pid == 7 then coroutine.yield() end
           return pid == 8
         end",
    ))
    .expect("it opens");
    let events: Vec<[Is<'_>; 1]> = (1..=8).map(|pid| [Is::I64(pid)]).collect();
    let events: Vec<&[Is<'_>]> = events.iter().map(<[_; 1]>::as_slice).collect();
    let (verdicts, texts) = verdicts(&vm, &events);
    assert_eq!(verdicts, [0, 2, 6, 2, 2, 2, 2, 1]);
    assert_eq!(
        texts
            .iter()
            .map(|text| text.lines().next().unwrap_or_default())
            .collect::<Vec<_>>(),
        [
            "1/3: predicate.lua:5: stale event",
            "2/3: (error object is a table value)",
            "3/3: pred_eval must return true, false, nil or a number, got string",
            "4/3: pred_eval returned -1, which is an error",
            "5/3: predicate.lua:9: there is no regex 9 (the rule has 1)",
            "6/3: attempt to yield from outside a coroutine",
        ]
    );
}

#[test]
fn captures_are_an_object() {
    let capture = |body: &str| {
        let source = format!(
            "function pred_eval(e) kestrel.alert_emit(e) kestrel.alert_emit(0) end\n\
             function pred_capture(e) {body} end"
        );
        let vm = opened(rule(&source)).expect("it opens");
        let (all, texts) = verdicts(&vm, &[&[Is::I64(3)]]);
        assert_eq!(all, [4]);
        texts.concat()
    };
    assert_eq!(
        capture("return { pid = kestrel.event_get_i64(e, 1) }"),
        "0/1: {\"pid\":3}"
    );
    assert_eq!(capture("return {}"), "0/1: {}");
    assert_eq!(
        capture("return { 1 }"),
        "0/2: the keys of the captures must be strings"
    );
    assert_eq!(
        capture("return 5"),
        "0/2: pred_capture must return a table, got number"
    );
    assert!(capture("return { x = 0/0 }").starts_with("0/2: the captures are not JSON"));
    assert!(capture("return { x = ('a'):rep(70000) }").contains("(allowed: 65536)"));
    assert!(capture("error('no')").starts_with("0/2: predicate.lua:2: no"));
}

#[test]
fn several_functions_have_a_verdict_each() {
    let mut steps = rule(
        "function first(e) return kestrel.event_get_i64(e, 1) == 1 end
         function second(e) if kestrel.event_get_i64(e, 1) == 3 then error('three') end return 1 end",
    );
    steps.functions = vec!["first".into(), "second".into()];
    let vm = opened(steps).expect("it opens");
    let (all, _) = verdicts(
        &vm,
        &[&[Is::I64(1)], &[Is::I64(2)], &[Is::I64(3)], &[Is::I64(1)]],
    );
    assert_eq!(all, [1, 1, 0, 1, 0, 2, 1, 1]);
}

#[test]
fn a_rule_that_cannot_open_says_why() {
    let error = |source: &str| opened(rule(source)).err().unwrap_or_default();
    assert_eq!(
        error("x = 1"),
        "predicate.lua: there is no function pred_eval"
    );
    assert_eq!(
        error("pred_eval = 1"),
        "predicate.lua: pred_eval is a number, not a function"
    );
    assert_eq!(
        error("function pred_init() return 2 end"),
        "predicate.lua: pred_init returned 2 (0 and nil are success)"
    );
    assert!(error("function pred_init() error('no') end").contains("predicate.lua:1: no"));
    assert!(error("kestrel.event_get_i64(0, 1)").contains("there is no event yet"));
    assert!(error("x = = 1").contains("predicate.lua:1:"));
    let mut wrong = rule("function pred_eval() end");
    wrong.regexes = vec!["(".into()];
    assert!(
        opened(wrong)
            .err()
            .unwrap_or_default()
            .starts_with("regex 1: ")
    );
}

#[test]
fn nothing_that_calls_out_is_there() {
    let expression = "actions or parallel or report or require or sleep or input or os.exit";
    assert_eq!(value_of(expression, &[]), "0/1: {\"v\":\"nil\"}");
    // The same numbers at every replay.
    let numbers = || value_of("math.random(1000000)", &[]);
    assert_eq!(numbers(), numbers());
}

#[test]
fn a_cache_forgets_the_oldest() {
    let expression = "(function()
        local c = kestrel.cache { max = 2 }
        c.a, c.b = 1, 2
        c.a = 3
        c.c = 4
        c.d = nil
        return tostring(c.a) .. tostring(c.b) .. tostring(c.c) .. #c
      end)()";
    assert_eq!(value_of(expression, &[]), "0/1: {\"v\":\"3nil42\"}");
}

#[test]
fn state_is_saved_and_restored() {
    let source = "local n = 0
      function pred_eval(e) n = n + 1 return n == 3 end
      function pred_save() return tostring(n) end
      function pred_restore(saved) n = tonumber(saved) end";
    let vm = opened(rule(source)).expect("it opens");
    verdicts(&vm, &[&[], &[]]);
    let saved = rules::save(&vm).expect("it saves").expect("a text");
    let other = opened(rule(source)).expect("it opens");
    rules::restore(&other, &saved).expect("it restores");
    assert_eq!(verdicts(&other, &[&[]]).0, [1]);
    let wrong = opened(rule(
        "function pred_eval() end function pred_save() return {} end",
    ));
    let error = rules::save(&wrong.expect("it opens")).expect_err("a table");
    assert_eq!(error.message, "pred_save must return a string, got table");
}
