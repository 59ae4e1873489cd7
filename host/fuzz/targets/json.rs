//! The streaming check and the merge of parameters against serde_json's trees of values.
#![no_main]

use kael_engine::gate::fuzzing::{check, merge};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn overlay(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => overlay(base, over),
            (Some(base @ Value::Array(_)), Value::Object(over)) if over.is_empty() => {
                *base = json!([])
            }
            _ => _ = base.insert(key.clone(), value.clone()),
        }
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
    // Deeper than this, building the tree itself would overflow the stack.
    if text.bytes().filter(|byte| b"[{".contains(byte)).count() > 1000 {
        return;
    }
    let parsed = tree(text);
    let checked = check(text);
    match &parsed {
        // Integers that 64 bits do not hold are refused.
        Ok(_) if matches!(&checked, Err(error) if error.contains("does not fit into 64 bits")) => {}
        Ok(value) => assert_eq!(checked.is_ok(), depth(value) <= 128, "{checked:?}"),
        Err(error) => assert!(checked.is_err(), "{error}"),
    }
    let (Ok(Value::Object(params)), Ok(())) = (parsed, checked) else {
        return;
    };
    let definition = json!({ "d": { "a": 1, "o": { "x": [1], "y": { "z": 2 } }, "l": [1, 2] }, "k": { "t": "acme", "o": { "r": { "n": 1 } } } });
    let (defaults, locked) = (
        definition["d"].as_object().unwrap(),
        definition["k"].as_object().unwrap(),
    );
    let Ok(merged) = merge(defaults, text, locked) else {
        return; // a locked key
    };
    let merged = tree(&merged).expect("what is merged is JSON");
    let mut expected = defaults.clone();
    overlay(&mut expected, &params);
    overlay(&mut expected, locked);
    assert_eq!(merged, Value::Object(expected));
    assert_eq!(merged["t"], "acme");
    assert_eq!(merged["o"]["r"]["n"], 1);
});
