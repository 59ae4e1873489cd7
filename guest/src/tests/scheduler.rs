//! `parallel`, `race` and actions in every place that Lua can call a function from.

use super::output;

/// Each check is a line `name: what it saw`, beside what it must see.
fn check(source: &str, expected: &str) {
    let prelude = r#"
        local t, unpack = actions.t, table.unpack
        local function sleep(ms) return t.sleep { ms = ms } end
        local function timed(f, ...) local t0 = t.now() local r = { f(...) } return t.now() - t0, unpack(r) end
        local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i, sleep(5)) end end) end
        local function sum(n) local s = 0 for i, v in gen(n) do s = s + i * 100 + v end return s end
    "#;
    assert_eq!(output(&format!("{prelude}\n{source}")).trim_end(), expected);
}

#[test]
fn branches_wait_together_and_results_keep_their_order() {
    check(
        "print(timed(parallel, function() return sleep(20) end, function() return sleep(10) end))",
        "20\t20\t10",
    );
}

#[test]
fn a_list_of_functions_gives_a_list() {
    check(
        "local r = parallel { function() return sleep(2) end, function() return nil end, function() return sleep(1) end }
         print(r[1], r[2], r[3]) print(#parallel {}) print(select('#', parallel()))",
        "2\tnil\t1\n0\n0",
    );
}

#[test]
fn generators_with_actions_run_in_branches() {
    check(
        "print(timed(parallel, function() return sum(3) end, function() return sum(4) end))",
        "20\t615\t1020",
    );
}

#[test]
fn generators_with_actions_run_at_top_level() {
    check("print(sum(2))", "310");
}

#[test]
fn generators_of_generators_run_in_branches() {
    check(
        "local function outer(n) return coroutine.wrap(function() for i, v in gen(n) do coroutine.yield(i + v) end end) end
         local function osum(n) local s = 0 for x in outer(n) do s = s + x end return s end
         print(parallel(function() return osum(3) end, function() return osum(2) end))",
        "21\t13",
    );
}

#[test]
fn pcall_catches_in_a_branch_and_at_top_level() {
    check(
        "print(parallel(function() local ok, e = pcall(t.fail, { ms = 5, why = 'boom' }) return tostring(ok) .. ' ' .. e end,
                        function() return sleep(5) end))
         print(pcall(t.fail, { why = 'x' }))",
        "false t.fail failed: boom\t5\nfalse\tt.fail failed: x",
    );
}

#[test]
fn branches_wait_together_inside_pcall_and_xpcall() {
    check(
        "print(timed(parallel,
           function() return select(2, pcall(sleep, 5)) end,
           function() return select(2, pcall(pcall, sleep, 5)) end,
           function() return select(2, xpcall(sleep, print, 5)) end))
         print(timed(parallel,
           function() local ok, e = pcall(t.fail, { ms = 5, why = 'boom' }) return ok, sleep(5) end,
           function() return pcall(function() sleep(5) error('after', 0) end) end))",
        "5\t5\ttrue\t5\n10\tfalse\tfalse",
    );
}

#[test]
fn a_generator_yields_through_pcall() {
    check(
        "local g = coroutine.wrap(function() print(pcall(function(x) print(x, coroutine.yield(1)) error('raised', 0) end, 7)) return 2 end)
         print(g()) print(g('x'))",
        "1\n7\tx\nfalse\traised\n2",
    );
}

#[test]
fn an_error_is_raised_after_the_rest_has_settled_and_close_variables_have_run() {
    check(
        "local closed, done = 0, false
         local ok, e = pcall(parallel,
           function() local x <close> = setmetatable({}, { __close = function() closed = closed + 1 end }) t.fail { ms = 1 } end,
           function() sleep(10) done = true end)
         print(ok, e, closed, done)",
        "false\tt.fail failed: connection refused\t1\ttrue",
    );
}

#[test]
fn the_error_of_the_lowest_index_is_raised() {
    check(
        "print(pcall(parallel, function() t.fail { ms = 9, why = 'late' } end, function() t.fail { ms = 1, why = 'early' } end))",
        "false\tt.fail failed: late",
    );
}

#[test]
fn callbacks_that_cannot_yield_call_actions() {
    check(
        "local l = { 3, 1, 2 }
         print(parallel(function() table.sort(l, function(x, y) sleep(1) return x < y end) return table.concat(l) end,
                        function() return (('abc'):gsub('%w', function(c) return t.echo { c = c:upper() }.c end)) end))
         table.sort(l, function(x, y) t.echo {} return x > y end) print(table.concat(l))",
        "123\tABC\n321",
    );
}

#[test]
fn a_generator_is_resumed_inside_a_comparator() {
    check(
        "print(parallel(function() local g, u = gen(100), { 5, 4, 3, 2, 1 }
           table.sort(u, function(x, y) g() return x < y end) return table.concat(u) end, function() return sleep(3) end))",
        "12345\t3",
    );
}

#[test]
fn parallel_inside_a_comparator_inside_a_branch_is_parallel() {
    check(
        "print(parallel(function() local u, m = { 2, 1 }
           table.sort(u, function(x, y)
             m = timed(parallel, function() sleep(10) end, function() sleep(10) end) return x < y end)
           return u[1] .. u[2] .. ' ' .. m end, function() return sleep(3) end))",
        "12 10\t3",
    );
}

