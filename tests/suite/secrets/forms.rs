//! No form of a value is in anything that Kael writes: five hundred values, each in every form in which programs print one.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use kael_tests::Kael;

use super::each_file;

/// Prints every token of the parameters in every form, and writes them to stderr.
const ECHO: &str = r#"
import base64, json, sys, urllib.parse
given = json.load(sys.stdin)
out = []
for text in given["tokens"]:
    raw = text.encode()
    forms = [text, json.dumps(text), json.dumps(text, ensure_ascii=False), raw.hex(), raw.hex().upper(),
             urllib.parse.quote(text, safe=""), urllib.parse.quote(text), urllib.parse.quote_plus(text),
             "".join("\\u%04x" % ord(c) for c in text)]
    for before in (b"", b"x", b"xy"):
        forms.append(base64.b64encode(before + raw).decode())
        forms.append(base64.urlsafe_b64encode(before + raw).decode())
    out.append(forms)
    print(*forms, file=sys.stderr)
json.dump({"forms": out, "ascii": given["tokens"], given["tokens"][0]: 1}, sys.stdout)
"#;

#[test]
fn no_form_of_any_value_is_in_any_output_file_log_page_or_cache() {
    // Five runs with as many as one may have.
    (11..16).for_each(no_form_is_anywhere);
}

fn no_form_is_anywhere(seed: u64) {
    const COUNT: usize = 100;
    let kael = Kael::new();
    let folder = kael.path().display().to_string();
    // Values that look random, and are the same in every run of the test.
    let mut state = seed;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % bound
    };
    let signs: Vec<char> = ('!'..='~').chain("äß€".chars()).collect();
    let mut list = "version: 1\nsecrets:\n".to_owned();
    let (mut values, mut handles) = (Vec::new(), String::new());
    std::fs::create_dir(kael.path().join("values")).expect("a folder");
    for at in 0..COUNT {
        let length = 12 + next(20);
        let value: String = (0..length).map(|_| signs[next(signs.len())]).collect();
        std::fs::write(kael.path().join(format!("values/v{at}")), &value).expect("a file");
        list += &format!("  v{at}: {{ file: {folder}/values/v{at} }}\n");
        handles += &format!("{{ ['$secret'] = 'v{at}' }},");
        values.push(value);
    }
    let ran = kael
        .file("config/kael/secrets.yaml", list)
        .file(
            "p.yaml",
            "version: 1\ndefault: allow\nsecrets: [{ use: \"v*\", in: t.echo }]\n",
        )
        .file("impl/echo.py", ECHO)
        .define(
            "echo",
            "source = '../impl', entrypoint = 'echo.py', executor = 'native', params = { tokens = 'secret[]' }, cache = '1h'",
        )
        .option(&["-vv"])
        .run_with(&[
            "--policy", "p.yaml", "--record", "r.json", "--trace", "t.json", "--html", "p.html",
            "--audit", "audit.jsonl",
        ])
        .script(&format!(
            "local r = actions.t.echo({{ tokens = {{ {handles} }} }}) print(json.pretty(r)) report.table({{ {{ all = json.encode(r):sub(1, 5000) }} }})"
        ));
    ran.exits(0);
    assert!(ran.stdout.contains("[secret v99]"), "{}", ran.stderr);
    std::fs::remove_dir_all(ran.path().join("values")).expect("they are there");
    let starts: HashSet<[u8; START]> = values.iter().flat_map(|value| starts(value)).collect();
    assert!(starts.len() > 7 * COUNT);
    for (text, place) in [(&ran.stdout, "stdout"), (&ran.stderr, "stderr")] {
        assert_eq!(start_in(text.as_bytes(), &starts), None, "{place}: {text}");
    }
    let mut files = 0;
    each_file(ran.path(), &mut |path, content| {
        files += 1;
        assert_eq!(start_in(content, &starts), None, "{}", path.display());
    });
    // The record, the trace, the page, the log of calls and the kept result are among them.
    assert!(files >= 8, "{files}");
    let record = std::fs::read_to_string(ran.path().join("r.json")).expect("a record");
    assert!(record.contains("[secret v99]"), "{record}");
}

/// Bytes by which a form of a value is recognised: no value is shorter.
const START: usize = 12;

/// How every form of a value starts that the action prints.
fn starts(value: &str) -> Vec<[u8; START]> {
    let ascii = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_ascii() => c.to_string(),
        c => format!("\\u{:04x}", u32::from(c)),
    };
    let quote = |kept: &str| -> String {
        let each = value.bytes().map(|byte| match char::from(byte) {
            c if c.is_ascii_alphanumeric() || kept.contains(c) => c.to_string(),
            _ => format!("%{byte:02X}"),
        });
        each.collect()
    };
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        value.to_owned(),
        value.chars().map(ascii).collect(),
        serde_json::Value::from(value).to_string()[1..].to_owned(),
        hex.to_uppercase(),
        hex,
        quote("_.-~"),
        quote("_.-~/"),
        value
            .chars()
            .map(|c| format!("\\u{:04x}", u32::from(c)))
            .collect(),
    ];
    for (before, shared) in [("", 0), ("x", 2), ("xy", 3)] {
        let bytes = format!("{before}{value}");
        for engine in [STANDARD, URL_SAFE] {
            // What stands before shares the first characters.
            forms.push(engine.encode(&bytes)[shared..].to_owned());
        }
    }
    let start = |form: String| form.as_bytes()[..START].try_into().expect("long enough");
    forms.into_iter().map(start).collect()
}

/// The first of these that stands in some bytes.
fn start_in(content: &[u8], starts: &HashSet<[u8; START]>) -> Option<String> {
    let mut parts = content.windows(START);
    let found =
        parts.find(|part| <[u8; START]>::try_from(*part).is_ok_and(|part| starts.contains(&part)));
    found.map(|part| String::from_utf8_lossy(part).into_owned())
}
