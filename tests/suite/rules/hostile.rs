//! Predicates in Lua that mean harm, each beside a good one.

use super::{EVENTS, NAMED_NC, Rules as _, alerts, lines, run, session};

#[test]
fn a_hostile_rule_costs_the_good_one_no_alert() {
    let endless = "function pred_eval(e) if kestrel.event_get_i64(e, 1) > 1 then while true do end end return true end";
    // Refused at once, however busy the machine is.
    let bomb = "function pred_eval(e) kept = table.create(1 << 24) end";
    let ran = run(
        session()
            .rule("a-endless", "", endless)
            .rule("b-bomb", "", bomb)
            .rule("nc", "", NAMED_NC),
        EVENTS,
    );
    ran.exits(5);
    assert_eq!(lines(&ran), ["a-endless 1", "nc 2", "nc 5"]);
    ran.says("a-endless: event 2 is skipped, and its state is lost: an evaluation computes for more than 100 ms");
    ran.says("b-bomb: event 1 is skipped, and its state is lost: an evaluation needs more memory than 16 MiB");
    ran.says("b-bomb: three limits within 1000 events: it is off for 60 s");
}

#[test]
fn a_rule_that_does_not_load_in_time_is_refused() {
    for predicate in [
        "while true do end",
        "function pred_init() while true do end end",
    ] {
        let ran = run(session().rule("a", "", predicate), "");
        ran.exits(3)
            .says("Error: rules/a/predicate.lua: loading it computes for more than 1000 ms");
    }
}

/// What hostile predicates do, each beside a good rule.
#[test]
fn no_hostile_predicate_gets_anywhere() {
    for (name, code, predicate) in [
        (
            "a finaliser",
            5,
            "setmetatable({}, { __gc = function() while true do end end }) function pred_eval(e) for i = 1, 1e6 do local t = {} end end",
        ),
        (
            "a capture",
            5,
            "function pred_eval(e) return true end function pred_capture(e) while true do end end",
        ),
        (
            "a search",
            5,
            "local s = ('a'):rep(40) function pred_eval(e) return s:find(('.-'):rep(30) .. 'b') end",
        ),
        (
            "a large capture",
            0,
            "function pred_eval(e) return true end function pred_capture(e) return { x = ('a'):rep(1e5) } end",
        ),
        (
            "a deep capture",
            0,
            "function pred_eval(e) return true end function pred_capture(e) local t = {} for i = 1, 1e4 do t = { x = t } end return t end",
        ),
        (
            "a capture in a circle",
            0,
            "function pred_eval(e) return true end function pred_capture(e) local t = {} t.t = t return t end",
        ),
        (
            "a capture of functions",
            0,
            "function pred_eval(e) return true end function pred_capture(e) return { f = print, n = 0/0 } end",
        ),
        (
            "no table of its own",
            0,
            "kestrel, string, pcall = nil, nil, nil function pred_eval(e) return x.y end",
        ),
        (
            "an error that is no string",
            0,
            "function pred_eval(e) error(setmetatable({}, { __tostring = function() error({}) end })) end",
        ),
        ("a yield", 0, "function pred_eval(e) coroutine.yield(1) end"),
        (
            "a kept handle",
            0,
            "function pred_eval(e) kept = kept or e return kestrel.event_get_i64(kept, 1) end",
        ),
        (
            "a print",
            0,
            "function pred_eval(e) print(('x'):rep(1e6)) end",
        ),
        (
            "a stack",
            5,
            "function pred_eval(e) return pred_eval(e) + 1 end",
        ),
        (
            "a name",
            0,
            "function pred_eval(e) _G.pred_eval = nil return setmetatable({}, { __eq = error }) end",
        ),
    ] {
        let ran = run(
            session()
                .rule("hostile", "", predicate)
                .rule("nc", "", NAMED_NC),
            EVENTS,
        );
        let good: Vec<String> = lines(&ran)
            .into_iter()
            .filter(|line| line.starts_with("nc"))
            .collect();
        assert_eq!(good, ["nc 2", "nc 5"], "{name}: {}", ran.stderr);
        assert_eq!(ran.code, code, "{name}: {}", ran.stderr);
        ran.no_panic();
    }
    let slow = r#","patterns":{"regexes":["(?:a?){200}a{200}"]}"#;
    let predicate = "local text = ('a'):rep(200) .. 'b'
        function pred_eval(e) return kestrel.re_match(1, text) end";
    run(session().rule("regex", slow, predicate), EVENTS).exits(0);
    let large = r#","patterns":{"regexes":["(a{1000}){1000}"]}"#;
    run(session().rule("regex", large, predicate), EVENTS)
        .exits(3)
        .says("patterns.regexes regex 1: it takes more than 1024 KiB when it is compiled");
}

#[test]
fn alerts_without_number_are_dropped_and_counted() {
    let all = "function pred_eval(e) return true end";
    // One minute, and the first event of the next.
    let events = "{\"t\":1}\n".repeat(10_005) + "{\"t\":60001}\n";
    let ran = run(
        session().rule("all", "", all).rule("nc", "", NAMED_NC),
        &events,
    );
    ran.exits(0);
    assert_eq!(ran.stdout.lines().count(), 10_001);
    assert_eq!(lines(&ran).last().expect("an alert"), "all 10006");
    let told = "all: more than 10000 alerts in a minute: the others are dropped";
    assert_eq!(ran.stderr.matches(told).count(), 1, "{}", ran.stderr);
    ran.says("5 dropped");
}

#[test]
fn errors_are_counted_and_told_three_times() {
    let ran = run(
        session().rule("a", "", "function pred_eval(e) error('no') end"),
        &"{}\n".repeat(20),
    );
    ran.exits(0);
    assert_eq!(
        ran.stderr.matches("a: rules/a/predicate.lua:1: no").count(),
        3
    );
    ran.says("20 evaluations, 0 matches, 0 alerts, 20 errors");
}

#[test]
fn nothing_of_a_script_is_there_for_a_rule() {
    // All that is there, so that what scripts get some day is not given to rules by that.
    let predicate = "
local names = {}
for name in pairs(_G) do names[#names + 1] = name end
table.sort(names)
function pred_eval(e) return true end
function pred_capture(e) return { there = table.concat(names, ' '), exit = tostring(os.exit), time = time() } end";
    let ran = run(session().rule("a", "", predicate), "{}\n");
    let captures = alerts(&ran)[0]["context"]["captures"].clone();
    assert_eq!(
        captures,
        serde_json::json!({
            "there": "_G _VERSION assert collectgarbage coroutine count debug error getmetatable inspect ipairs jq json kestrel keys load math \
                      next os pairs pcall pluck pp print rawequal rawget rawlen rawset select setmetatable string table time tonumber \
                      tostring type utf8 warn xpcall",
            "exit": "nil",
            "time": 0.0,
        })
    );
}
