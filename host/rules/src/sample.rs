//! What `rules init` writes: a package with a test that passes, and a schema.

use std::fs;
use std::io;
use std::path::Path;

const SCHEMA: &str = r#"{
  "schema_version": "1.0",
  "type": { "from": ["type"], "default": "other" },
  "time": { "from": ["ts_ns", "@timestamp"] },
  "event_types": { "1001": "process_exec", "4001": "network_connect", "9999": "other" },
  "fields": {
    "1": { "path": "process.pid", "type": "i64", "from": ["pid"], "coerce": true },
    "2": { "path": "process.name", "type": "string", "from": ["name"] }
  }
}
"#;

const PREDICATE: &str = r#"-- Called for every event; true is a match.
function pred_eval(event)
  local name = kestrel.event_get_str(event, 2) -- process.name
  return kestrel.re_match(1, name)
end

-- Called once after a match: what the alert says of it.
function pred_capture(event)
  return { pid = kestrel.event_get_i64(event, 1), name = kestrel.event_get_str(event, 2) }
end
"#;

const TESTS: &str = r#"{"type":"process_exec","ts_ns":1652292622003000000,"process.pid":5,"process.name":"ncat","_expect":{"pid":5}}
{"type":"process_exec","ts_ns":1652292622004000000,"process.pid":6,"process.name":"bash"}
"#;

/// Writes a package into a new folder. The rule's id is the folder's name.
///
/// # Errors
/// When the folder exists, or cannot be written.
pub fn write(folder: &Path, id: &str) -> io::Result<()> {
    fs::create_dir(folder)?;
    fs::create_dir(folder.join("tests"))?;
    let manifest = serde_json::json!({
        "format_version": "1.0",
        "metadata": {
            "rule_id": id,
            "rule_name": "A process that listens",
            "rule_version": "1.0.0",
            "severity": "Medium",
            "description": "A program that opens connections for others was started.",
        },
        "patterns": { "regexes": ["^(nc|ncat|socat)$"] },
        "event_types": ["process_exec"],
        "fields": { "1": "process.pid", "2": "process.name" },
    });
    let manifest = serde_json::to_string_pretty(&manifest)?;
    fs::write(folder.join("manifest.json"), manifest + "\n")?;
    fs::write(folder.join("predicate.lua"), PREDICATE)?;
    fs::write(folder.join("schema.json"), SCHEMA)?;
    fs::write(folder.join("tests/events.jsonl"), TESTS)
}
