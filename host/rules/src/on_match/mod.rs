//! What an operator has done about alerts: a file says for which alerts which action is called, and
//! with which parameters.
//!
//! Rules themselves call nothing. The file belongs to the person who runs them, and its calls pass
//! the gate like those of a script.

mod template;

use kael_engine::names;
use kael_engine::policy::{Pattern, value_of};
use kael_engine::settings_file::{Errors, SettingsError, Table, read_settings};
use serde_json::Value;

use crate::alert::Alert;
use crate::package::Severity;
use template::Template;

/// Bytes that the file may have.
pub const MAX_SIZE: u64 = 1 << 20;

/// A file with `on_match`.
#[derive(Debug, Clone)]
pub struct OnMatch {
    /// The file, as the operator named it.
    pub file: String,
    handlers: Vec<Handler>,
}

/// An element of `on_match`.
#[derive(Debug, Clone)]
struct Handler {
    line: u32,
    /// Of which rules; of all where there is none.
    rules: Vec<Pattern>,
    /// How bad they are at least.
    severity: Severity,
    action: String,
    params: Template,
}

/// A call of an action because of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The rule whose alert it is.
    pub rule_id: String,
    /// The action.
    pub action: String,
    /// Its parameters as JSON text; or what the alert lacks of them.
    pub params: Result<String, String>,
}

impl OnMatch {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        let handlers = read_settings(file, text, |root, errors| {
            let mut handlers = Vec::new();
            let keys = &["version", "on_match"];
            let Some(mut table) = Table::of(root, "the file", keys, errors) else {
                return handlers;
            };
            match table.text("version") {
                Some("1") => {}
                Some(_) => table.wrong("version", "must be 1"),
                None => table.wrong_itself("needs `version: 1`"),
            }
            let keys = &["rules", "severity", "action", "params"];
            table.for_tables("on_match", keys, |mut one| {
                handlers.extend(Handler::read(&mut one));
            });
            if table.get("on_match").is_none() {
                table.wrong_itself("needs `on_match`, a list of tables");
            }
            handlers
        })?;
        Ok(Self {
            file: file.to_owned(),
            handlers,
        })
    }

    /// Compares the file with the rules and the actions that there are.
    ///
    /// # Errors
    /// The patterns that match no rule and the actions that do not exist, each with its line.
    pub fn check(
        &self,
        text: &str,
        rules: &[&str],
        mut is_action: impl FnMut(&str) -> Result<(), String>,
    ) -> Result<(), SettingsError> {
        let mut errors = Errors::new();
        for handler in &self.handlers {
            for pattern in &handler.rules {
                if !rules.iter().any(|rule| pattern.matches(rule)) {
                    let near = names::nearest(pattern.as_str(), rules.iter().copied());
                    let hint = names::did_you_mean(near, '`');
                    let shown = pattern.as_str();
                    let why = format!("no rule that is loaded matches `{shown}`{hint}");
                    errors.push((handler.line, why));
                }
            }
            if let Err(why) = is_action(&handler.action) {
                errors.push((handler.line, why));
            }
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(SettingsError::new(&self.file, text, errors)),
        }
    }

    /// What is to be called because of an alert, in the order of the file.
    #[must_use]
    pub fn calls(&self, alert: &Alert) -> Vec<Call> {
        let about = |handler: &&Handler| {
            let rules = &handler.rules;
            alert.severity >= handler.severity
                && (rules.is_empty() || rules.iter().any(|rule| rule.matches(&alert.rule_id)))
        };
        let handlers: Vec<&Handler> = self.handlers.iter().filter(about).collect();
        if handlers.is_empty() {
            return Vec::new();
        }
        let seen: Value = serde_json::from_str(&alert.line).unwrap_or_default();
        let call = |handler: &Handler| Call {
            rule_id: alert.rule_id.clone(),
            action: handler.action.clone(),
            params: match handler.params.fill(&seen) {
                Ok(params) => Ok(params.to_string()),
                Err(path) => Err(format!(
                    "{}:{}: the alert has no `{path}`",
                    self.file, handler.line
                )),
            },
        };
        handlers.into_iter().map(call).collect()
    }
}

