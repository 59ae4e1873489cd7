//! The forms in which programs print a value.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::text;

/// A part of a value that is shorter is found by chance.
const SHORTEST: usize = 8;
/// Parts of one value that are looked for by themselves.
const MAX_PARTS: usize = 1000;

/// Every text that stands for the value: the value itself, its lines and the texts in it if it is JSON, each as it is and
/// as JSON, in addresses, in hexadecimal and in base64 behind any other bytes.
pub(super) fn of(value: &str) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    for part in parts(value) {
        all.insert(part.as_bytes().to_vec());
        all.extend(json(part.as_str()));
        all.extend(percent(part.as_bytes()));
        all.extend(hex(part.as_bytes()));
        all.extend(base64(part.as_bytes()));
    }
    all
}

/// The value, its lines, and the texts of its JSON.
fn parts(value: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::from([value.to_owned()]);
    let mut add = |part: &str| {
        let part = part.trim();
        if part.len() >= SHORTEST && parts.len() < MAX_PARTS {
            parts.insert(part.to_owned());
        }
    };
    value.lines().for_each(&mut add);
    if value.trim_start().starts_with(['{', '['])
        && let Ok(tree) = serde_json::from_str::<Value>(value)
    {
        let mut open = vec![&tree];
        while let Some(node) = open.pop() {
            match node {
                Value::String(text) => {
                    add(text);
                    text.lines().for_each(&mut add);
                }
                Value::Array(elements) => open.extend(elements),
                Value::Object(fields) => open.extend(fields.values()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }
    parts
}

/// Inside of a text of JSON: as most programs write it, with `\/`, with nothing but ASCII, and with nothing but escapes.
fn json(part: &str) -> [Vec<u8>; 6] {
    let quoted = Value::from(part).to_string();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let escaped = |text: &str, all: bool, upper: bool| {
        let mut out = String::new();
        for c in text.chars() {
            if c.is_ascii() && !all {
                out.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                out += &match upper {
                    true => format!("\\u{unit:04X}"),
                    false => format!("\\u{unit:04x}"),
                };
            }
        }
        out.into_bytes()
    };
    let ascii = |upper: bool| escaped(&plain, false, upper);
    let all = |upper: bool| escaped(part, true, upper);
    [
        ascii(false),
        ascii(true),
        all(false),
        all(true),
        plain.replace('/', "\\/").into_bytes(),
        plain.into_bytes(),
    ]
}

/// In addresses and forms.
fn percent(part: &[u8]) -> Vec<Vec<u8>> {
    let form = |kept: &[u8], upper: bool, plus: bool| {
        let mut out = Vec::new();
        for byte in part {
            match byte {
                b' ' if plus => out.push(b'+'),
                byte if byte.is_ascii_alphanumeric() || kept.contains(byte) => out.push(*byte),
                byte if upper => out.extend(format!("%{byte:02X}").bytes()),
                byte => out.extend(format!("%{byte:02x}").bytes()),
            }
        }
        out
    };
    // Of a component, as browsers write one, of a form, as Python quotes, and of a path.
    let kept: [&[u8]; 5] = [
        b"-_.~",
        b"-_.!~*'()",
        b"*-._",
        b"-_.~/",
        b"-_.~/:@!$&'()*+,;=",
    ];
    let mut all = Vec::new();
    for kept in kept {
        for upper in [true, false] {
            all.push(form(kept, upper, false));
            all.push(form(kept, upper, true));
        }
    }
    all
}

fn hex(part: &[u8]) -> [Vec<u8>; 2] {
    let lower = text::hex(part);
    [lower.to_uppercase().into_bytes(), lower.into_bytes()]
}

/// What is the same of the base64 of any text that holds the part: behind a multiple of three bytes, or one or two more.
fn base64(part: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for before in 0..3 {
        let bytes = [&[0; 3][..before], part].concat();
        // A sign has six bits. Those that depend on what stands around are left out.
        let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for encoded in [
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ] {
            all.push(encoded.as_bytes()[from..to].to_vec());
        }
    }
    all
}
