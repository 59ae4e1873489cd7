use mlua::Value;
use mlua::prelude::*;

/// A state with the natives as globals.
fn state() -> Lua {
    let lua = Lua::new();
    for pair in crate::natives::table(&lua).expect("the natives").pairs() {
        let (name, native): (String, Value) = pair.expect("a pair");
        lua.globals().raw_set(name, native).expect("a global");
    }
    lua
}

/// Decodes a document. `kept`: whether nulls in objects are kept.
fn decode(lua: &Lua, text: &[u8], kept: bool) -> Result<Value, LuaString> {
    let decode: LuaFunction = lua.globals().get("decode").expect("a native");
    let text = lua.create_string(text).expect("a string");
    let null = kept.then_some(Value::NULL);
    let (ok, value): (bool, Value) = decode.call((text, null)).expect("no error is raised");
    if ok {
        Ok(value)
    } else {
        Err(value.as_string().expect("what is wrong").clone())
    }
}

fn encode(lua: &Lua, value: &Value, pretty: bool) -> Result<String, String> {
    let encode: LuaFunction = lua.globals().get("encode").expect("a native");
    let answer: (Option<String>, Option<String>) =
        encode.call((value, pretty)).expect("no error is raised");
    answer.0.ok_or_else(|| answer.1.expect("what is wrong"))
}

fn round_trip(text: &str) -> String {
    let lua = state();
    let value = decode(&lua, text.as_bytes(), true).expect("valid JSON");
    encode(&lua, &value, false).expect("what came from JSON can go back")
}

fn problem_of(expression: &str) -> String {
    let lua = state();
    let value: Value = lua.load(expression).eval().expect("valid Lua");
    encode(&lua, &value, false).expect_err("JSON cannot hold it")
}

#[test]
fn documents_come_back_as_they_went() {
    for text in [
        "null",
        "true",
        "0",
        "-9223372036854775808",
        "9223372036854775807",
        "9007199254740993",
        "1.0",
        "-0.0",
        "0.1",
        "1e+300",
        "5e-324",
        r#""\u0000\"\\\n é 𝄞""#,
        "[]",
        "{}",
        "[[],{},[null]]",
        r#"{"a":[1,2.5,"x",null],"b":{"c":null}}"#,
    ] {
        assert_eq!(round_trip(text), text);
    }
}

