//! What a policy opens to the actions of the host: servers, folders, databases, variables.
//!
//! Without a grant nothing is open. Each file with `grants` is held to by itself: a call needs a
//! grant of every one of them, so what an operator and a team open is intersected.

mod db;
mod env;
mod fs;
mod http;
mod template;
mod url;

use std::sync::Arc;

pub use db::DbGrant;
pub use env::{EnvGrant, EnvValue};
pub use fs::FsGrant;
pub use http::HttpGrant;
pub use template::{Part, Template};
pub use url::{Scheme, UrlPattern};

use super::document::{self, Kind, Node};
use super::reader::Table;
use super::{Mistake, PolicyError, error_of};

/// The rule of a call that no grant opens, as its error names it.
pub const RULE: &str = "grants";

/// Grants of one kind in one file.
const MAX_GRANTS: usize = 200;

const KEYS: [&str; 4] = ["http", "fs", "db", "env"];

/// The grants of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileGrants {
    /// The name of the file, for messages.
    pub file: String,
    /// The line of the section.
    pub line: u32,
    /// Servers.
    pub http: Vec<HttpGrant>,
    /// Folders.
    pub fs: Vec<FsGrant>,
    /// Databases.
    pub db: Vec<DbGrant>,
    /// Variables.
    pub env: Vec<EnvGrant>,
}

/// The grants of every file that has the section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    files: Vec<Arc<FileGrants>>,
}

impl Grants {
    /// No grants: nothing is open.
    #[must_use]
    pub const fn none() -> Self {
        Self { files: Vec::new() }
    }

    /// Those of these files.
    #[must_use]
    pub fn of(files: impl Iterator<Item = Arc<FileGrants>>) -> Self {
        Self {
            files: files.collect(),
        }
    }

    /// Whether no file has the section.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files that have the section; a call needs a grant of each.
    #[must_use]
    pub fn files(&self) -> &[Arc<FileGrants>] {
        &self.files
    }

    /// The first grant of each file that fits. None where a file has none that does, or no file has
    /// the section: then that file's name, if there is one.
    ///
    /// # Errors
    /// The file without a grant that fits.
    pub fn in_each<'a, T>(
        &'a self,
        of: impl Fn(&'a FileGrants) -> &'a [T],
        fits: impl Fn(&T) -> bool,
    ) -> Result<Vec<&'a T>, Option<&'a str>> {
        if self.files.is_empty() {
            return Err(None);
        }
        self.files
            .iter()
            .map(|file| {
                let found = of(file).iter().find(|grant| fits(grant));
                found.ok_or(Some(file.file.as_str()))
            })
            .collect()
    }
}

impl FileGrants {
    /// Reads grants that stand in another file than a policy, which messages call `name`.
    ///
    /// # Errors
    /// All that is wrong with them, each with its line.
    pub fn of(node: &Node, name: &str) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let grants = Self::read(node, name, &mut mistakes);
        match mistakes.is_empty() {
            true => Ok(grants),
            false => Err(mistakes),
        }
    }

    /// Reads a text of nothing but grants, which messages call `name`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let node = document::parse(text).map_err(|mistake| vec![mistake]);
        let grants = node.and_then(|node| Self::of(&node, name));
        grants.map_err(|mistakes| error_of(name, text, mistakes))
    }

    /// Reads the section of a file.
    pub(super) fn read(node: &Node, file: &str, mistakes: &mut Vec<Mistake>) -> Self {
        let mut grants = Self {
            file: file.to_owned(),
            line: node.line,
            ..Self::default()
        };
        // `grants:` with nothing behind it opens nothing.
        if node.kind == Kind::Nothing {
            return grants;
        }
        if let Some(table) = Table::new(node, &KEYS, "`grants`", mistakes) {
            grants.http = list(&table, "http", mistakes, HttpGrant::read);
            grants.fs = list(&table, "fs", mistakes, FsGrant::read);
            grants.db = list(&table, "db", mistakes, DbGrant::read);
            grants.env = list(&table, "env", mistakes, EnvGrant::read);
        }
        grants
    }

    /// The line of the first grant that opens an action to some call.
    #[must_use]
    pub fn line_of(&self, action: &str) -> Option<u32> {
        let family = action.split('.').nth(1)?;
        match family {
            "http" | "ws" => self.http.first().map(|grant| grant.line),
            "fs" => self.fs.first().map(|grant| grant.line),
            "db" => self.db.first().map(|grant| grant.line),
            "env" => self.env.first().map(|grant| grant.line),
            _ => None,
        }
    }
}

