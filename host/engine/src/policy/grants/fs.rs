//! A grant of a folder, for `kael.fs.*`.

use super::super::Mistake;
use super::super::document::Node;
use super::super::reader::Table;
use crate::catalog::is_plain_path;

/// A folder that a script sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsGrant {
    /// Where it stands.
    pub line: u32,
    /// The folder on this machine: absolute, or relative to the actions repo.
    pub path: String,
    /// The path by which scripts name it.
    pub seen_as: String,
    /// Whether scripts may write there.
    pub writable: bool,
}

impl FsGrant {
    pub(super) fn read(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let table = Table::new(node, &["path", "as", "mode"], "a grant of `fs`", mistakes)?;
        let path = table.text("path", mistakes);
        if table.get("path").is_none() {
            mistakes.push(Mistake::new(node.line, "a grant of `fs` needs `path`"));
        }
        let modes = [("read", false), ("read-write", true)];
        let writable = table.choice("mode", &modes, mistakes).unwrap_or(false);
        let path = path?;
        let seen_as = match table.text("as", mistakes) {
            Some(text) => text,
            None => path,
        };
        if !is_plain_path(seen_as) {
            let message = "`as` must be an absolute path without `.` and `..`, such as /data";
            mistakes.push(Mistake::new(node.line, message));
            return None;
        }
        Some(Self {
            line: node.line,
            path: path.to_owned(),
            seen_as: seen_as.to_owned(),
            writable,
        })
    }
}
