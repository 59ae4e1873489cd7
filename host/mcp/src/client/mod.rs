//! Tools of MCP servers as actions: the executor `mcp`.
//!
//! A server is a stranger. It runs confined as a native action does, one process for each command of
//! a repo, kept for some minutes after its last call. What scripts and models read of its tools comes
//! from the lock file that a person has reviewed; a tool that the server describes otherwise now is
//! not called.

mod connection;
mod digest;
mod guard;
mod lock;
mod outcome;
mod remote;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kael_engine::catalog::{Definition, Executor, McpServer, McpTool};
use kael_engine::executor::{
    Beside, Execute, Execution, ExecutorFactory, Invocation, Plan, Planning, RepoContext,
    result_file,
};
use kael_engine::failure::{ActionError, ErrorKind};

use connection::Connection;
pub use connection::Place;
pub use lock::{Listed, Lock, Tool, changes, list, locked};

/// How long a server without calls is kept.
const IDLE: Duration = Duration::from_secs(300);
/// Servers of one repo at the same time.
const MAX_SERVERS: usize = 32;

/// Gives the repos of one runtime the executor `mcp`.
#[derive(Debug, Clone, Copy, Default)]
pub struct McpFactory;

impl ExecutorFactory for McpFactory {
    fn executor(&self) -> Executor {
        Executor::Mcp
    }

    fn for_repo(&self, repo: RepoContext) -> Arc<dyn Execute> {
        Arc::new(Servers {
            repo,
            running: Arc::default(),
        })
    }
}

/// A server that runs, or is being started by one call while others wait.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Connection>>>>;

/// The servers of one repo.
struct Servers {
    repo: RepoContext,
    running: Arc<Mutex<HashMap<String, Slot>>>,
}

/// Where the server of a definition is. `variables` are the secrets that the definition binds.
#[must_use]
pub fn place(definition: &Definition, tool: &McpTool, variables: Vec<(String, String)>) -> Place {
    match &tool.server {
        McpServer::Command(command) => Place::Command(Beside {
            command: command.clone(),
            env: definition.env.clone(),
            variables,
            writable: definition.writable.clone(),
            limits: definition.process_limits.clone(),
        }),
        McpServer::Url(at) => {
            let mut tokens = variables.into_iter();
            Place::Url {
                at: at.clone(),
                token: tokens
                    .find(|(name, _)| name == McpTool::TOKEN)
                    .map(|(_, value)| value),
            }
        }
    }
}

impl Servers {
    fn slot(&self, key: &str) -> Result<Slot, ActionError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = running.get(key) {
            return Ok(slot.clone());
        }
        if running.len() >= MAX_SERVERS {
            let message = format!("{MAX_SERVERS} servers of this repo run already");
            return Err(ActionError::unavailable(message, None));
        }
        let slot = Slot::default();
        running.insert(key.to_owned(), slot.clone());
        Ok(slot)
    }

    /// The server of a definition, started if it does not run.
    async fn connection(
        &self,
        place: &Place,
        tenant: &str,
        within: Duration,
    ) -> Result<Arc<Connection>, ActionError> {
        // Equal servers of one tenant are one process; what differs in anything that it may do or
        // knows is another.
        let key = format!("{tenant} {}", place.key());
        let slot = self.slot(&key)?;
        let mut held = slot.lock().await;
        if let Some(connection) = held.as_ref().filter(|connection| connection.is_open()) {
            connection.touch();
            return Ok(connection.clone());
        }
        *held = None;
        // In a task of its own: what belongs to this call, such as its permit, is not the server's.
        let (wanted, repo) = (place.clone(), self.repo.clone());
        let begin = async move { Connection::open(&wanted, &repo, within).await };
        let mut task = Begun(tokio::spawn(begin));
        let interrupted = |_| {
            let message = "the host was interrupted".to_owned();
            Err(ActionError::unavailable(message, None))
        };
        let connection = match (&mut task.0).await.unwrap_or_else(interrupted) {
            Ok(connection) => Arc::new(connection),
            Err(error) => {
                self.forget(&key);
                return Err(error);
            }
        };
        *held = Some(connection.clone());
        self.end_when_idle(key, Arc::downgrade(&connection));
        Ok(connection)
    }

    fn forget(&self, key: &str) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(key);
    }

    fn end_when_idle(&self, key: String, connection: std::sync::Weak<Connection>) {
        let running = Arc::downgrade(&self.running);
        tokio::spawn(async move {
            loop {
                let Some(left) = connection.upgrade().map(|open| open.left(IDLE)) else {
                    return;
                };
                let Some(left) = left else {
                    break;
                };
                tokio::time::sleep(left).await;
            }
            let Some(running) = running.upgrade() else {
                return;
            };
            // Calls that still use it hold it; it ends with the last of them.
            running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&key);
        });
    }

    async fn run(&self, invocation: Invocation<'_>) -> Result<Vec<u8>, ActionError> {
        let definition = invocation.definition;
        let Some(tool) = definition.mcp.clone() else {
            return Err(ActionError::unavailable("it names no tool", None));
        };
        let within = definition.timeout.duration();
        let calling = async {
            let place = place(definition, &tool, invocation.variables);
            let tenant = invocation.call.run.tenant.as_str();
            let connection = self.connection(&place, tenant, within).await?;
            let called = connection.call(&tool, &invocation.params).await;
            let result = outcome::read(called.map_err(Connection::explained)?)?;
            match connection.folder() {
                Some(folder) => result_file::take(result, folder).await,
                None => {
                    result_file::refuse(&result, "is not on this machine")?;
                    Ok(result)
                }
            }
        };
        tokio::time::timeout(within, calling)
            .await
            .unwrap_or_else(|_| {
                let message = format!("took longer than {}", definition.timeout);
                Err(ActionError::new(ErrorKind::Timeout, message))
            })
    }
}

impl Execute for Servers {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(self.run(invocation))
    }

    fn runner(&self, _definition: &Definition) -> Option<&'static str> {
        Some("mcp")
    }

    fn plan<'a>(&'a self, invocation: Invocation<'a>) -> Planning<'a> {
        let definition = invocation.definition;
        let tool = definition.mcp.as_ref();
        let plan = Plan {
            command: match tool.map(|tool| &tool.server) {
                Some(McpServer::Command(words)) => words.clone(),
                Some(McpServer::Url(at)) => vec![at.url.clone()],
                None => Vec::new(),
            },
            note: tool.map(|tool| format!("calls the tool {} of this server", tool.tool)),
            env: definition.env.clone(),
        };
        Box::pin(std::future::ready(Ok(plan)))
    }
}

/// A server that is being started. Dropping this ends it.
struct Begun(tokio::task::JoinHandle<Result<Connection, ActionError>>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.abort();
    }
}
