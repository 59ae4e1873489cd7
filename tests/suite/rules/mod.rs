//! Rules from outside: packages over streams of events.

mod alerts;
mod hostile;
mod import;
mod on_match;
mod packages;
mod soak;
mod streams;
mod wasm;

use kael_tests::{Kael, Ran};
use serde_json::Value;

/// The schema that most rules here have.
const SCHEMA: &str = r#"{
  "schema_version": "1.0",
  "type": { "from": ["type"], "default": "other" },
  "time": { "from": ["t"], "format": "ms" },
  "event_types": { "1001": "process_exec", "9999": "other" },
  "fields": {
    "1": { "path": "process.pid", "type": "i64" },
    "2": { "path": "process.name", "type": "string" },
    "3": { "path": "parent", "type": "string" },
    "4": { "path": "big", "type": "u64" }
  }
}"#;

fn manifest(id: &str, more: &str) -> String {
    format!(
        r#"{{"format_version":"1.0","metadata":{{"rule_id":"{id}","rule_name":"Rule {id}","rule_version":"1.0.0",
        "severity":"High"}}{more}}}"#
    )
}

trait Rules {
    /// Adds a package with a predicate.
    fn rule(self, id: &str, more: &str, predicate: &str) -> Self;
    /// A session with the schema.
    fn schema(self) -> Self;
}

impl Rules for Kael {
    fn rule(self, id: &str, more: &str, predicate: &str) -> Self {
        self.file(&format!("rules/{id}/manifest.json"), manifest(id, more))
            .file(&format!("rules/{id}/predicate.lua"), predicate)
    }

    fn schema(self) -> Self {
        self.file("rules/schema.json", SCHEMA)
    }
}

fn session() -> Kael {
    Kael::new().schema()
}

fn run(kael: Kael, events: &str) -> Ran {
    kael.words(&["rules", "run", "rules"]).stdin(events).ends()
}

/// The alerts of a run.
fn alerts(ran: &Ran) -> Vec<Value> {
    let lines = ran.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

/// `RULE LINE` of each alert.
fn lines(ran: &Ran) -> Vec<String> {
    let id = |alert: Value| {
        let last = alert["events"]
            .as_array()
            .and_then(|all| all.last().cloned());
        format!(
            "{} {}",
            alert["rule_id"].as_str().unwrap_or_default(),
            last.expect("events")["seq"]
        )
    };
    alerts(ran).into_iter().map(id).collect()
}

const NAMED_NC: &str = r#"
function pred_init() return 0 end
function pred_eval(event)
  return kestrel.event_get_str(event, 2):find("nc", 1, true) ~= nil
end
function pred_capture(event)
  return { pid = kestrel.event_get_i64(event, 1) }
end
"#;

const EVENTS: &str = r#"{"type":"process_exec","t":1000,"process.pid":1,"process.name":"sh"}
{"type":"process_exec","t":2000,"process":{"pid":17790,"name":"nc"},"big":18446744073709551615}
not json

{"type":"process_exec","t":3000,"process.pid":3,"process.name":"ncat"}
"#;
