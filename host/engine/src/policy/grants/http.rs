//! A grant of servers, for `kael.http.*`.

use super::super::document::{Kind, Node};
use super::super::reader::Table;
use super::super::{Mistake, shown};
use super::template::Template;
use super::url::UrlPattern;

/// Servers that a script may send requests to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// Where it stands.
    pub line: u32,
    /// The servers.
    pub to: Vec<UrlPattern>,
    /// The methods; every one, where none is named.
    pub methods: Vec<String>,
    /// Headers that the host adds, and that no script can set then: names in lower case.
    pub headers: Vec<(String, Template)>,
}

/// The methods that scripts can use.
const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

impl HttpGrant {
    pub(super) fn read(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let table = Table::new(
            node,
            &["to", "methods", "headers"],
            "a grant of `http`",
            mistakes,
        )?;
        if table.get("to").is_none() {
            mistakes.push(Mistake::new(node.line, "a grant of `http` needs `to`"));
            return None;
        }
        let mut methods = Vec::new();
        for (method, line) in table.texts("methods", mistakes) {
            let upper = method.to_ascii_uppercase();
            if !METHODS.contains(&upper.as_str()) {
                let message = format!(
                    "`{}` is no method: GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE",
                    shown(method)
                );
                mistakes.push(Mistake::new(line, message));
            }
            methods.push(upper);
        }
        Some(Self {
            line: node.line,
            to: urls(&table, mistakes),
            methods,
            headers: table
                .get("headers")
                .map_or_else(Vec::new, |node| headers(node, mistakes)),
        })
    }

    /// Whether it names a method.
    #[must_use]
    pub fn has_method(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|own| own == method)
    }
}

/// The servers in `to`.
pub(super) fn urls(table: &Table<'_>, mistakes: &mut Vec<Mistake>) -> Vec<UrlPattern> {
    let mut urls = Vec::new();
    for (text, line) in table.texts("to", mistakes) {
        match UrlPattern::parse(text) {
            Some(url) => urls.push(url),
            None => {
                let message = format!(
                    "`{}` is no server: write host:port, or a URL such as https://api.github.com",
                    shown(text)
                );
                mistakes.push(Mistake::new(line, message));
            }
        }
    }
    urls
}

fn headers(node: &Node, mistakes: &mut Vec<Mistake>) -> Vec<(String, Template)> {
    let Kind::Table(entries) = &node.kind else {
        let message = format!("`headers` must be a table, got {}", node.kind.name());
        mistakes.push(Mistake::new(node.line, message));
        return Vec::new();
    };
    let mut headers = Vec::new();
    for (name, line, value) in entries {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$&'*+^`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            let message = format!("`{}` is no name of a header", shown(name));
            mistakes.push(Mistake::new(*line, message));
            continue;
        }
        let (Kind::Word(text) | Kind::Text(text)) = &value.kind else {
            let message = format!("`{}` must be a text", shown(name));
            mistakes.push(Mistake::new(value.line, message));
            continue;
        };
        if let Some(template) = Template::read(text, value.line, mistakes) {
            headers.push((name.to_ascii_lowercase(), template));
        }
    }
    headers
}
