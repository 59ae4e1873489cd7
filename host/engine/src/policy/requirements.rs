//! What a policy wants of the definition of an action, whatever its calls hold.

use super::document::Node;
use super::reader::Table;
use super::{Mistake, SourceKind};
use crate::catalog::{Definition, Executor, McpServer};
use crate::policy::Source;

/// What one file requires: each with the line that says so.
#[derive(Debug, Clone, Default)]
pub(super) struct Requirements {
    /// Native actions say what they read, and no server of an MCP tool is a program of this machine.
    pub(super) confined_reads: Option<u32>,
}

impl Requirements {
    /// Reads the table behind `require`.
    pub(super) fn read(node: &Node, mistakes: &mut Vec<Mistake>) -> Self {
        let Some(table) = Table::new(node, &["confined_reads"], "`require`", mistakes) else {
            return Self::default();
        };
        let wanted = table.boolean("confined_reads", mistakes);
        let line = table.get("confined_reads").map(|node| node.line);
        Self {
            confined_reads: line.filter(|_| wanted),
        }
    }

    /// What denies every call of an action that lacks something.
    pub(super) fn denial(&self, file: &str) -> Option<Source> {
        let line = self.confined_reads?;
        let rule = "require: confined_reads";
        Some(Source {
            file: Some(file.to_owned()),
            line,
            ..Source::denying(SourceKind::Requirement, rule)
        })
    }
}

/// Whether an action reads what its user may: a native one that does not say what it reads, and a tool of a server that
/// is a program of this machine.
#[must_use]
pub fn reads_unconfined(definition: &Definition) -> bool {
    let is_silent = definition.executor == Executor::Native && definition.reads.is_none();
    is_silent || is_local_server(definition)
}

/// Whether an action is a tool of a server that Kael starts. Such a server is a program of its own, and nothing bounds
/// what it reads.
#[must_use]
pub fn is_local_server(definition: &Definition) -> bool {
    let server = definition.mcp.as_ref().map(|tool| &tool.server);
    matches!(server, Some(McpServer::Command(_)))
}

/// The same denial for such a tool, whose definition cannot say what it reads.
pub(super) fn of_local_server(denial: &Source) -> Source {
    let reason = "its server is a program of this machine, and nothing bounds what that reads";
    Source {
        reason: Some(reason.to_owned()),
        ..denial.clone()
    }
}
