//! Whether the actions of one tenant can reach what belongs to another.
//!
//! Native actions run as the server's user. Namespaces hide from them what is not their tenant's; on a
//! machine without, a server with several tenants runs none of them.

use std::sync::atomic::{AtomicBool, Ordering};

use kael_engine::catalog::{Definition, Executor, McpServer};
use kael_engine::confinement::Confinement;
use kael_engine::executor::{Containment, machine};
use kael_engine::runtime::Repo;

/// Names of actions that an error has.
const MAX_NAMES: usize = 5;

/// What stands between the tenants of a server.
#[derive(Debug, Default)]
pub(crate) struct Walls {
    /// Why native actions see what belongs to others, if they do.
    lacking: Option<String>,
    /// Whether there are several tenants that may do something.
    is_shared: AtomicBool,
}

impl Walls {
    /// Looks at what the machine has.
    pub(crate) async fn of_machine(confinement: Confinement) -> Self {
        Self {
            lacking: lacking(confinement).await,
            is_shared: AtomicBool::new(false),
        }
    }

    /// Notes how many tenants may do something.
    pub(crate) fn set_tenants(&self, count: usize) {
        self.is_shared.store(count > 1, Ordering::Relaxed);
    }

    /// Refuses a repo with native actions where tenants cannot be kept apart.
    ///
    /// # Errors
    /// Which actions, and what to do.
    pub(crate) fn refuse(&self, repo: &Repo) -> Result<(), String> {
        match self.is_shared.load(Ordering::Relaxed) {
            true => self.refuse_beside_others(repo),
            false => Ok(()),
        }
    }

    /// The same for a server that is about to have several tenants.
    pub(crate) fn refuse_beside_others(&self, repo: &Repo) -> Result<(), String> {
        let Some(lacking) = &self.lacking else {
            return Ok(());
        };
        let native = repo
            .catalog
            .iter()
            .filter(|(_, definition)| is_native(definition));
        let names: Vec<String> = native.map(|(name, _)| format!("`{name}`")).collect();
        if names.is_empty() {
            return Ok(());
        }
        let more = match names.len().saturating_sub(MAX_NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = names[..names.len().min(MAX_NAMES)].join(", ");
        Err(format!(
            "its native actions ({shown}{more}) could read what belongs to the server's other tenants, because {lacking}; \
             make them WebAssembly or containers, or give each tenant a server and a user of its own"
        ))
    }
}

/// Whether an action is a program of this machine, or a server that is one.
fn is_native(definition: &Definition) -> bool {
    let server = definition.mcp.as_ref().map(|tool| &tool.server);
    definition.executor == Executor::Native || matches!(server, Some(McpServer::Command(_)))
}

/// Why this machine does not hide from native actions what belongs to other tenants, if it does not.
pub(crate) async fn lacking(confinement: Confinement) -> Option<String> {
    if confinement == Confinement::Off {
        return Some("`confinement` is off".to_owned());
    }
    let machine = machine().await;
    match machine.containment {
        Containment::Namespace { .. } => None,
        _ => Some(format!(
            "the machine has no namespaces: {}",
            machine.refused
        )),
    }
}
