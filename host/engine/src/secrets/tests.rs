use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

use super::*;

fn masks(values: &[(&str, &str)]) -> Masks {
    let value = |(name, text): &(&str, &str)| {
        let value = SecretValue::new((*text).to_owned()).expect("a value");
        ((*name).to_owned(), value)
    };
    Masks::of(values.iter().map(value).collect())
}

fn hidden(masks: &Masks, text: &str) -> String {
    String::from_utf8(masks.hide_json(text.as_bytes().to_vec())).expect("text")
}

/// Every form of a text that a program may print.
fn forms(text: &str) -> Vec<String> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent = |kept: &str| -> String {
        let form = |byte: u8| match char::from(byte) {
            c if c.is_ascii_alphanumeric() || kept.contains(c) => c.to_string(),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(form).collect()
    };
    let json = Value::from(text).to_string();
    let units: String = text
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    let mut all = vec![
        text.to_owned(),
        json[1..json.len() - 1].to_owned(),
        hex.to_uppercase(),
        hex,
        percent("-_.~"),
        percent("-_.~").replace("%20", "+"),
        percent("-_.!~*'()"),
        format!("\"{units}\""),
    ];
    for before in ["", "x", "xy", "a long prefix "] {
        let bytes = format!("{before}{text} and more");
        all.push(STANDARD.encode(&bytes));
        all.push(URL_SAFE.encode(&bytes));
    }
    all
}

/// Numbers that look random, and are the same in every run of the test.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

#[test]
fn no_form_of_five_hundred_values_is_left() {
    let mut numbers = Numbers(7);
    for _ in 0..500 {
        let length = 8 + numbers.below(40);
        let signs: Vec<char> = match numbers.below(3) {
            0 => ('a'..='z').chain('0'..='9').collect(),
            1 => (' '..='~').collect(),
            _ => ('!'..='~').chain("äß€😀\n\t\"\\/".chars()).collect(),
        };
        let text: String = (0..length)
            .map(|_| signs[numbers.below(signs.len() as u64) as usize])
            .collect();
        let masks = masks(&[("a/b", &text)]);
        for form in forms(&text) {
            let shown = hidden(&masks, &format!("<<{form}>>"));
            assert!(
                shown.contains("[secret a/b]"),
                "{text:?} as {form:?} is {shown:?}"
            );
            // Of base64 the signs that it shares with other bytes may stay.
            assert!(shown.len() <= 80, "{text:?} as {form:?} is {shown:?}");
            assert!(!shown.contains(&text));
        }
    }
}

#[test]
fn lines_and_texts_of_a_value_are_hidden_by_themselves() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nshort\nkqhkiG9w0BAQ\n";
    let masks = masks(&[
        ("ssh", key),
        ("json", r#"{"user":"me","password":"hunter2hunter2"}"#),
    ]);
    assert_eq!(hidden(&masks, "kqhkiG9w0BAQ"), "[secret ssh]");
    assert_eq!(hidden(&masks, "pw=hunter2hunter2;"), "pw=[secret json];");
    assert_eq!(hidden(&masks, "short me"), "short me");
    assert_eq!(
        hidden(&masks, &Value::from(key).to_string()),
        "\"[secret ssh]\""
    );
}

#[test]
fn json_within_json_stays_json() {
    let masks = masks(&[("t", "äbcdefgh\\"), ("n", "nabcdefgh")]);
    for text in [
        "äbcdefgh\\",
        "\"äbcdefgh\\\\\"",
        "\nabcdefgh",
        "\\u00e4bcdefgh\\\\",
    ] {
        for inner in [Value::from(text).to_string(), text.to_owned()] {
            let outer = json!({ "a": inner, "b": [inner] }).to_string();
            for outer in [outer.replace('ä', "\\u00e4"), outer] {
                let shown = hidden(&masks, &outer);
                let read: Value = serde_json::from_str(&shown).expect("JSON");
                let read = read["a"].as_str().expect("text").to_owned();
                assert!(
                    !read.contains("bcdefgh") || read.contains("\nabcdefgh"),
                    "{shown}"
                );
            }
        }
    }
}

