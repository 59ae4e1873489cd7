//! `jq` as a script calls it.

use super::{error_of, output};

/// What a filter makes of a value, both as Lua and JSON write them.
fn jq(value: &str, filter: &str) -> String {
    output(&format!("return {{ jq({value}, [=[{filter}]=]) }}"))
}

/// What is said of a filter that is wrong.
fn refused(value: &str, filter: &str) -> String {
    let told = error_of(&format!("return jq({value}, [=[{filter}]=])")).message;
    told.strip_prefix("jq: ")
        .unwrap_or_else(|| panic!("{told}"))
        .to_owned()
}

#[test]
fn every_output_is_a_value_of_the_call() {
    assert_eq!(jq("{ 1, 2, 3 }", ".[]"), "[1,2,3]");
    assert_eq!(jq("{ 1, 2, 3 }", "[.[] | select(. > 1)]"), "[[2,3]]");
    assert_eq!(jq("{ a = { b = 'x' } }", ".a.b"), r#"["x"]"#);
    assert_eq!(output("return select('#', jq(nil, 'empty'))"), "0");
    assert_eq!(output("return select('#', jq({}, '.a, .b'))"), "2");
    assert_eq!(
        output("local a, b = jq({ a = 1, b = 2 }, '.b, .a') return { a, b }"),
        "[2,1]"
    );
}

#[test]
fn values_cross_exactly() {
    for text in [
        "[9223372036854775807,-9223372036854775808,9007199254740993,1,1.0,0.1,-0.0,1e300]",
        r#"[[],{},[[]],{"a":[]}]"#,
        r#"["","\u0000","é\n\"\\"]"#,
        "[null,true,false]",
    ] {
        let code = format!("return (jq(json.decode([=[{text}]=]), '.'))");
        assert_eq!(output(&code), text.replace("1e300", "1e+300"), "{text}");
    }
    assert_eq!(
        jq("{ 2^53 | 0, 9007199254740993 }", ".[1] + 1, .[0] * 2"),
        "[9007199254740994,18014398509481984]"
    );
    assert_eq!(
        jq("math.maxinteger", ". + 1, -(. - 1)"),
        "[9.223372036854776e+18,-9223372036854775806]"
    );
    assert_eq!(
        jq(
            "{ 6, 4, 2.0 }",
            ".[0] / 3, .[0] / .[1], .[0] / .[2], .[0] % .[1]"
        ),
        "[2,1.5,3.0,2]"
    );
}

#[test]
fn nulls_are_those_of_json_decode() {
    assert_eq!(output("return jq({}, '{ a: null, b: 1 }')"), r#"{"b":1}"#);
    assert_eq!(
        output("return jq({}, '{ a: null, b: 1 }', nil, { null = json.null })"),
        r#"{"a":null,"b":1}"#
    );
    assert_eq!(output("return jq({}, 'null') == nil"), "true");
    assert_eq!(
        output("return jq({}, 'null', nil, { null = json.null }) == json.null"),
        "true"
    );
    assert_eq!(
        output("return jq({ json.null, 1 }, '.')[1] == json.null"),
        "true"
    );
}

#[test]
fn variables_are_values_and_no_text_of_the_filter() {
    let code = r#"return jq({ 1, 5, 9 }, "[.[] | select(. > $limit)] + $more", { limit = 4, more = { "\" | error" } })"#;
    assert_eq!(output(code), r#"[5,9,"\" | error"]"#);
    assert_eq!(
        error_of("jq(1, '.', { ['a b'] = 1 })").message,
        "script.lua:1: jq: the variable \"a b\" has a name that is not a word"
    );
    // The same filter with other variables is another filter.
    assert_eq!(
        output("return { jq(1, '$a', { a = 1 }), pcall(jq, 1, '$a') }"),
        "[1,false,\"jq: no variable `$a` (line 1, column 1)\\n  $a\\n  ^\"]"
    );
}

#[test]
fn the_language_is_there() {
    for (value, filter, expected) in [
        ("{ 3, 1, 2 }", "sort, max, add, length", "[[1,2,3],3,6,3]"),
        (
            "{ b = 1, a = 2 }",
            "keys, to_entries[0].key, has(\"a\", \"c\")",
            r#"[["a","b"],"a",true,false]"#,
        ),
        (
            "{ { n = 'x', v = 1 }, { n = 'y', v = 2 }, { n = 'x', v = 3 } }",
            "group_by(.n) | map({ (.[0].n): map(.v) | add }) | add",
            r#"[{"x":4,"y":2}]"#,
        ),
        (
            "{}",
            "[range(5)] | .[2:4], .[-1], .[:-3], first, last",
            "[[2,3],4,[0,1],0,4]",
        ),
        (
            "{}",
            "reduce range(10) as $i (0; . + $i), [foreach range(3) as $i (0; . + $i)]",
            "[45,[0,1,3]]",
        ),
        (
            "'a1b22'",
            "[scan(\"[0-9]+\")], gsub(\"[0-9]\"; \"#\"), test(\"B\"; \"i\")",
            r##"[["1","22"],"a#b##",true]"##,
        ),
        (
            "'k=v'",
            "capture(\"(?<key>.)=(?<value>.)\")",
            r#"[{"key":"k","value":"v"}]"#,
        ),
        (
            "'äöxy'",
            "match(\"x(y)\") | .offset, .captures[0].offset, .string",
            r#"[2,3,"xy"]"#,
        ),
        (
            "'yx'",
            "[match(\"(?:(x)|(y))*\").captures[].string]",
            r#"[["x","y"]]"#,
        ),
        (
            "{}",
            "\"a,b\" | split(\",\"), ascii_upcase, length, ltrimstr(\"a\")",
            r#"[["a","b"],"A,B",3,",b"]"#,
        ),
        (
            "{ { 1, 'a\"b', true } }",
            ".[] | @csv, @json, @html",
            r#"["1,\"a\"\"b\",true","[1,\"a\\\"b\",true]","[1,&quot;a\\&quot;b&quot;,true]"]"#,
        ),
        (
            "0",
            "todate, (1700000000 | todate), (\"2026-01-02T03:04:05Z\" | fromdate)",
            r#"["1970-01-01T00:00:00Z","2023-11-14T22:13:20Z",1767323045]"#,
        ),
        (
            "{ a = { 1, { b = 2 } } }",
            "[paths], [.. | numbers], (.a[1].b |= . + 1 | .a[1])",
            r#"[[["a"],["a",0],["a",1],["a",1,"b"]],[1,2],{"b":3}]"#,
        ),
        (
            "{}",
            ".a.b = 1 | .l[2] = 0 | del(.a)",
            r#"[{"l":[null,null,0]}]"#,
        ),
        (
            "{}",
            "try error(\"no\") catch ., (.a.b? // \"none\"), ([1, 2] | index(2))",
            r#"["no","none",1]"#,
        ),
        (
            "{}",
            "def f(x): x * 2; f(3), ([limit(3; repeat(1))] | length), (1 as [$a] | 5)?",
            "[6,3]",
        ),
        ("{}", "label $out | 1, break $out, 2", "[1]"),
        (
            "{}",
            "[nan, 2, nan, 1] | sort | map(isnan)",
            "[[true,true,false,false]]",
        ),
        (
            "{}",
            "\"x\" * 3, (infinite > 1e308), ([1,2,3] - [2]), ({a: {b: 1}} * {a: {c: 2}} | .a | keys)",
            r#"["xxx",true,[1,3],["b","c"]]"#,
        ),
        (
            "'[1, {\"a\": 2.50}]'",
            "fromjson, (fromjson | tojson)",
            r#"[[1,{"a":2.5}],"[1,{\"a\":2.5}]"]"#,
        ),
        (
            "{}",
            "3000000000 | ., . * 2, floor, tostring, [range(.; . + 2)]",
            r#"[3000000000,6000000000,3000000000,"3000000000",[3000000000,3000000001]]"#,
        ),
        (
            "{}",
            "[1, 2] | IN([1, 2], 3), tostream",
            "[true,[[0],1],[[1],2],[[1]]]",
        ),
    ] {
        assert_eq!(jq(value, filter), expected, "{filter}");
    }
}

#[test]
fn a_mistake_is_shown_at_its_position() {
    for (filter, told) in [
        (
            ".a | | .b",
            "expected a value or a filter, got `|` (line 1, column 6)\n  .a | | .b\n       ^",
        ),
        (
            ".a\n | foo(1; 2)",
            "no filter `foo` with 2 arguments (line 2, column 4)\n   | foo(1; 2)\n     ^",
        ),
        (
            ".[",
            "expected a closing bracket (line 1, column 3)\n  .[\n    ^",
        ),
        (
            "if . then 1",
            "expected a else or end, got the end (line 1, column 12)\n  if . then 1\n             ^",
        ),
        (
            "\"a\\q\"",
            "expected a string escape sequence (line 1, column 4)\n  \"a\\q\"\n     ^",
        ),
        (
            "map(.x) as $x",
            "expected `|`, got the end (line 1, column 14)\n  map(.x) as $x\n               ^",
        ),
        (
            "1 as $x | $y",
            "no variable `$y` (line 1, column 11)\n  1 as $x | $y\n            ^",
        ),
        (
            "input",
            "no filter `input`: a script has nothing that it could reach (line 1, column 1)\n  input\n  ^",
        ),
        (
            "env.HOME",
            "no filter `env`: a script has nothing that it could reach (line 1, column 1)\n  env.HOME\n  ^",
        ),
        (
            "$ENV",
            "no variable `$ENV`: a script has nothing that it could reach (line 1, column 1)\n  $ENV\n  ^",
        ),
        (
            "",
            "expected a value or a filter, got the end (line 1, column 1)\n  \n  ^",
        ),
        (
            ". as [$a, $b | 1",
            "expected a closing bracket (line 1, column 17)\n  . as [$a, $b | 1\n                  ^",
        ),
    ] {
        assert_eq!(refused("{}", filter), told, "{filter}");
    }
}

#[test]
fn a_runtime_error_names_the_filter() {
    for (value, filter, told) in [
        ("'text'", ".a", "cannot index \"text\" with \"a\" (in `.a`)"),
        (
            "{ 1 }",
            ".[0] + \"x\"",
            "cannot calculate 1 + \"x\" (in `.[0] + \"x\"`)",
        ),
        (
            "{}",
            "error(\"no such thing\")",
            "no such thing (in `error(\"no such thing\")`)",
        ),
        ("1", ". / 0", "cannot divide 1 by zero (in `. / 0`)"),
        (
            "{}",
            "{ (1): 2 }",
            "1 cannot be the key of an object (in `{ (1): 2 }`)",
        ),
        (
            "'x'",
            "test(\"(\")",
            "the regular expression \"(\": unclosed group (in `test(\"(\")`)",
        ),
        (
            "{}",
            "\"x\" * 2e9",
            "a string repeated to 2000000000 bytes is too long (in `\"x\" * 2e9`)",
        ),
    ] {
        assert_eq!(refused(value, filter), told, "{filter}");
    }
    assert_eq!(
        error_of("jq(print, '.')").message,
        "script.lua:1: jq: the value $ is a function, which JSON cannot hold"
    );
    assert_eq!(
        error_of("jq({}, 1)").message,
        "script.lua:1: jq: the filter must be a string, got number"
    );
}

#[test]
fn endless_nesting_is_an_error_that_a_script_can_catch() {
    let recurses = "the filter recurses too deep: a definition or an update nests without end";
    let nests = "a value nests deeper than 128";
    for (filter, told) in [
        ("def f: 1 + f; f", recurses),
        ("def f(g): [g, f(g)]; f(1)", recurses),
        ("def f: def g: f | 1; 1 + g; f", recurses),
        ("(reduce range(100000) as $i (.; .a)) |= 1", recurses),
        ("reduce range(1000000) as $i (null; [.])", nests),
        ("reduce range(1000000) as $i (null; {a: .})", nests),
        ("last(null | recurse([.]))", nests),
        ("[limit(200; null | recurse([.]))] | length", nests),
    ] {
        let told = format!("{told} (in `{filter}`)");
        let told = told.replace(&format!("{nests} (in `{filter}`)"), nests);
        let actual = refused("{}", filter).replace(&format!("{nests} (in `{filter}`)"), nests);
        assert_eq!(actual, told, "{filter}");
    }
    // What ends is no recursion without end.
    assert_eq!(
        jq(
            "{}",
            "def f: if . < 100000 then . + 1 | f else . end; 0 | f"
        ),
        "[100000]"
    );
    assert_eq!(
        jq(
            "{}",
            "def f: if . < 20 then 1 + (. + 1 | f) else 0 end; 0 | f"
        ),
        "[20]"
    );
    assert_eq!(
        jq("{}", "last(range(100000)), ([range(100000)] | add)"),
        "[99999,4999950000]"
    );
}

#[test]
fn a_filter_that_is_too_much_to_read_is_refused() {
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(60), close.repeat(60));
    for filter in [
        nested("(", ")"),
        nested("[", "]"),
        nested("{a:", "}"),
        nested("\"\\(", ")\""),
    ] {
        let told = refused("{}", &filter);
        assert!(
            told.starts_with("brackets nest deeper than 50 (line 1, column "),
            "{told}"
        );
    }
    assert_eq!(
        jq(
            "{}",
            "\"((((((((((((((((((((((((((((((((((((((((((((((((((((((((\" | length"
        ),
        "[56]"
    );
    for filter in [
        "1 + ".repeat(1200),
        "- ".repeat(2400),
        ". | ".repeat(1200),
        ".a as $x | ".repeat(600),
    ] {
        let told = refused("{}", &format!("{filter} 1"));
        assert!(
            told.ends_with("words, and may have 1000: call jq more than once"),
            "{told}"
        );
    }
    assert!(refused("{}", &" ".repeat(70_000)).starts_with("the filter has 70000 bytes"));
}

/// The first output of a filter over a JSON document.
fn of_json(value: &str, filter: &str) -> String {
    let value = format!("json.decode([=[{value}]=], {{ null = json.null }})");
    output(&format!("return (jq({value}, [=[{filter}]=]))"))
}

/// Where jaq would give another value, or none; each as jq 1.7 has it.
#[test]
fn what_jq_1_7_gives_is_given() {
    for (value, filter, result) in [
        (
            r#"[1,"ab",null,true,["a"],{"a":1}]"#,
            r#"map(ltrimstr("a"))"#,
            r#"[1,"b",null,true,["a"],{"a":1}]"#,
        ),
        (
            r#"[1,"ab",null,false]"#,
            r#"map(rtrimstr("b"))"#,
            r#"[1,"a",null,false]"#,
        ),
        (
            r#""x1""#,
            r#"[ltrimstr(1), rtrimstr(null), ltrimstr("")]"#,
            r#"["x1","x1","x1"]"#,
        ),
        (r#"["a",1,null,true]"#, r#"join("-")"#, r#""a-1--true""#),
        (r#"{"a":"x","b":"y"}"#, r#"join(", ")"#, r#""x, y""#),
        ("[]", r#"join(",")"#, r#""""#),
        (r#"{"a":1,"b":[2]}"#, "flatten", "[1,2]"),
        ("[1,[2,[3,[4]]]]", "flatten(2)", "[1,2,3,[4]]"),
        ("[1,2,3]", "del(.[0,2])", "[2]"),
        ("[1,2,3]", "del(.[1,0])", "[3]"),
        ("[1,2,3]", "delpaths([[0],[2]])", "[2]"),
        (r#"{"a":1,"b":[1,2]}"#, "del(.a, .b[0])", r#"{"b":[2]}"#),
        ("[1,2,3]", "pick(.[1])", "[null,2]"),
        (r#"{"a":{"b":1,"c":2}}"#, "pick(.a.b)", r#"{"a":{"b":1}}"#),
        ("[1]", "[has(0), has(1), has(-1)]", "[true,false,false]"),
        (r#""abc""#, r#"indices("")"#, "[]"),
        ("null", "[5.5 % 3.9, -7.5 % 2, 5 % -3]", "[2,-1,2]"),
        (
            r#""b""#,
            r#"[match("(a)?(b)").captures[].string]"#,
            r#"[null,"b"]"#,
        ),
        (r#""bab""#, r#"[scan("(a)?b")]"#, r#"[[null],["a"]]"#),
        (r#""A""#, r#"test(["a","i"])"#, "true"),
        (r#""banana""#, r#"[match(["a","g"]).offset]"#, "[1,3,5]"),
    ] {
        assert_eq!(of_json(value, filter), result, "{value} {filter}");
    }
    for (value, filter, error) in [
        ("1", r#"startswith("a")"#, "cannot use 1 as string"),
        ("[[1]]", r#"join(",")"#, "cannot calculate"),
        (
            "[1]",
            "flatten(-1)",
            "flatten: the depth must not be negative",
        ),
        ("null", "nth(-1; 1)", "nth: the index must not be negative"),
        ("1", "@base64d", "cannot be decoded"),
        (
            "null",
            "18446744073709551615",
            "the integer 18446744073709551615 does not fit into 64 bits",
        ),
        (
            r#""[18446744073709551615]""#,
            "fromjson",
            "the integer 18446744073709551615 does not fit into 64 bits",
        ),
        (r#""[NaN]""#, "fromjson", "JSON has no NaN"),
    ] {
        let said = refused(&format!("json.decode([=[{value}]=])"), filter);
        assert!(said.contains(error), "{value} {filter}: {said}");
    }
}

#[test]
fn words_have_their_bounds_in_every_script() {
    for (value, filter, result) in [
        (r#""a foo b""#, r#"test("\\bfoo\\b")"#, "true"),
        (r#""éfoo""#, r#"test("\\bfoo\\b")"#, "false"),
        (
            r#""naïve café 世界""#,
            r#"[match("\\b\\w+\\b"; "g").string]"#,
            r#"["naïve","café","世界"]"#,
        ),
        (
            r#""aéb é""#,
            r#"[match("\\Bé\\B|\\bé\\b"; "g").offset]"#,
            "[1,4]",
        ),
        (
            r#""don't stop""#,
            r#"gsub("\\b(?<w>\\w)"; "<\(.w)>")"#,
            r#""<d>on'<t> <s>top""#,
        ),
    ] {
        assert_eq!(of_json(value, filter), result, "{value} {filter}");
    }
}
