use serde_json::json;

use super::*;

fn problem(schema: Value, mut value: Value) -> String {
    Schema::compile(schema)
        .expect("a schema")
        .check(&mut value)
        .expect_err("it does not fit")
        .told("the parameters", "parameter ")
}

#[test]
fn every_mistake_has_its_place_and_what_was_expected() {
    let schema = json!({
        "type": "object",
        "properties": {
            "url": { "type": "string", "pattern": "^https://" },
            "limit": { "type": "integer", "minimum": 1, "maximum": 20 },
            "tags": { "type": "array", "items": { "type": "string" } },
            "mode": { "enum": ["fast", "slow"] },
            "auth": { "type": "object", "required": ["user"], "properties": { "user": {} }, "additionalProperties": false },
        },
        "required": ["url"],
        "additionalProperties": false,
    });
    for (value, expected) in [
        (json!({}), "parameter `url` is missing"),
        (
            json!({"url": 5, "limit": "x"}),
            "parameter `limit` must be an integer, got a string; parameter `url` must be a string, got a number",
        ),
        (
            json!({"url": "https://", "limit": 40}),
            "parameter `limit` must be at most 20, got 40",
        ),
        (
            json!({"url": "ftp://x"}),
            "parameter `url` must match ^https://, got \"ftp://x\"",
        ),
        (
            json!({"url": "https://", "tags": ["a", 5]}),
            "parameter `tags[2]` must be a string, got a number",
        ),
        (
            json!({"url": "https://", "mode": "fats"}),
            "parameter `mode` must be one of \"fast\", \"slow\", got \"fats\"",
        ),
        (
            json!({"url": "https://", "limti": 1}),
            "parameter `limti` is not known (did you mean `limit`?)",
        ),
        (
            json!({"url": "https://", "auth": {"usr": 1, "user": 2}}),
            "parameter `auth.usr` is not known (did you mean `user`?)",
        ),
        (
            json!({"url": "https://", "auth": {}}),
            "parameter `auth.user` is missing",
        ),
        (
            json!([1]),
            "the parameters must be a table with names, got a list",
        ),
    ] {
        assert_eq!(problem(schema.clone(), value), expected);
    }
}

#[test]
fn an_empty_table_is_an_empty_list_where_one_is_wanted() {
    let list = json!({ "type": "array" });
    let schema = json!({ "properties": { "a": list, "o": { "properties": { "l": list } } } });
    let schema = Schema::compile(schema).expect("a schema");
    let mut value = json!({ "a": {}, "o": { "l": {} } });
    assert_eq!(schema.check(&mut value), Ok(()));
    assert_eq!(value, json!({ "a": [], "o": { "l": [] } }));
    assert!(schema.check(&mut json!({ "a": { "x": 1 } })).is_err());
    assert!(schema.check_exactly(&json!({ "a": {} })).is_err());
}

#[test]
fn what_is_said_is_bounded() {
    let schema = json!({ "type": "array", "items": { "type": "string" } });
    let text = problem(schema.clone(), json!((0..100).collect::<Vec<_>>()));
    assert!(text.ends_with("; and 80 more"), "{text}");
    let text = problem(schema.clone(), json!((0..50_000).collect::<Vec<_>>()));
    assert_eq!(text, "parameter `[1]` must be a string, got a number");
    let schema = json!({ "anyOf": [schema, { "type": "object" }] });
    let text = problem(schema, json!((0..50_000).collect::<Vec<_>>()));
    assert_eq!(
        text,
        "the parameters must fit the schema, and there is too much of it to say where it does not"
    );
    let long = "x".repeat(10_000);
    let schema = json!({ "additionalProperties": false });
    assert!(problem(schema, json!({ long.clone(): 1 })).len() < 500);
    assert!(problem(json!({ "enum": ["a"] }), json!(long)).len() < 500);
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    for (schema, start) in [
        (
            json!({ "properties": { "a": { "type": "strin" } } }),
            "is not a valid schema: `properties.a.type` \"strin\" is not a type of JSON Schema: ",
        ),
        (
            json!({ "properties": { "a": { "minimum": "x" } } }),
            "is not a valid schema: `properties.a.minimum` must be a number, got a string",
        ),
        (
            json!({ "$ref": "https://example.org/schema.json" }),
            "is not a valid schema: ",
        ),
        (
            json!({ "$ref": "file:///etc/passwd" }),
            "is not a valid schema: ",
        ),
        (json!({ "pattern": "(?=x)" }), "is not a valid schema: "),
        (
            json!({ "pattern": "(((x{100}){100}){100}){100}" }),
            "is not a valid schema: ",
        ),
        (
            json!({ "format": "no-such-format" }),
            "is not a valid schema: ",
        ),
    ] {
        let error = Schema::compile(schema.clone()).expect_err("no schema");
        assert!(error.starts_with(start), "{schema}: {error}");
    }
}

#[test]
fn what_is_missing_is_no_mistake_of_a_part() {
    let schema = json!({
        "properties": { "a": { "type": "string" }, "b": { "type": "integer" } },
        "required": ["a", "b"],
    });
    let schema = Schema::compile(schema).expect("a schema");
    assert_eq!(schema.check_part(&json!({ "a": "x" })), Ok(()));
    assert!(schema.check_part(&json!({ "b": "x" })).is_err());
}

#[test]
fn integers_arrive_as_integers_wherever_the_schema_asks_for_them() {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": { "type": "integer" },
            "list": { "type": "array", "items": { "type": ["integer", "null"] } },
            "inner": { "type": "object", "additionalProperties": { "type": "integer" } },
            "number": { "type": "number" },
            "either": { "type": ["integer", "number"] },
        },
    });
    let mut value = json!({
        "n": 3.0, "list": [-1.0, null, 2], "inner": { "a": 9007199254740992.0 },
        "number": 3.0, "either": 3.0, "other": 3.0,
    });
    Schema::compile(schema)
        .expect("a schema")
        .check(&mut value)
        .expect("it fits");
    assert_eq!(
        value.to_string(),
        r#"{"either":3.0,"inner":{"a":9007199254740992},"list":[-1,null,2],"n":3,"number":3.0,"other":3.0}"#
    );
}