#[test]
fn values_that_overlap_are_hidden_whole() {
    let masks = masks(&[
        ("one", "abcdefgh"),
        ("two", "efghijkl"),
        ("three", "abcdefghijklmnop"),
    ]);
    assert_eq!(hidden(&masks, "-abcdefghijkl-"), "-[secret one]-");
    assert_eq!(
        hidden(&masks, "-efghijkl-abcdefgh"),
        "-[secret two]-[secret one]"
    );
    assert_eq!(hidden(&masks, "abcdefghijklmnopq"), "[secret three]q");
}

#[test]
fn a_text_that_was_cut_shows_no_part_of_a_value() {
    let masks = masks(&[("t", "hunter2-hunter3")]);
    for (text, expected) in [
        ("failed: hunter2-hun", "failed: [secret t]"),
        ("2-hunter3 refused", "[secret t] refused"),
        ("a hunt for hunter3", "a hunt for hunter3"),
    ] {
        let mut text = text.to_owned();
        masks.hide_text(&mut text);
        assert_eq!(text, expected);
    }
}

#[test]
fn handles_stand_where_they_are_declared() {
    use crate::catalog::SecretStep::{Every, Key};
    let places = vec![
        vec![Key("token".into())],
        vec![Key("keys".into()), Every, Key("k".into())],
    ];
    let document =
        json!({ "token": handle("a"), "keys": [{ "k": handle("b") }], "x": { "$secret": 1 } });
    let names = named(&document, &places).expect("declared");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    for (document, path) in [
        (json!({ "tokens": handle("a") }), "tokens"),
        (json!({ "token": { "t": handle("a") } }), "token.t"),
        (json!({ "keys": [{ "k": [handle("a")] }] }), "keys[1].k[1]"),
        (json!({ "keys": { "k": handle("a") } }), "keys.k"),
    ] {
        assert_eq!(named(&document, &places), Err(Misplaced(path.to_owned())));
    }
    let mut document = document;
    let replaced = replaced(&mut document, &places, &mut |path, _| {
        Ok::<_, ()>(Value::from(path))
    });
    assert_eq!(replaced, Ok(()));
    assert_eq!(
        document,
        json!({ "token": "token", "keys": [{ "k": "keys.1.k" }], "x": { "$secret": 1 } })
    );
}

#[test]
fn names_and_values_have_bounds() {
    for good in ["a", "github/deploy", "A_b-c.d/e"] {
        assert_eq!(check_name(good), Ok(()));
    }
    for bad in [
        "",
        "/a",
        "a//b",
        "a b",
        "a/../b",
        "a\n",
        "ä",
        &"a".repeat(101),
    ] {
        assert!(check_name(bad).is_err(), "{bad}");
    }
    assert_eq!(
        SecretValue::new("1234567".to_owned()).err(),
        Some(BadValue::Short(7))
    );
    assert!(SecretValue::new("x".repeat(70_000)).is_err());
    assert!(SecretValue::new("1234\x005678".to_owned()).is_err());
    let value = SecretValue::new("12345678".to_owned()).expect("a value");
    assert_eq!(format!("{value:?}"), "SecretValue");
}

#[test]
fn what_a_run_knows_of_has_a_bound() {
    let run = RunSecrets::default();
    let value = |text: String| SecretValue::new(text).expect("a value");
    for number in 0..100 {
        run.keep(
            &format!("result/{number}"),
            value(format!("value {number:04}")),
        )
        .expect("room");
    }
    let more = || run.keep("result/100", value("value 0100".to_owned()));
    let error = more().expect_err("there is no room").to_string();
    assert_eq!(
        error,
        "one run may use 100 secrets of 64 KiB together, and `result/100` is beyond that"
    );
    // One that it knows of takes no more room.
    run.keep("result/7", value("value 0007".to_owned()))
        .expect("room");
    let run = RunSecrets::default();
    run.keep("result/1", value("x".repeat(64 << 10)))
        .expect("room");
    assert!(run.keep("result/2", value("12345678".to_owned())).is_err());
}
