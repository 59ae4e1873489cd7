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
    // A byte order mark at the beginning is passed over.
    let unmarked = text.strip_prefix('\u{feff}').unwrap_or(text);
    CONVERTER.with(
        |converter| match (tree(unmarked), converter.there_and_back(text.as_bytes())) {
            (Ok(value), Ok((compact, pretty))) => {
                assert!(depth(&value) <= MAX_DEPTH);
                assert_eq!(compact, value.to_string());
                assert_eq!(tree(&pretty).expect("JSON"), value);
            }
            // Integers that 64 bits do not hold are refused.
            (Ok(value), Err(error)) => assert!(
                depth(&value) > MAX_DEPTH || error.contains("does not fit into 64 bits"),
                "{error}"
            ),
            (Err(error), Ok(_)) => panic!("{error}"),
            (Err(_), Err(_)) => {}
        },
    );
});
