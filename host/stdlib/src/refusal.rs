//! The error of a call that no grant opens: it shows the grant that would.

use std::time::Duration;

use kael_engine::failure::{ActionError, Detail, ErrorKind};
use kael_engine::json;
use kael_engine::policy::grants::RULE;

/// Refuses a call. `what` is what was asked for, `grant` the entry of `grants` that would open it,
/// and `file` the policy that has grants and not this one.
pub(crate) fn not_granted(what: &str, grant: &str, file: Option<&str>) -> ActionError {
    let message = match file {
        Some(file) => format!("{what} is not granted by {file}"),
        None => format!("{what} is not granted: no policy has `grants`"),
    };
    let place = file.unwrap_or("policy.yaml");
    ActionError {
        detail: Some(Box::new(Detail {
            rule: Some(RULE.to_owned()),
            file: file.map(str::to_owned),
            hint: Some(format!(
                "{place} could open it with `grants: {{ {grant} }}`"
            )),
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}

/// The error of parameters that mean nothing.
pub(crate) fn invalid(message: impl Into<String>) -> ActionError {
    ActionError::new(ErrorKind::InvalidParams, message)
}

/// How long a call waits: as long as it asks for, or else as usual.
pub(crate) fn wait(asked: Option<f64>, usual: f64, most: f64) -> Result<Duration, ActionError> {
    let wait = asked.unwrap_or(usual);
    match wait > 0.0 && wait <= most {
        true => Ok(Duration::from_secs_f64(wait)),
        false => Err(invalid(format!(
            "`wait` is a number of seconds up to {most}"
        ))),
    }
}

/// Reads the parameters of a call. Long ones are read beside the threads that others need.
pub(crate) async fn read<T: Send + 'static>(
    text: String,
    read: impl FnOnce(&str) -> Result<T, ActionError> + Send + 'static,
) -> Result<T, ActionError> {
    let done = json::aside(text.len(), move || read(&text)).await;
    done.unwrap_or_else(|| Err(interrupted()))
}

/// What only the end of the host can bring about.
pub(crate) fn interrupted() -> ActionError {
    ActionError::new(ErrorKind::Unavailable, "the host was interrupted")
}

/// The parameters of an action as its part takes them.
pub(crate) fn params<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, ActionError> {
    serde_json::from_str(text).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn long_parameters_are_read_on_another_thread() {
        let own = thread::current().id();
        for (size, is_own) in [(10, true), (1 << 20, false)] {
            let text = "x".repeat(size);
            let of = read(text, |text| Ok((text.len(), thread::current().id()))).await;
            let (length, id) = of.expect("it is read");
            assert_eq!((length, id == own), (size, is_own));
        }
    }
}
