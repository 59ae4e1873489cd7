//! The cost of a check has a bound, for every schema and value.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

/// What any check of these may take: more than ten times what it takes.
const SOON: Duration = Duration::from_secs(5);

/// How a check ends, which must be soon; with the stack that a host call has.
#[track_caller]
fn told(schema: Value, value: Value) -> String {
    let work = move || {
        let schema = Schema::compile(schema).expect("a schema");
        let begun = Instant::now();
        let said = [
            schema.check(&mut value.clone()).err(),
            schema.check_exactly(&value).err(),
            schema.check_part(&value).err(),
        ];
        _ = schema.check_known(&mut value.clone(), &["/x".to_owned()], &[]);
        (said, begun.elapsed())
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(work);
    let (said, took) = thread.expect("a thread").join().expect("no panic");
    assert!(took < SOON, "{took:?}");
    let [first, ..] = said;
    first.map_or_else(String::new, |mistakes| mistakes.told("it", ""))
}

/// A union of nodes that hold nodes, as people write it.
fn nodes(keyword: &str) -> Value {
    let node = |kind: &str| {
        json!({
            "type": "object", "required": ["kind"],
            "properties": { "kind": { "const": kind }, "child": { "$ref": "#/$defs/node" } },
        })
    };
    json!({
        "$ref": "#/$defs/node",
        "$defs": { "node": { keyword: [node("box"), node("row"), node("text")] } },
    })
}

fn tree(levels: usize, leaf: &str) -> Value {
    (1..levels).fold(
        json!({ "kind": leaf }),
        |child, _| json!({ "kind": leaf, "child": child }),
    )
}

#[test]
fn alternatives_that_multiply_with_each_level_are_checked_soon() {
    for keyword in ["anyOf", "oneOf"] {
        for levels in [2, 12, 25, 60] {
            assert_eq!(told(nodes(keyword), tree(levels, "box")), "", "{levels}");
            let said = told(nodes(keyword), tree(levels, "none"));
            let whole = "it fits none of its alternatives, got a table with names";
            let much =
                "it must fit the schema, and there is too much of it to say where it does not";
            assert!(
                said == whole || levels > 8 && said == much,
                "{levels}: {said}"
            );
        }
    }
}

#[test]
fn definitions_that_multiply_are_counted_with_every_end() {
    let pair = |keyword: &str, next: &str| {
        let next = json!({ "$ref": format!("#/$defs/{next}") });
        match keyword {
            "not" => json!({ "allOf": [{ "not": { "not": next } }, { "not": { "not": next } }] }),
            "if" => json!({ "if": next, "then": next, "else": next }),
            keyword => json!({ keyword: [next, next] }),
        }
    };
    for leaf in [
        json!(true),
        json!(false),
        json!({}),
        json!({ "title": "x" }),
        json!({ "type": "string" }),
        json!({ "type": "object" }),
        json!({ "additionalProperties": true }),
        json!({ "$ref": "#/x-parts/leaf" }),
    ] {
        for keyword in ["allOf", "anyOf", "oneOf", "not", "if"] {
            let mut defs = serde_json::Map::new();
            for level in 0..40 {
                defs.insert(level.to_string(), pair(keyword, &(level + 1).to_string()));
            }
            defs.insert("40".to_owned(), leaf.clone());
            let schema = json!({
                "$ref": "#/$defs/0", "$defs": defs, "x-parts": { "leaf": { "title": "y" } },
            });
            told(schema, json!({}));
        }
    }
    let all = json!({ "$ref": "#/$defs/0", "$defs": { "0": { "allOf": [] } } });
    assert!(Schema::compile(all).is_err());
}

#[test]
fn a_check_that_is_given_up_says_so() {
    let defs: serde_json::Map<String, Value> = (0..40)
        .map(|level| {
            let next = json!({ "$ref": format!("#/$defs/{}", level + 1) });
            (level.to_string(), json!({ "allOf": [next, next] }))
        })
        .chain([("40".to_owned(), json!({ "minLength": 1 }))])
        .collect();
    let schema = json!({ "$ref": "#/$defs/0", "$defs": defs });
    let schema = Schema::compile(schema).expect("a schema");
    let mistakes = schema.check(&mut json!("x")).expect_err("it is given up");
    let steps = mistakes.steps.expect("steps");
    assert_eq!(
        mistakes.told("the parameters", "parameter "),
        format!("the parameters would take more than {steps} steps to check")
    );
}

#[test]
fn references_that_lead_in_circles_or_deep_are_checked_soon() {
    let circle = json!({
        "$ref": "#/$defs/a",
        "$defs": {
            "a": { "anyOf": [{ "$ref": "#/$defs/b" }, { "$ref": "#/$defs/c" }] },
            "b": { "anyOf": [{ "$ref": "#/$defs/c" }, { "$ref": "#/$defs/a" }] },
            "c": { "allOf": [{ "$ref": "#/$defs/a" }, { "$ref": "#/$defs/b" }] },
        },
    });
    told(circle, json!({ "a": [1] }));
    let every: serde_json::Map<String, Value> = (0..30)
        .map(|from| {
            let all = (0..30).map(|to| json!({ "$ref": format!("#/$defs/{to}") }));
            (
                from.to_string(),
                json!({ "oneOf": all.collect::<Vec<_>>() }),
            )
        })
        .collect();
    told(json!({ "$ref": "#/$defs/0", "$defs": every }), json!("x"));
    let dynamic = json!({
        "$id": "https://kael.test/tree", "$dynamicAnchor": "node",
        "properties": { "children": { "type": "array", "items": {
            "anyOf": [{ "$dynamicRef": "#node" }, { "$dynamicRef": "#node" }] } } },
        "unevaluatedProperties": false,
    });
    let deep = (0..60).fold(
        json!({ "bad": 1 }),
        |child, _| json!({ "children": [child] }),
    );
    told(dynamic, deep);
    // As deep as a document may be.
    let list = json!({ "$ref": "#/$defs/l", "$defs": { "l": { "type": "array", "items": { "$ref": "#/$defs/l" } } } });
    let deep = (0..126).fold(json!([]), |inner, _| json!([inner]));
    assert_eq!(told(list, deep), "");
}

#[test]
fn errors_take_little_memory_for_every_value() {
    // A constant that each error copies, and a list of all that is not it.
    let long = "x".repeat(500_000);
    let schema = json!({ "items": { "const": long } });
    let said = told(schema, json!(vec![0; 50_000]));
    assert!(said.starts_with("`[1]` must be"), "{said}");
    // A name that each of many alternatives does not know.
    let closed: Vec<Value> = (0..1000)
        .map(|n| json!({ "properties": { format!("p{n}"): {} }, "additionalProperties": false }))
        .collect();
    told(json!({ "anyOf": closed }), json!({ long.clone(): 1 }));
    // A path that each error copies.
    let schema = json!({ "additionalProperties": { "items": { "type": "string" } } });
    told(schema, json!({ long.clone(): vec![0; 50_000] }));
    // A value that each alternative's error copies.
    let wrong: Vec<Value> = (0..1000).map(|n| json!({ "const": n })).collect();
    told(json!({ "anyOf": wrong }), json!([long]));
}

#[test]
fn a_first_mistake_is_told_where_all_are_too_many() {
    let schema = json!({ "type": "array", "items": { "type": "string" } });
    assert_eq!(
        told(schema, json!(vec![1; 90_000])),
        "`[1]` must be a string, got a number"
    );
}

#[test]
fn unique_elements_are_found_soon() {
    let schema = || json!({ "uniqueItems": true });
    // Integers that are one number as floats.
    let near: Vec<u64> = (0..90_000).map(|n| (1 << 63) + n).collect();
    assert_eq!(told(schema(), json!(near)), "");
    // Lists that differ in their brackets alone, and tables.
    let nested = |n: usize| {
        let bits = (0..17).map(|bit| {
            if n >> bit & 1 == 1 {
                json!([[]])
            } else {
                json!([])
            }
        });
        let list: Vec<Value> = bits.collect();
        (json!(list), json!({ "a": list }))
    };
    let (lists, tables): (Vec<_>, Vec<_>) = (0..5_000).map(nested).unzip();
    assert_eq!(told(schema(), json!(lists)), "");
    assert_eq!(told(schema(), json!(tables)), "");
    let long: Vec<String> = (0..100)
        .map(|n| "x".repeat(100_000) + &n.to_string())
        .collect();
    assert_eq!(told(schema(), json!(long)), "");
}

#[test]
fn equal_is_what_json_schema_says() {
    let twice = "it must not hold an element twice";
    for (list, said) in [
        (json!([1, 1.0]), twice),
        (
            json!([{ "a": 1, "b": [0] }, { "b": [-0.0], "a": 1.0 }]),
            twice,
        ),
        (
            json!([1, true, "1", null, [1], { "1": 1 }, [[1]], "", [], {}]),
            "",
        ),
        (json!([u64::MAX, u64::MAX as f64, i64::MIN, 0.5, 1e300]), ""),
        (json!([i64::MIN, i64::MIN as f64]), twice),
        (json!(["a", "b", "a"]), twice),
    ] {
        assert_eq!(
            told(json!({ "uniqueItems": true }), list.clone()),
            said,
            "{list}"
        );
    }
    let schema = json!({ "enum": [1, [2.0], { "a": null, "b": "x" }] });
    for value in [json!(1.0), json!([2]), json!({ "b": "x", "a": null })] {
        assert_eq!(told(schema.clone(), value.clone()), "", "{value}");
    }
    for value in [
        json!(true),
        json!([2, 2]),
        json!({ "b": "x" }),
        json!({ "b": "y", "a": null }),
    ] {
        assert!(
            told(schema.clone(), value.clone()).starts_with("it must be one of"),
            "{value}"
        );
    }
}

#[test]
fn large_enumerations_are_looked_through_soon() {
    let many: Vec<String> = (0..50_000).map(|n| format!("name{n}")).collect();
    let schema = json!({ "items": { "enum": many } });
    told(schema, json!(vec!["x"; 90_000]));
    let objects: Vec<Value> = (0..5_000).map(|n| json!({ "a": { "b": n } })).collect();
    let schema = json!({ "items": { "enum": objects } });
    told(schema, json!(vec![json!({ "a": { "b": -1 } }); 20_000]));
}

#[test]
fn names_and_contents_are_looked_at_soon() {
    let names: serde_json::Map<String, Value> = (0..40_000)
        .map(|n| (format!("name{n}"), json!(n)))
        .collect();
    let patterns: serde_json::Map<String, Value> = (0..500)
        .map(|n| (format!("{n}$"), json!({ "type": "string" })))
        .collect();
    told(json!({ "patternProperties": patterns }), json!(names));
    told(json!({ "propertyNames": { "enum": ["a"] } }), json!(names));
    told(
        json!({ "contains": { "const": 1 }, "minContains": 5 }),
        json!(vec![0; 90_000]),
    );
    let nested = (0..8).fold(
        json!({ "const": 1 }),
        |inner, _| json!({ "contains": inner }),
    );
    let deep = (0..5).fold(json!(0), |inner, _| json!(vec![inner; 9]));
    told(nested, deep);
}

#[test]
fn texts_are_matched_soon_by_every_pattern_and_format() {
    // In time that grows with the text: none of them backtracks.
    for pattern in [
        "^(a+)+$",
        "^(a|a)*b$",
        "^(.*)(.*)(.*)(.*)x$",
        "(a?){300}a{300}$",
    ] {
        told(json!({ "pattern": pattern }), json!("a".repeat(200_000)));
    }
    for format in [
        "email",
        "hostname",
        "uri",
        "iri",
        "uri-template",
        "regex",
        "duration",
    ] {
        for part in ["a", "a.", "xn--", "(", "a@", "{a}"] {
            told(json!({ "format": format }), json!(part.repeat(20_000)));
        }
    }
}

#[test]
fn a_schema_is_compiled_soon_or_refused() {
    let chain = |length: usize| {
        let next = |n: usize| json!({ "$ref": format!("#/$defs/{}", n + 1) });
        let defs: serde_json::Map<String, Value> = (0..length)
            .map(|n| (n.to_string(), next(n)))
            .chain([(length.to_string(), json!({ "type": "string" }))])
            .collect();
        json!({ "$ref": "#/$defs/0", "$defs": defs })
    };
    let said = told(chain(900), json!(1));
    assert_eq!(said, "it must be a string, got a number");
    let said = Schema::compile(chain(20_000)).expect_err("too many");
    assert_eq!(
        said,
        "is not a valid schema: it has more than 1000 references"
    );
    let patterns = |count: usize, pattern: &str| {
        let pattern = |n: usize| (format!("^{n}{pattern}"), json!(true));
        let all: serde_json::Map<String, Value> = (0..count).map(pattern).collect();
        json!({ "patternProperties": all })
    };
    assert!(Schema::compile(patterns(1000, "[a-z]+$")).is_ok());
    let said = Schema::compile(patterns(1001, "$")).expect_err("too many");
    assert_eq!(
        said,
        "is not a valid schema: it has more than 1000 patterns"
    );
    // All of them together may take 16 MiB.
    assert!(Schema::compile(patterns(10, "\\p{L}{5}")).is_ok());
    assert!(Schema::compile(patterns(900, "\\p{L}{5}")).is_err());
}
