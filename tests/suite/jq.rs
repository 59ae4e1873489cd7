//! `jq` within the limits of a run.

use kael_tests::Kael;

#[test]
fn a_filter_reshapes_what_an_action_returned() {
    Kael::new()
        .shell("list", "", r#"echo '{"items":[{"n":"a","v":9007199254740993},{"n":"b","v":2.0,"tags":[]}]}'"#)
        .script(
            "local all = actions.t.list({})\nprint(json.encode({ jq(all, '.items[]') }))\n\
             print(jq(all, '.items[] | select(.v > $least) | .n', { least = 3 }))\n\
             local ok, why = pcall(jq, all, '.items | | .n')\nprint(ok, why)",
        )
        .prints(
            "[{\"n\":\"a\",\"v\":9007199254740993},{\"n\":\"b\",\"tags\":[],\"v\":2.0}]\na\n\
             false\tjq: expected a value or a filter, got `|` (line 1, column 10)\n  .items | | .n\n           ^\n",
        );
}

#[test]
fn an_error_names_the_line_of_the_script_and_the_place_in_the_filter() {
    Kael::new()
        .script("local rows = {}\nlocal x = jq(rows, 'map(.a |)')\nprint(x)")
        .fails(
            1,
            "Error: script.lua:2: jq: expected a value or a filter, got `)` (line 1, column 9)\n    map(.a |)\n            ^\n  \
             script.lua:2: in main chunk\n",
        );
}

#[test]
fn a_filter_that_does_not_end_is_ended_by_the_limit() {
    for filter in [
        "last(repeat(1))",
        "def f: f; f",
        "[range(1e18)] | length | . as $x | empty",
        "until(false; .)",
        "\"\\(\"a\" * 30)b\" | test(\"(a*)*(a*)*(a*)*c\") | until(false; .)",
    ] {
        let memory = filter.starts_with('[');
        let ran = Kael::new()
            .run_with(&["--max-cpu", "300ms", "--max-memory", "48MiB"])
            .script(&format!("while true do pcall(jq, 0, [==[{filter}]==]) end"));
        ran.exits(5).no_panic();
        if !memory {
            ran.says("Error: the script computed for ");
        }
    }
}

#[test]
fn a_filter_that_allocates_without_end_is_ended_by_the_limit() {
    for filter in [
        "[repeat(1)]",
        "reduce repeat(1) as $x ([]; . + [$x, $x])",
        "reduce range(100) as $i (\"x\"; . + .)",
        "\"x\" * 1000000000",
        "[.[60000000] = 1]",
        "def f: ., f; [f]",
    ] {
        Kael::new()
            .run_with(&["--max-memory", "48MiB", "--max-cpu", "60s"])
            .script(&format!(
                "while true do pcall(jq, json.null, [==[{filter}]==]) end"
            ))
            .exits(5)
            .says("Error: the script needs more memory than the 48 MiB it may use");
    }
}

/// Nesting is an error that Lua can catch. The stack never overflows, wherever the filter is
/// called.
#[test]
fn endless_nesting_is_an_error() {
    let filters = [
        "def f: 1 + f; f",
        "def f: [f]; f",
        "def f: {a: f}; f",
        "def f: f | f | 1 + f; 1 + f",
        "def f(g): f(g | g) + 1; f(.)",
        "def f: reduce f as $x (0; . + f); f",
        "def f: label $out | (1 + f, break $out); f",
        "def f: .a |= f; f",
        "def f: first(1 + f); f",
        "def f: [limit(3; f, f)] | length; f",
        "def f: \"\\(f)\"; f",
        "def f: if f then f else f end; f",
        "def f: . as {a: $a} | f + 1; f",
        "def f: [1, 2] | sort_by(f); f",
        "def f: [1] | map(f); f",
        "def f: (.. |= f); [1] | f",
        "(reduce range(100000) as $i (.; .a)) |= 1",
        "(foreach range(100000) as $i (.; .)) |= 1",
        "reduce range(1000000) as $i (null; [.])",
        "reduce range(1000000) as $i (null; {a: .})",
        "reduce range(1000000) as $i (null; [[.], .][0:1])",
        "[recurse([.]; true)]",
        "reduce range(300) as $i (null; [.] | tojson | fromjson)",
        "reduce range(300) as $i (null; setpath([\"a\"]; .))",
        "reduce range(300) as $i ([]; .[0] = .)",
        "reduce range(300) as $i ({}; {a: .} * {a: .})",
    ];
    let mut code = String::from(
        "local function try(f) local ok, why = pcall(jq, {}, f) print(not ok and why:match('too deep') or why:match('deeper than') or why, #f) end\n",
    );
    for filter in filters {
        code += &format!("try([==[{filter}]==])\n");
    }
    // Also from the deepest level of C calls in Lua.
    code += "local function deep(n, f) if n == 0 then return jq({}, f) end return (('x'):gsub('x', function() return deep(n - 1, f) end)) end\n";
    for filter in &filters[..3] {
        code += &format!(
            "local ok, why = pcall(deep, 150, [==[{filter}]==]) print(why:match('too deep') or why, {})\n",
            filter.len()
        );
    }
    let ran = Kael::new().script(&code);
    ran.exits(0).no_panic();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), filters.len() + 3, "{}", ran.stdout);
    for (line, filter) in lines.iter().zip(filters.iter().chain(&filters[..3])) {
        let told = format!("too deep\t{}", filter.len());
        let nests = format!("deeper than\t{}", filter.len());
        assert!(*line == told || *line == nests, "{filter}: {line}");
    }
}

/// The largest allowed filters, nested in every way: each runs or is refused, and none traps.
#[test]
fn filters_as_large_as_they_may_be() {
    let mut code = String::from(
        "local function try(f) local ok, why = pcall(jq, {}, f) print(ok, why) end\n\
         local function deep(n, f) if n == 0 then return try(f) end return (('x'):gsub('x', function() deep(n - 1, f) end)) end\n",
    );
    let filters = [
        format!("{}1", "1 + ".repeat(490)),
        format!("{}.", ". | ".repeat(490)),
        format!("{}1", "- ".repeat(245)),
        format!("{}1", "try ".repeat(245)),
        format!("{}.{}", "[".repeat(50), "]".repeat(50)),
        format!("{}1{}", "\"\\(".repeat(49), ")\"".repeat(49)),
        format!("{}.", ". as $x | ".repeat(190)),
        format!("{}1", "1, ".repeat(490)),
        format!("{}1{}", "if . then ".repeat(140), " else 1 end".repeat(140)),
        format!("{}.", "label $x | ".repeat(240)),
        format!("{}f", "def f: 1; ".repeat(190)),
        format!("{}1{}", "def f: ".repeat(160), "; f".repeat(160)),
        format!("{{{}a: 1}}", "a: 1, ".repeat(240)),
        ".a?".repeat(480),
        format!(".{} = 1", "[0]".repeat(240)),
        format!("({}.) |= 1", ".a | ".repeat(490)),
        format!("{}1", "1 = ".repeat(490)),
        format!("{}1", "1 // ".repeat(490)),
        format!("{}.", "reduce . as $x (.; .) | ".repeat(70)),
        format!("[.{}]", " | select(. != 1)".repeat(120)),
    ];
    for filter in &filters {
        code += &format!("try([==[{filter}]==])\n");
        // Also from the deepest level of C calls in Lua.
        code += &format!("deep(150, [==[{filter}]==])\n");
    }
    let ran = Kael::new().script(&code);
    ran.exits(0).no_panic();
    assert_eq!(
        ran.stdout.lines().count(),
        2 * filters.len(),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("words"), "{}", ran.stdout);
}
