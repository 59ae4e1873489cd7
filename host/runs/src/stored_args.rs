//! What a script is given, as the store has it.

use serde::{Deserialize, Serialize};

use crate::{Rules, RunsError};

/// What a script is given, as the table has it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct StoredArgs {
    pub(crate) args: Vec<String>,
    /// Names, and the digests of the bytes in hexadecimal.
    pub(crate) inputs: Vec<(String, String)>,
    pub(crate) want_result: bool,
    pub(crate) rules: Rules,
}

/// The error for a document that cannot be written or read.
pub(crate) fn document(error: serde_json::Error) -> RunsError {
    RunsError::Document(error.to_string())
}
