//! One span, and how OTLP writes it in JSON.

use kael_engine::text::hex;
use serde_json::{Value, json};

/// A piece of work that is over.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) trace: [u8; 16],
    pub(crate) id: [u8; 8],
    pub(crate) parent: Option<[u8; 8]>,
    pub(crate) name: String,
    /// Nanoseconds since 1970.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Texts, numbers, and null for what is not known.
    pub(crate) attributes: Vec<(&'static str, Value)>,
    /// Why it failed, if it did.
    pub(crate) failed: Option<String>,
}

/// An internal operation.
const INTERNAL: u8 = 1;
const OK: u8 = 1;
const ERROR: u8 = 2;

impl Span {
    fn document(&self) -> Value {
        let attributes = self.attributes.iter();
        let attributes = attributes
            .filter_map(|(key, value)| Some(json!({ "key": key, "value": any_value(value)? })));
        let mut span = json!({
            "traceId": hex(&self.trace),
            "spanId": hex(&self.id),
            "name": self.name,
            "kind": INTERNAL,
            // Numbers of 64 bits are texts in the JSON of Protocol Buffers.
            "startTimeUnixNano": self.start.to_string(),
            "endTimeUnixNano": self.end.max(self.start).to_string(),
            "attributes": attributes.collect::<Vec<_>>(),
            "status": match &self.failed {
                None => json!({ "code": OK }),
                Some(why) => json!({ "code": ERROR, "message": why }),
            },
        });
        if let Some(parent) = &self.parent {
            span["parentSpanId"] = hex(parent).into();
        }
        span
    }
}

fn any_value(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(json!({ "stringValue": text })),
        Value::Number(number) => Some(json!({ "intValue": number.to_string() })),
        _ => None,
    }
}

/// A request to a collector.
pub(super) fn request(spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().map(Span::document).collect();
    let version = env!("CARGO_PKG_VERSION");
    let attribute =
        |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            attribute("service.name", "kael"),
            attribute("service.version", version),
        ] },
        "scopeSpans": [{ "scope": { "name": "kael-server", "version": version }, "spans": spans }],
    }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_the_protocol_says() {
        let span = Span {
            trace: [0xab; 16],
            id: [1; 8],
            parent: Some([2; 8]),
            name: "k8s.scale".to_owned(),
            start: 1_700_000_000_000_000_000,
            end: 1,
            attributes: vec![("a", json!("x")), ("b", json!(5)), ("c", Value::Null)],
            failed: Some("no luck".to_owned()),
        };
        let request = request(&[span]);
        let written = &request["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(
            written,
            &json!({
                "traceId": "ab".repeat(16),
                "spanId": "0101010101010101",
                "parentSpanId": "0202020202020202",
                "name": "k8s.scale",
                "kind": 1,
                "startTimeUnixNano": "1700000000000000000",
                "endTimeUnixNano": "1700000000000000000",
                "attributes": [
                    { "key": "a", "value": { "stringValue": "x" } },
                    { "key": "b", "value": { "intValue": "5" } },
                ],
                "status": { "code": 2, "message": "no luck" },
            })
        );
    }
}
