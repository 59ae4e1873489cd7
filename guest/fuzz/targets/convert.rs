//! JSON to Lua and back, against serde_json's trees of values.
#![no_main]

use kael_guest::fuzzing::{Converter, MAX_DEPTH};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

thread_local! {
    static CONVERTER: Converter = Converter::new();
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Integers past 2^63-1 are floats in Lua.
fn as_lua_has_it(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_u64() && !number.is_i64() => Value::from(number.as_f64()),
        Value::Array(list) => list.into_iter().map(as_lua_has_it).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, as_lua_has_it(value))).collect(),
        other => other,
    }
}

fn tree(text: &str) -> Result<Value, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.disable_recursion_limit();
    let value = serde::Deserialize::deserialize(&mut parser)?;
    parser.end()?;
    Ok(value)
}

fuzz_target!(|text: &str| {
    if text.bytes().filter(|byte| b"[{".contains(byte)).count() > 1000 {
        return;
    }
    CONVERTER.with(|converter| match (tree(text), converter.there_and_back(text.as_bytes())) {
        (Ok(value), Ok((compact, pretty))) => {
            let value = as_lua_has_it(value);
            assert!(depth(&value) <= MAX_DEPTH);
            assert_eq!(compact, value.to_string());
            assert_eq!(tree(&pretty).expect("JSON"), value);
        }
        (Ok(value), Err(problem)) => assert!(depth(&value) > MAX_DEPTH, "{problem}"),
        (Err(problem), Ok(_)) => panic!("{problem}"),
        (Err(_), Err(_)) => {}
    });
});