#[test]
fn an_integer_that_64_bits_do_not_hold_is_an_error() {
    let lua = state();
    for (text, error) in [
        (
            "9223372036854775808",
            "the integer 9223372036854775808 does not fit into 64 bits (as a text, in quotes, it stays exact) at line 1 column 1",
        ),
        (
            "[1,\n -9223372036854775809]",
            "the integer -9223372036854775809 does not fit into 64 bits (as a text, in quotes, it stays exact) at line 2 column 2",
        ),
        (
            r#"{"id":18446744073709551615,"hash":12345678901234567890}"#,
            "the integer 18446744073709551615 does not fit into 64 bits (as a text, in quotes, it stays exact) at line 1 column 7",
        ),
        (
            "[100000000000000000000000000000000000000000000000000]",
            "the integer 1000000000000000000000000000000000000000... does not fit into 64 bits (as a text, in quotes, it \
             stays exact) at line 1 column 2",
        ),
    ] {
        assert_eq!(
            decode(&lua, text.as_bytes(), true).expect_err("too large"),
            error
        );
    }
    // A number written as a float is a float.
    assert_eq!(
        round_trip("[1e30,9223372036854775808.0]"),
        "[1e+30,9.223372036854776e+18]"
    );
    assert_eq!(
        round_trip(r#"["99999999999999999999"]"#),
        r#"["99999999999999999999"]"#
    );
    // The error of one document does not affect the next.
    assert!(decode(&lua, b"1e30x", true).is_err());
    assert_eq!(round_trip("1"), "1");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(round_trip("\u{feff}{\"n\":1}"), r#"{"n":1}"#);
    let lua = state();
    let error = decode(&lua, "[\u{feff}1]".as_bytes(), true).expect_err("not at the start");
    assert_eq!(error, "expected value at line 1 column 2");
}

#[test]
fn text_that_is_not_json_is_explained() {
    let lua = state();
    for (text, error) in [
        (
            r#"{"v": NaN}"#,
            "expected value at line 1 column 7, where `NaN` stands: JSON has no NaN: null can stand for it (Python's \
             json.dumps writes NaN unless allow_nan is False)",
        ),
        (
            "[1,\n  -Infinity]",
            "invalid number at line 2 column 4, where `-Infinity` stands: JSON has no Infinity: null or a text can stand for it",
        ),
        (
            "[None]",
            "expected value at line 1 column 2, where `None` stands: None is Python's: JSON has null",
        ),
        (
            "[nil]",
            "expected ident at line 1 column 3, where `nil` stands: nil is Lua's: JSON has null",
        ),
        (
            "{'a':1}",
            "key must be a string at line 1 column 2, where ' stands: JSON has double quotes",
        ),
        (
            "Loading model...\n{}",
            "expected value at line 1 column 1, where `Loading model...` stands",
        ),
        (
            r#"["\ud800"]"#,
            "unexpected end of hex escape at line 1 column 9, where half a surrogate pair stands",
        ),
    ] {
        assert_eq!(
            decode(&lua, text.as_bytes(), true).expect_err("no JSON"),
            error
        );
    }
}

#[test]
fn a_null_is_absent_from_objects_and_kept_in_arrays() {
    let lua = state();
    let value = decode(&lua, br#"{"a":null,"b":[null,1]}"#, false).expect("valid JSON");
    assert_eq!(
        encode(&lua, &value, false).expect("encodes"),
        r#"{"b":[null,1]}"#
    );
    assert!(decode(&lua, b"null", false).expect("valid JSON").is_nil());
}

#[test]
fn values_that_json_cannot_hold_are_named_with_their_path() {
    for (expression, error) in [
        (
            "{ rows = { { value = 1 }, { value = 0/0 } } }",
            "$.rows[2].value is NaN, which JSON cannot hold",
        ),
        ("{ x = -1/0 }", "$.x is infinity, which JSON cannot hold"),
        ("{ f = print }", "$.f is a function, which JSON cannot hold"),
        (
            "{ ['a b'] = print }",
            "$[\"a b\"] is a function, which JSON cannot hold",
        ),
        (
            "(function() local t = {} t.self = { t } return t end)()",
            "$.self[1] contains itself",
        ),
        (
            "{ t = { 1, 2, x = 3 } }",
            "$.t mixes a list with named keys",
        ),
        (
            "{ t = { [1] = 1, [4] = 4 } }",
            "$.t is a list with a hole: it has [4] after 1 elements",
        ),
        (
            "{ [true] = 1 }",
            "$ has a key that is a boolean, and JSON keys are texts: use tostring",
        ),
        (
            "{ [1.5] = 1 }",
            "$ has a key that is a number, and JSON keys are texts: use tostring",
        ),
        (
            "{ ids = { [1001] = 'ann' } }",
            "$.ids has the number 1001 for a key, and JSON keys are texts: use tostring(1001)",
        ),
        (
            "{ [0] = 'a' }",
            "$ has the number 0 for a key, and JSON keys are texts: use tostring(0)",
        ),
        ("{ s = '\\xff' }", "$.s is a string that is not UTF-8"),
        (
            "(function() local t = {} for i = 1, 128 do t = { t } end return t end)()",
            &format!("${} nests deeper than 128", "[1]".repeat(128))[..],
        ),
    ] {
        // The border of a sparse table may vary. Both messages name the place and the hole.
        let found = problem_of(expression);
        if error.contains("hole") {
            assert!(found.starts_with("$.t is a list with a hole"), "{found}");
        } else if error.contains("deeper") {
            assert!(found.ends_with("nests deeper than 128"), "{found}");
        } else {
            assert_eq!(found, error, "{expression}");
        }
    }
}

#[test]
fn a_table_of_depth_128_is_allowed_both_ways() {
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert_eq!(round_trip(&deep), deep);
    let lua = state();
    let deeper = format!("[{deep}]");
    let error = decode(&lua, deeper.as_bytes(), true).expect_err("too deep");
    assert_eq!(error, "nests deeper than 128 at line 1 column 130");
}

#[test]
fn bad_documents_say_where() {
    let lua = state();
    for (text, error) in [
        (&b"{\"a\":}"[..], "expected value at line 1 column 6"),
        (b"[1,2", "EOF while parsing a list at line 1 column 4"),
        (b"1 2", "trailing characters at line 1 column 3"),
        (b"", "EOF while parsing a value at line 1 column 0"),
    ] {
        assert_eq!(decode(&lua, text, true).expect_err("bad"), error);
    }
    assert!(decode(&lua, b"\"\xff\"", true).is_err());
}

#[test]
fn pretty_text_is_indented_by_two() {
    let lua = state();
    let value = decode(&lua, br#"{"b":[1,{}],"a":[]}"#, true).expect("valid JSON");
    let text = encode(&lua, &value, true).expect("encodes");
    assert_eq!(text, "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {}\n  ]\n}");
}

#[test]
fn long_lists_and_objects_keep_every_entry() {
    for count in [15, 16, 17, 33, 1000] {
        let list: Vec<_> = (1..=count).collect();
        let list = serde_json::to_string(&list).expect("JSON");
        assert_eq!(round_trip(&list), list);
        let object: std::collections::BTreeMap<_, _> =
            (1..=count).map(|n| (format!("k{n}"), n)).collect();
        let object = serde_json::to_string(&object).expect("JSON");
        assert_eq!(round_trip(&object), object);
    }
}

#[test]
fn the_last_of_two_equal_keys_holds() {
    assert_eq!(round_trip(r#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#);
    let lua = state();
    let value = decode(&lua, br#"{"a":1,"a":null}"#, false).expect("valid JSON");
    assert_eq!(encode(&lua, &value, false).expect("encodes"), "{}");
}

#[test]
fn keys_are_sorted_by_their_text_at_every_level() {
    let lua = state();
    let text =
        r#"{ ["a b"] = 1, a = { z = 1, y = { 1 }, ["\n"] = 0 }, ["a!"] = 2, ab = 3, [""] = 4 }"#;
    let value: Value = lua.load(text).eval().expect("valid Lua");
    assert_eq!(
        encode(&lua, &value, false).expect("encodes"),
        r#"{"":4,"a":{"\n":0,"y":[1],"z":1},"a b":1,"a!":2,"ab":3}"#
    );
}

#[test]
fn escaped_keys_are_sorted_by_their_text() {
    let lua = state();
    let text = r#"{ ["a=b"] = 1, ["a\0b"] = 2, ['a"'] = 3, ["a\n"] = 4, ["a\t"] = 5, ["a#"] = 6 }"#;
    let value: Value = lua.load(text).eval().expect("valid Lua");
    assert_eq!(
        encode(&lua, &value, false).expect("encodes"),
        r#"{"a\u0000b":2,"a\t":5,"a\n":4,"a\"":3,"a#":6,"a=b":1}"#
    );
}

#[test]
fn a_list_whose_elements_lie_about_is_a_list() {
    let lua = state();
    let code = "local t = {} for i = 40, 1, -1 do t[i] = i end return t";
    let value: Value = lua.load(code).eval().expect("valid Lua");
    let text = encode(&lua, &value, false).expect("encodes");
    let expected: Vec<_> = (1..=40).collect();
    assert_eq!(text, serde_json::to_string(&expected).expect("JSON"));
}
