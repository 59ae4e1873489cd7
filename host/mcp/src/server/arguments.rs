//! The arguments of the tools, with errors that name the argument and what it may be.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use kael_engine::names::{did_you_mean, nearest};

/// Bytes of a script.
const MAX_CODE: usize = 1 << 20;
/// Arguments of a script.
const MAX_ARGS: usize = 256;

/// Of `run`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The script.
    pub code: String,
    /// What the script finds in `arg`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Whether only actions that change nothing may be called.
    #[serde(default)]
    pub read_only: bool,
    /// Seconds for the whole run.
    #[serde(default)]
    pub timeout: Option<f64>,
}

/// Of `check`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    pub(crate) code: String,
}

/// Of `search`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    #[serde(default)]
    pub(crate) query: String,
    #[serde(default = "ten")]
    pub(crate) limit: usize,
}

fn ten() -> usize {
    10
}

/// Of `describe`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Describe {
    pub(crate) names: Vec<String>,
}

/// Of `result`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobResult {
    pub(crate) run: String,
    #[serde(default)]
    pub(crate) wait: Option<f64>,
    #[serde(default)]
    pub(crate) part: Option<PartName>,
    #[serde(default)]
    pub(crate) from: usize,
}

/// A part of an outcome.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PartName {
    Output,
    Result,
}

/// Reads the arguments of a tool that has these names.
pub(crate) fn read<T: DeserializeOwned>(
    given: Option<Map<String, Value>>,
    names: &[&str],
) -> Result<T, String> {
    let given = given.unwrap_or_default();
    if let Some(wrong) = given.keys().find(|key| !names.contains(&key.as_str())) {
        let near = did_you_mean(nearest(wrong, names.iter().copied()), '`');
        let shown = kael_engine::names::printable(wrong);
        return Err(format!(
            "there is no argument `{shown}`{near}: this tool takes {}",
            names.join(", ")
        ));
    }
    serde_json::from_value(Value::Object(given)).map_err(|error| {
        format!(
            "wrong arguments: {error}; this tool takes {}",
            names.join(", ")
        )
    })
}

/// Refuses what is too large.
pub(crate) fn bounded(code: &str, args: &[String]) -> Result<(), String> {
    if code.len() > MAX_CODE {
        return Err("`code` may have at most 1 MiB".to_owned());
    }
    if args.len() > MAX_ARGS {
        return Err(format!("`args` may have at most {MAX_ARGS} elements"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_slip_in_a_name_gets_the_right_one() {
        let given = json!({ "cod": "return 1" });
        let error = read::<Run>(given.as_object().cloned(), &["code", "args"]).expect_err("wrong");
        assert!(
            error.contains("no argument `cod` (did you mean `code`?)"),
            "{error}"
        );
        let error = read::<Check>(None, &["code"]).expect_err("wrong");
        assert!(error.contains("missing field `code`"), "{error}");
    }
}