fn list<T>(
    table: &Table<'_>,
    key: &str,
    mistakes: &mut Vec<Mistake>,
    read: impl Fn(&Node, &mut Vec<Mistake>) -> Option<T>,
) -> Vec<T> {
    let Some(node) = table.get(key) else {
        return Vec::new();
    };
    let elements = match &node.kind {
        Kind::List(elements) if elements.len() <= MAX_GRANTS => elements,
        Kind::List(_) => {
            let message = format!("`{key}` has at most {MAX_GRANTS} grants");
            mistakes.push(Mistake::new(node.line, message));
            return Vec::new();
        }
        other => {
            let message = format!("`{key}` must be a list of grants, got {}", other.name());
            mistakes.push(Mistake::new(node.line, message));
            return Vec::new();
        }
    };
    elements
        .iter()
        .filter_map(|element| read(element, mistakes))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::PolicyFile;
    use super::*;

    fn grants(text: &str) -> Result<FileGrants, String> {
        let text = format!("version: 1\ngrants:\n{text}");
        let file = PolicyFile::parse("p.yaml", &text).map_err(|error| error.to_string())?;
        Ok((*file.grants.expect("grants")).clone())
    }

    #[test]
    fn every_kind_is_read() {
        let all = grants(
            "  http:\n    - { to: [\"a.internal:9090\", \"https://api.github.com/repos\"], methods: [GET], headers: { Authorization: \"Bearer {env:TOKEN}\" } }\n  fs: [{ path: ./data, as: /data, mode: read-write }, { path: /srv }]\n  db: [{ name: billing, url: \"{env:URL}\", max_rows: 10 }]\n  env: [CI, { name: TOKEN, variable: GH, to: [\"https://api.github.com\"] }, { name: S, secret: a/b, to: \"a:1\" }]\n",
        )
        .expect("grants");
        assert_eq!(all.http[0].to.len(), 2);
        assert_eq!(all.http[0].methods, ["GET"]);
        assert_eq!(all.fs[1].seen_as, "/srv");
        assert!(all.fs[0].writable && !all.fs[1].writable);
        assert!(all.db[0].read_only && all.db[0].max_rows == 10);
        assert_eq!(all.env[0].value, EnvValue::Variable("CI".to_owned()));
        assert!(all.env[0].to.is_none() && all.env[1].to.is_some());
        assert_eq!(all.env[2].value, EnvValue::Secret("a/b".to_owned()));
        assert_eq!(all.line_of("kael.http.get"), Some(4));
        assert_eq!(
            grants("  fs: []\n").expect("empty").line_of("kael.fs.read"),
            None
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, error) in [
            (
                "  htp: []\n",
                "p.yaml:3: unknown key `htp` (did you mean `http`?)",
            ),
            (
                "  http: x\n",
                "p.yaml:3: `http` must be a list of grants, got a word",
            ),
            ("  http: [{}]\n", "p.yaml:3: a grant of `http` needs `to`"),
            (
                "  http: [{ to: \"x\" }]\n",
                "p.yaml:3: `x` is no server: write host:port, or a URL such as https://api.github.com",
            ),
            (
                "  http: [{ to: \"ftp://x\" }]\n",
                "p.yaml:3: `ftp://x` is no server: write host:port, or a URL such as https://api.github.com",
            ),
            (
                "  http: [{ to: \"a:1\", methods: [GOT] }]\n",
                "p.yaml:3: `GOT` is no method: GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE",
            ),
            (
                "  http: [{ to: \"a:1\", headers: { A: \"{secret:x y}\" } }]\n",
                "p.yaml:3: the secret `x y` is no name of a secret: words of letters, digits, `_`, `-` and `.`, joined by `/`",
            ),
            (
                "  env: [{ name: A, secret: x/y }]\n",
                "p.yaml:3: a secret needs `to`, the servers that it is sent to",
            ),
            (
                "  env: [{ name: A, secret: x/y, variable: B, to: \"a:1\" }]\n",
                "p.yaml:3: a grant of `env` has either `variable` or `secret`",
            ),
            (
                "  http: [{ to: \"a:1\", headers: { \"A B\": x } }]\n",
                "p.yaml:3: `A B` is no name of a header",
            ),
            (
                "  fs: [{ as: /x }]\n",
                "p.yaml:3: a grant of `fs` needs `path`",
            ),
            (
                "  fs: [{ path: x, as: y }]\n",
                "p.yaml:3: `as` must be an absolute path without `.` and `..`, such as /data",
            ),
            (
                "  db: [{ name: x }]\n",
                "p.yaml:3: a grant of `db` needs `url`",
            ),
            (
                "  env: [\"A B\"]\n",
                "p.yaml:3: `A B` is no name of a variable",
            ),
        ] {
            assert_eq!(grants(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn files_are_intersected() {
        let read = |text: &str| Arc::new(grants(text).expect("grants"));
        let team = read("  env: [A, B]\n");
        let operator = read("  env: [B]\n");
        let both = Grants::of([team.clone(), operator].into_iter());
        let find = |grants: &Grants, name: &str| {
            let found = grants.in_each(|file| &file.env, |grant| grant.name == name);
            found
                .map(|found| found.len())
                .map_err(|file| file.map(str::to_owned))
        };
        assert_eq!(find(&both, "B"), Ok(2));
        assert_eq!(find(&both, "A"), Err(Some("p.yaml".to_owned())));
        assert_eq!(find(&Grants::of([team].into_iter()), "A"), Ok(1));
        assert_eq!(find(&Grants::none(), "A"), Err(None));
    }
}
