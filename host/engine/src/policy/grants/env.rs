//! A grant of a variable, for `kael.env`.

use super::super::document::{Kind, Node};
use super::super::reader::Table;
use super::super::{Mistake, shown};
use super::http::urls;
use super::template::is_variable;
use super::url::UrlPattern;
use crate::secrets::check_name;

/// A variable that a script may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvGrant {
    /// Where it stands.
    pub line: u32,
    /// How scripts name it.
    pub name: String,
    /// Where its value comes from.
    pub value: EnvValue,
    /// The servers to which the host sends its value: a script gets a stand-in for it then, and
    /// never the value.
    pub to: Option<Vec<UrlPattern>>,
}

/// Where the value of a granted variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// A variable of the host.
    Variable(String),
    /// A secret. It is bound to servers, so no script sees it.
    Secret(String),
}

impl EnvGrant {
    pub(super) fn read(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let is_name = |text: &str, mistakes: &mut Vec<Mistake>| {
            let proper = is_variable(text);
            if !proper {
                let message = format!("`{}` is no name of a variable", shown(text));
                mistakes.push(Mistake::new(node.line, message));
            }
            proper
        };
        if let Kind::Word(name) | Kind::Text(name) = &node.kind {
            return is_name(name, mistakes).then(|| Self {
                line: node.line,
                name: name.clone(),
                value: EnvValue::Variable(name.clone()),
                to: None,
            });
        }
        let table = Table::new(
            node,
            &["name", "variable", "secret", "to"],
            "a grant of `env`",
            mistakes,
        )?;
        let name = table.text("name", mistakes);
        if table.get("name").is_none() {
            mistakes.push(Mistake::new(node.line, "a grant of `env` needs `name`"));
        }
        let name = name?;
        let variable = table.text("variable", mistakes);
        let secret = table.text("secret", mistakes);
        let proper = is_name(name, mistakes) && variable.is_none_or(|own| is_name(own, mistakes));
        let to = table.get("to").map(|_| urls(&table, mistakes));
        let mut wrong = |message: String| {
            mistakes.push(Mistake::new(node.line, message));
            None
        };
        let value = match (variable, secret) {
            (Some(_), Some(_)) => {
                return wrong("a grant of `env` has either `variable` or `secret`".to_owned());
            }
            (_, Some(_)) if to.is_none() => {
                return wrong("a secret needs `to`, the servers that it is sent to".to_owned());
            }
            (_, Some(secret)) => match check_name(secret) {
                Ok(()) => EnvValue::Secret(secret.to_owned()),
                Err(why) => return wrong(format!("the secret `{}` {why}", shown(secret))),
            },
            (variable, None) => EnvValue::Variable(variable.unwrap_or(name).to_owned()),
        };
        proper.then(|| Self {
            line: node.line,
            name: name.to_owned(),
            value,
            to,
        })
    }
}
