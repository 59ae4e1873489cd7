//! Why a repo was not loaded, and why code of Kael's own has no value.

use thiserror::Error;

use crate::catalog::DefinitionError;
use crate::executor;
use crate::limits::LimitHit;
use crate::policy::PolicyError;
use crate::repo::RepoError;
use crate::sandbox::{Busy, EngineError, ScriptError};

/// Why a repo was not loaded, or a session not opened.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The sandbox.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The repo's files.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The repo's code.
    #[error("{}", .0.message)]
    Load(ScriptError),
    /// The repo reached a limit while it loaded.
    #[error("the actions repo `{repo}` reached a limit while it loaded: {hit}")]
    Limit {
        /// As the user wrote it.
        repo: String,
        /// Which.
        hit: LimitHit,
        /// The Lua frames that were running.
        frames: Vec<String>,
    },
    /// The repo's definitions, all that are wrong.
    #[error("{}", join(.0))]
    Definitions(Vec<DefinitionError>),
    /// The policy: all that is wrong with it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The confinement of actions is required and not to be had; part by part.
    #[error("{}{}", executor::REQUIRED, .0.join(", "))]
    Confinement(Vec<String>),
    /// No instance was free, and too many callers wait for one.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The reader of the output left while the repo loaded.
    #[error("the output was closed")]
    OutputClosed,
    /// A bug in Kael.
    #[error("{0}")]
    Fault(String),
}

/// Problems of a repo that one message tells.
const MAX_TOLD: usize = 100;

fn join(errors: &[DefinitionError]) -> String {
    let told = errors.iter().take(MAX_TOLD).map(ToString::to_string);
    let more = errors.len().saturating_sub(MAX_TOLD);
    let rest = (more > 0).then(|| format!("and {more} more problems"));
    told.chain(rest).collect::<Vec<_>>().join("\n")
}

/// Why Lua that was evaluated for its value has none.
#[derive(Debug, Error)]
pub enum EvalError {
    /// It raised an error.
    #[error("{}", .0.message)]
    Failed(ScriptError),
    /// It reached a limit.
    #[error("{0}")]
    Limit(LimitHit),
    /// It ended itself.
    #[error("it called os.exit({0})")]
    Exited(u8),
    /// No instance was free, and too many callers wait for one.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// A bug in Kael.
    #[error("{0}")]
    Fault(String),
}
