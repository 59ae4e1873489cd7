use mlua::Value;
use mlua::prelude::*;

use super::{Arrays, Nulls, decode, encode};

fn state() -> (Lua, Arrays) {
    let lua = Lua::new();
    let arrays = Arrays::new(lua.create_table().expect("a table"));
    (lua, arrays)
}

fn round_trip(text: &str) -> String {
    let (lua, arrays) = state();
    let value = decode(&lua, &arrays, text.as_bytes(), Nulls::Kept).expect("valid JSON");
    encode(&lua, &arrays, &value, false).expect("what came from JSON can go back")
}

fn problem_of(expression: &str) -> String {
    let (lua, arrays) = state();
    let value: Value = lua.load(expression).eval().expect("valid Lua");
    encode(&lua, &arrays, &value, false).expect_err("JSON cannot hold it")
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
fn integers_past_63_bits_become_floats() {
    assert_eq!(round_trip("9223372036854775808"), "9.223372036854776e+18");
}

#[test]
fn a_null_is_absent_from_objects_and_kept_in_arrays() {
    let (lua, arrays) = state();
    let value =
        decode(&lua, &arrays, br#"{"a":null,"b":[null,1]}"#, Nulls::Absent).expect("valid JSON");
    assert_eq!(
        encode(&lua, &arrays, &value, false).expect("encodes"),
        r#"{"b":[null,1]}"#
    );
    assert!(
        decode(&lua, &arrays, b"null", Nulls::Absent)
            .expect("valid JSON")
            .is_nil()
    );
}

#[test]
fn what_json_cannot_hold_is_named_with_its_place() {
    for (expression, problem) in [
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
            "$ has a key that is a boolean, and JSON keys are strings",
        ),
        (
            "{ [1.5] = 1 }",
            "$ has a key that is a number, and JSON keys are strings",
        ),
        ("{ s = '\\xff' }", "$.s is a string that is not UTF-8"),
        (
            "(function() local t = {} for i = 1, 128 do t = { t } end return t end)()",
            &format!("${} nests deeper than 128", "[1]".repeat(128))[..],
        ),
    ] {
        // Lua's border in a sparse table is its choice: both wordings name the place and the hole.
        let found = problem_of(expression);
        if problem.contains("hole") {
            assert!(found.starts_with("$.t is a list with a hole"), "{found}");
        } else if problem.contains("deeper") {
            assert!(found.ends_with("nests deeper than 128"), "{found}");
        } else {
            assert_eq!(found, problem, "{expression}");
        }
    }
}

#[test]
fn a_table_of_depth_128_is_allowed_both_ways() {
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert_eq!(round_trip(&deep), deep);
    let (lua, arrays) = state();
    let deeper = format!("[{deep}]");
    let problem = decode(&lua, &arrays, deeper.as_bytes(), Nulls::Kept).expect_err("too deep");
    assert_eq!(problem, "nests deeper than 128 at line 1 column 130");
}

#[test]
fn bad_documents_say_where() {
    let (lua, arrays) = state();
    for (text, problem) in [
        (&b"{\"a\":}"[..], "expected value at line 1 column 6"),
        (b"[1,2", "EOF while parsing a list at line 1 column 4"),
        (b"1 2", "trailing characters at line 1 column 3"),
        (b"", "EOF while parsing a value at line 1 column 0"),
    ] {
        assert_eq!(
            decode(&lua, &arrays, text, Nulls::Kept).expect_err("bad"),
            problem
        );
    }
    assert!(decode(&lua, &arrays, b"\"\xff\"", Nulls::Kept).is_err());
}

#[test]
fn pretty_text_is_indented_by_two() {
    let (lua, arrays) = state();
    let value = decode(&lua, &arrays, br#"{"b":[1,{}],"a":[]}"#, Nulls::Kept).expect("valid JSON");
    let text = encode(&lua, &arrays, &value, true).expect("encodes");
    assert_eq!(text, "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {}\n  ]\n}");
}
