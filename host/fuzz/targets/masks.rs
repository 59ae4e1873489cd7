//! What hides secrets, in any bytes that a program may print: the value is gone.
#![no_main]

use kael_engine::secrets::{Masks, SecretValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8], &[u8])| {
    let (value, before, after) = input;
    let Ok(secret) = SecretValue::new(value.to_owned()) else {
        return;
    };
    // What stands in the place of a value may be a part of another.
    if value.contains(['[', ']']) || "[secret t]".contains(value) {
        return;
    }
    let masks = Masks::of(vec![("t".to_owned(), secret)]);
    let printed = [before, value.as_bytes(), after].concat();
    let hidden = masks.hide_json(printed);
    let is_there = |bytes: &[u8]| {
        bytes
            .windows(value.len())
            .any(|part| part == value.as_bytes())
    };
    assert!(!is_there(&hidden));
    let mut text = String::from_utf8_lossy(after).into_owned();
    masks.hide_text(&mut text);
});