impl Handler {
    fn read(table: &mut Table<'_>) -> Option<Self> {
        let rules = table.texts("rules");
        let severity = match table.text("severity") {
            None => Severity::ALL[0],
            Some(name) => Severity::of(name).unwrap_or_else(|| {
                let all = Severity::ALL.map(Severity::name).join(", ");
                table.wrong("severity", &format!("must be one of {all}, got `{name}`"));
                Severity::ALL[0]
            }),
        };
        let Some(action) = table.text("action") else {
            table.wrong_itself("needs an `action`");
            return None;
        };
        let params = match table.get("params").map(value_of) {
            None => Value::Object(serde_json::Map::new()),
            Some(Ok(value @ Value::Object(_))) => value,
            Some(Ok(_)) => {
                table.wrong("params", "must be a table");
                return None;
            }
            Some(Err(mistake)) => {
                table.wrong("params", &format!("is wrong: {}", mistake.message));
                return None;
            }
        };
        match Template::new(params) {
            Ok(params) => Some(Self {
                line: table.line(),
                rules: rules.iter().map(|text| Pattern::new(text)).collect(),
                severity,
                action: action.to_owned(),
                params,
            }),
            Err(why) => {
                table.wrong("params", &why);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(rule: &str, severity: Severity) -> Alert {
        Alert {
            rule_id: rule.to_owned(),
            severity,
            seq: 1,
            captures: None,
            capture_error: None,
            line: format!(
                r#"{{"rule_id":"{rule}","title":"T","events":[{{"fields":{{"process.pid":7}}}}],"context":{{}}}}"#
            ),
        }
    }

    #[test]
    fn an_alert_gives_the_calls_of_the_elements_that_mean_it() {
        let text = "version: 1\non_match:\n  - { rules: \"shell.*\", severity: high, action: a.b, params: { pid: \"${fields.process.pid}\" } }\n  \
                    - { action: c, params: { who: \"${context.captures.who}\" } }\n";
        let file = OnMatch::parse("m.yaml", text).expect("it is right");
        let calls = file.calls(&alert(
            "shell.reverse",
            Severity::of("high").expect("it is one"),
        ));
        assert_eq!(calls[0].params, Ok(r#"{"pid":7}"#.to_owned()));
        assert_eq!(
            calls[1].params,
            Err("m.yaml:4: the alert has no `context.captures.who`".to_owned())
        );
        assert_eq!(file.calls(&alert("other", Severity::ALL[0])).len(), 1);
        let wrong = file.check(text, &["shel.x"], |name| match name {
            "c" => Ok(()),
            _ => Err(format!("there is no action `{name}`")),
        });
        let wrong = wrong.expect_err("two things are wrong").problems;
        assert_eq!(
            wrong,
            [
                "m.yaml:3: no rule that is loaded matches `shell.*` (did you mean `shel.x`?)",
                "m.yaml:3: there is no action `a.b`"
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_has_its_line() {
        for (text, expected) in [
            ("on_match: []", "m.yaml:1: the file needs `version: 1`"),
            (
                "version: 1",
                "m.yaml:1: the file needs `on_match`, a list of tables",
            ),
            (
                "version: 1\non_match:\n  - { acton: a }",
                "m.yaml:3: an element of `on_match` needs an `action`\nm.yaml:3: unknown key `acton` (did you mean `action`?)",
            ),
            (
                "version: 1\non_match:\n  - { action: a, severity: bad }",
                "m.yaml:3: `severity` must be one of",
            ),
            (
                "version: 1\non_match:\n  - { action: a, params: { x: \"${titel}\" } }",
                "m.yaml:3: `params` names `titel`, which no alert has (did you mean `title`?)",
            ),
            (
                "version: 1\non_match:\n  - { action: a, params: [1] }",
                "m.yaml:3: `params` must be a table",
            ),
        ] {
            let error = OnMatch::parse("m.yaml", text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