#[test]
fn nested_parallels_wait_together() {
    check(
        "local function two() local x, y = parallel(function() return sleep(10) end, function() return sleep(10) end) return x + y end
         print(timed(parallel, two, two))",
        "10\t20\t20",
    );
}

#[test]
fn parallel_runs_inside_a_generator_inside_a_branch() {
    check(
        "print(parallel(function()
           local g = coroutine.wrap(function() coroutine.yield((parallel(function() return sleep(5) end, function() return 1 end))) end)
           return g() end, function() return sleep(1) end))",
        "5\t1",
    );
}

#[test]
fn metamethods_call_actions_from_lua_and_from_c() {
    check(
        "local m = setmetatable({}, { __index = function(_, k) return sleep(2) .. k end,
           __tostring = function() return t.echo { s = 'str' }.s end, __lt = function() sleep(1) return true end })
         print(parallel(function() return m.foo .. tostring(m) end, function() return m < m end))",
        "2foostr\ttrue",
    );
}

#[test]
fn wrap_reports_errors_and_death_as_lua_does() {
    check(
        "local w = coroutine.wrap(function() t.echo {} error('inner') end)
         print(pcall(w)) print(pcall(w))",
        "false\tscript.lua:8: inner\nfalse\tcannot resume dead coroutine",
    );
}

#[test]
fn a_generator_whose_action_is_in_flight_is_normal_to_other_branches() {
    check(
        "local co = coroutine.create(function() sleep(5) return 'z' end)
         print(parallel(function() return select(2, coroutine.resume(co)) end,
           function() local s = coroutine.status(co) local ok, e = coroutine.resume(co) return s .. ' ' .. tostring(ok) .. ' ' .. e end))",
        "z\tnormal false cannot resume non-suspended coroutine",
    );
}

#[test]
fn a_yield_that_no_generator_takes_is_an_error() {
    check(
        "print(pcall(parallel, function() coroutine.yield(1) end))",
        "false\tattempt to yield from outside a coroutine",
    );
}

#[test]
fn race_returns_the_first_and_cancels_the_rest() {
    check(
        "print(timed(race, function() sleep(3000) end, function() return sleep(5) end,
           function() parallel(function() sleep(3000) end, function() for _ in gen(900) do end end) end))
         print(t.in_flight())",
        "5\t2\t5\n0",
    );
}

#[test]
fn race_raises_the_error_of_the_first_to_settle() {
    check(
        "print(pcall(race, function() sleep(9) end, function() t.fail { ms = 1, why = 'lost' } end)) print(t.in_flight())",
        "false\tt.fail failed: lost\n0",
    );
}

#[test]
fn many_branches_share_the_time() {
    check(
        "local fs = {} for i = 1, 500 do fs[i] = function() for _ = 1, 3 do sleep(2) end return i end end
         print(timed(function() return #parallel(fs) end))",
        "6\t500",
    );
}

#[test]
fn error_values_of_branches_arrive_as_they_are() {
    check(
        "local ok, e = pcall(parallel, function() error({ code = 7 }) end) print(ok, e.code)",
        "false\t7",
    );
}

#[test]
fn what_is_no_function_is_refused() {
    check(
        "print(pcall(parallel, print, 4)) print(pcall(race)) print(pcall(race, {}))",
        "false\tparallel: branch 2 must be a function, got number\n\
         false\trace: at least one function is needed\nfalse\trace: at least one function is needed",
    );
}

#[test]
fn a_script_sleeps_alone_and_beside_others() {
    assert_eq!(output("sleep(1.5) sleep(0) return actions.t.now()"), "1500");
    // Branches wait together, and a race does not wait for who sleeps longer.
    assert_eq!(
        output(
            "parallel(function() sleep(2) end, function() actions.t.sleep { ms = 1000 } sleep(1) end)
             local winner = race(function() sleep(5) end, function() sleep(1) end)
             return { winner, actions.t.now() }"
        ),
        "[2,3000]"
    );
    assert_eq!(
        output("sleep('1m500ms') sleep('0.5h') sleep('0s') return actions.t.now()"),
        "1860500"
    );
    // In a comparator nothing can yield.
    assert_eq!(
        output(
            "parallel(function() table.sort({ 2, 1 }, function(a, b) sleep(1) return a < b end) end, function() end)
             return actions.t.now() >= 1000"
        ),
        "true"
    );
    for (call, error) in [
        ("sleep()", "sleep: expected a number of seconds, got nil"),
        (
            "sleep('1')",
            "sleep: expected a number of seconds, or a text such as '90s', '1h30m' or '2d', got '1'",
        ),
        (
            "sleep('')",
            "sleep: expected a number of seconds, or a text",
        ),
        (
            "sleep('5m ')",
            "sleep: expected a number of seconds, or a text",
        ),
        (
            "sleep('-5m')",
            "sleep: expected a number of seconds, or a text",
        ),
        (
            "sleep('5y')",
            "sleep: expected a number of seconds, or a text",
        ),
        ("sleep(-1)", "sleep: expected a number of seconds, got -1"),
        (
            "sleep(math.huge)",
            "sleep: expected a number of seconds, got inf",
        ),
        ("sleep(0/0)", "sleep: expected a number of seconds, got"),
    ] {
        let said = super::error_of(call).message;
        assert!(
            said.starts_with(&format!("script.lua:1: {error}")),
            "{said}"
        );
    }
}
