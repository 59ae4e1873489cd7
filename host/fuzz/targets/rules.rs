//! Manifests, schemas, Sigma rules, lines of events and a rule's verdicts as anybody could write them: reading
//! them ends, and says the same twice.
#![no_main]

use kael_engine::sandbox::Verdicts;
use kael_rules::event::Reader;
use kael_rules::package::Manifest;
use kael_rules::schema::Schema;
use kael_rules::sigma;
use libfuzzer_sys::fuzz_target;

const SCHEMA: &[u8] = br#"{"schema_version":"1.0","type":{"from":["type","a.b"],"default":"x"},
    "time":{"from":["t","a.t"]},"event_types":{"1":"x","2":"y"},
    "fields":{"1":{"path":"a.b","type":"i64","from":["c"],"coerce":true},
    "2":{"path":"a","type":"string","coerce":true},"3":{"path":"d","type":"u64"},
    "4":{"path":"e","type":"array"},"5":{"path":"f","type":"f64","coerce":true}}}"#;

fuzz_target!(|data: &[u8]| {
    let mut out = Vec::new();
    let manifest = Manifest::read("m", data, &mut out);
    let mut again = Vec::new();
    Manifest::read("m", data, &mut again);
    assert_eq!(out, again);
    assert!(manifest.is_some() || !out.is_empty());
    Schema::read("s", data, &mut out);
    drop(Verdicts::read(data, data.len() % 7, 1 + data.len() % 3));
    let schema = Schema::read("s", SCHEMA, &mut out).expect("it is sound");
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(translated) = sigma::translate(text, &schema)
    {
        // What it writes is a package that loads.
        let mut wrong = Vec::new();
        let manifest = Manifest::read("m", translated.manifest.as_bytes(), &mut wrong);
        assert!(manifest.is_some(), "{wrong:?}");
    }
    let mut reader = Reader::new(&schema, true);
    for (at, line) in data.split(|byte| *byte == b'\n').enumerate() {
        if let Ok(event) = reader.event(at as u64, line) {
            assert_eq!(event.fields.len(), schema.fields.len());
        }
    }
});
