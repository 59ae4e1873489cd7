//! The one JSON document of Assay's tool mode.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::exit;

/// A result with more bytes is cut, and marked.
const MAX_OUTPUT: usize = 512 << 10;

/// The document for the end of a run: its result, or its error.
pub(crate) fn envelope(
    code: u8,
    result: &RawValue,
    error: Option<&Value>,
    run: Option<&str>,
) -> Value {
    let message = error.and_then(|error| error["message"].as_str());
    match code {
        exit::SUCCESS => {
            let text = result.get();
            if text.len() <= MAX_OUTPUT {
                return json!({ "ok": true, "status": "ok", "output": result, "requiresApproval": null });
            }
            let cut: String = text
                .char_indices()
                .take_while(|(at, _)| *at < MAX_OUTPUT)
                .map(|(_, char)| char)
                .collect();
            json!({ "ok": true, "status": "ok", "output": cut, "requiresApproval": null, "truncated": true })
        }
        exit::WAITS => json!({
            "ok": true,
            "status": "needs_approval",
            "output": null,
            "requiresApproval": { "prompt": message, "context": null, "resumeToken": run },
        }),
        code => {
            let limit = error.and_then(|error| error["limit"].as_str());
            let is_time = code == exit::LIMIT && matches!(limit, Some("wall" | "cpu" | "timeout"));
            let status = if is_time { "timeout" } else { "error" };
            json!({ "ok": false, "status": status, "error": message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_result_is_cut_and_marked() {
        let text = format!("\"{}\"", "ä".repeat(MAX_OUTPUT));
        let raw = RawValue::from_string(text).expect("JSON");
        let document = envelope(0, &raw, None, None);
        assert_eq!(document["truncated"], true);
        assert!(document["output"].as_str().expect("text").len() <= MAX_OUTPUT + 4);
    }
}
