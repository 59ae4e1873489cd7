//! Throttles, thresholds and sequences over events that say what matches.

use std::sync::Arc;

use kael_engine::sandbox::Verdict;

use super::{After, Match};
use crate::event::Reader;
use crate::package::Manifest;
use crate::schema::Schema;

const SCHEMA: &str = r#"{"schema_version":"1.0","time":{"from":["t"],"format":"ms"},
    "fields":{"1":{"path":"k","type":"string"},"2":{"path":"v","type":"i64"}}}"#;

/// Feeds lines to a rule that shares what it remembers with none.
fn fed(section: &str, lines: &[&str]) -> (Vec<String>, super::Held) {
    fed_beside(1, section, lines)
}

/// Feeds lines of `MILLISECONDS KEY VALUE FUNCTIONS`, and gives what comes out:
/// `TYPE FIRST..LAST xCOUNT` by line numbers.
fn fed_beside(rules: usize, section: &str, lines: &[&str]) -> (Vec<String>, super::Held) {
    let mut out = Vec::new();
    let schema = Schema::read("s", SCHEMA.as_bytes(), &mut out).expect("a schema");
    let text = format!(
        r#"{{"format_version":"1.0","metadata":{{"rule_id":"r","rule_name":"r","rule_version":"1"}},{section}}}"#
    );
    let manifest = Manifest::read("m", text.as_bytes(), &mut out).expect("a manifest");
    assert_eq!(out, [], "{section}");
    let mut reader = Reader::new(&schema, false);
    let mut after = After::new(&manifest, &schema);
    after.share_keys(rules);
    let mut shown = Vec::new();
    let mut show = |found: Vec<super::Found>| {
        for one in found {
            let seq = |event: Option<&Arc<crate::event::Event>>| event.map_or(0, |event| event.seq);
            shown.push(format!(
                "{} {}..{} x{}",
                one.rule_type,
                seq(one.events.first()),
                seq(one.events.last()),
                one.count
            ));
        }
    };
    for (at, line) in lines.iter().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let key = match words[1] {
            "-" => String::new(),
            key => format!(r#","k":"{key}""#),
        };
        let json = format!(r#"{{"t":{},"v":{}{key}}}"#, words[0], words[2]);
        let event = reader
            .event(at as u64 + 1, json.as_bytes())
            .expect("an event");
        let verdict = |c: char| Verdict {
            matched: c == '1',
            ..Verdict::default()
        };
        show(after.take(Match {
            event: Arc::new(event),
            verdicts: words[3].chars().map(verdict).collect(),
            captures: None,
        }));
    }
    show(after.finish());
    (shown, after.held)
}

#[test]
fn a_throttle_lets_the_first_of_a_period_out() {
    let (shown, held) = fed(
        r#""throttle":{"by":["k"],"period_ms":100}"#,
        &[
            "0 a 1 1",
            "50 a 1 1",
            "60 b 1 1",
            "99 a 1 1",
            "100 a 1 1",
            "110 a 1 1",
        ],
    );
    assert_eq!(
        shown,
        [
            "single_event 1..1 x1",
            "single_event 3..3 x1",
            "single_event 5..5 x3",
            "throttled 6..6 x1",
        ]
    );
    assert_eq!(held.suppressed, 3);
}

#[test]
fn a_threshold_counts_within_a_sliding_window() {
    let (shown, held) = fed(
        r#""threshold":{"count":3,"window_ms":100,"by":["k"]}"#,
        &[
            "0 a 1 1",
            "90 a 1 1",
            "110 a 1 1",
            "120 b 1 1",
            "130 a 1 1",
            "140 a 1 1",
            "0 a 1 1",
        ],
    );
    // The first is out of the window when the third comes.
    assert_eq!(shown, ["threshold 2..5 x3"]);
    assert_eq!(held.late, 1);
}

#[test]
fn a_threshold_counts_different_values() {
    let (shown, _) = fed(
        r#""threshold":{"count":2,"window_ms":100,"by":["k"],"distinct":"v"}"#,
        &["0 a 1 1", "1 a 1 1", "2 a 1 1", "3 a 2 1", "4 a 2 1"],
    );
    assert_eq!(shown, ["threshold 1..4 x4"]);
}

#[test]
fn a_sequence_follows_eql() {
    let section = r#""sequence":{"by":["k"],"steps":["a","b","c"],"maxspan_ms":100,"until":"u"}"#;
    let run = |lines: &[&str]| fed(section, lines).0;
    // By key, in order.
    assert_eq!(
        run(&[
            "0 x 0 1000",
            "1 y 0 0100",
            "2 x 0 0100",
            "3 x 0 0010",
            "4 x 0 0010"
        ]),
        ["sequence 1..4 x3"]
    );
    // A new first step overrides a pending first one.
    assert_eq!(
        run(&["0 x 0 1000", "90 x 0 1000", "110 x 0 0100", "120 x 0 0010"]),
        ["sequence 2..4 x3"]
    );
    // One event advances each pending match by one step, the latest state first.
    assert_eq!(
        run(&["0 x 0 1110", "1 x 0 1110", "2 x 0 1110"]),
        ["sequence 1..3 x3"]
    );
    // What advances overrides what is pending in the next state.
    assert_eq!(
        run(&[
            "0 x 0 1000",
            "1 x 0 0100",
            "2 x 0 1000",
            "3 x 0 0100",
            "4 x 0 0010",
            "5 x 0 0010"
        ]),
        ["sequence 3..5 x3"]
    );
    // The end of a key; a span that is too long; an event without the key.
    assert_eq!(
        run(&["0 x 0 1000", "1 x 0 0101", "2 x 0 0100", "3 x 0 0010"]),
        Vec::<String>::new()
    );
    assert_eq!(
        run(&["0 x 0 1000", "1 x 0 0100", "101 x 0 0010"]),
        Vec::<String>::new()
    );
    assert_eq!(
        run(&["0 - 0 1000", "1 - 0 0100", "2 - 0 0010"]),
        Vec::<String>::new()
    );
}

#[test]
fn sequences_of_many_rules_remember_fewer_keys() {
    let section = r#""sequence":{"by":["k"],"steps":["one","two"]}"#;
    let lines = [
        "1 a 1 10", "2 b 1 10", "3 c 1 10", "4 a 1 01", "5 b 1 01", "6 c 1 01",
    ];
    let (found, held) = fed_beside(1, section, &lines);
    assert_eq!((found.len(), held.evicted), (3, 0));
    // Two keys are the part of each of half a million rules: the oldest goes.
    let (found, held) = fed_beside(500_000, section, &lines);
    assert_eq!(found, ["sequence 2..5 x2", "sequence 3..6 x2"]);
    assert_eq!(held.evicted, 1);
    let (found, _) = fed_beside(usize::MAX, section, &lines);
    assert_eq!(found, ["sequence 3..6 x2"]);
}
