//! The digest by which a tool that has changed is known.

use kael_engine::text::hex;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a tool as its server describes it. Keys are sorted, so the order of fields on the
/// wire does not matter.
pub(super) fn digest(tool: &rmcp::model::Tool) -> String {
    let said = json!({
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": *tool.input_schema,
        "outputSchema": tool.output_schema.as_deref(),
        "annotations": tool.annotations,
    });
    hex(&Sha256::digest(said.to_string().as_bytes()))
}
