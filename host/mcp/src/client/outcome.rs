//! What the answer of a tool is as the result of an action.

use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};
use serde_json::{Value, json};

use kael_engine::failure::{ActionError, ErrorKind};

use super::connection::words;

/// The result as JSON text.
pub(super) fn read(response: CallToolResponse) -> Result<Vec<u8>, ActionError> {
    let failed = |message: String| ActionError::new(ErrorKind::Failed, message);
    match response {
        CallToolResponse::Complete(result) if result.is_error == Some(true) => {
            Err(failed(words(&text(&result))))
        }
        CallToolResponse::Complete(result) => Ok(value(&result).to_string().into_bytes()),
        CallToolResponse::InputRequired(asked) => {
            let asked = serde_json::to_string(&asked.input_requests).unwrap_or_default();
            Err(failed(format!(
                "the server asks for more than it was given: {}",
                words(&asked)
            )))
        }
        _ => Err(failed(
            "the server answered with a task, which scripts cannot follow".to_owned(),
        )),
    }
}

/// The texts of an answer.
fn text(result: &CallToolResult) -> String {
    let texts = result.content.iter().filter_map(ContentBlock::as_text);
    texts
        .map(|text| text.text.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The structured content; else a lone text, or the JSON that it is; else all of the content.
fn value(result: &CallToolResult) -> Value {
    if let Some(value) = &result.structured_content {
        return value.clone();
    }
    match &result.content[..] {
        [] => Value::Null,
        [ContentBlock::Text(text)] => match serde_json::from_str(&text.text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
            _ => text.text.as_str().into(),
        },
        content => json!({ "content": content }),
    }
}
