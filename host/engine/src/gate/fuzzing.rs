//! For the fuzz targets: whether a text is a document, and parameters merged by hand.

use serde_json::{Map, Value};

/// Whether the gate takes the document.
pub fn check(text: &str) -> Result<(), String> {
    let looked = crate::json::check(text);
    looked.map(|_| ()).map_err(|error| error.to_string())
}

/// Parameters over defaults.
pub fn merge(
    defaults: &Map<String, Value>,
    params: &str,
    locked: &Map<String, Value>,
) -> Result<String, String> {
    let look = crate::json::check(params).map_err(|error| error.to_string())?;
    let params =
        super::documents::canonical(params.to_owned(), &look).map_err(|error| error.message)?;
    super::merge::merge(defaults, &params, locked).map_err(|error| format!("{error:?}"))
}
