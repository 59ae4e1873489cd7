//! A server of the protocol over the actions of one repo.

pub(crate) mod actions;
pub(crate) mod arguments;
pub(crate) mod ask;
pub(crate) mod code;
mod direct;
mod follow;
mod handler;
mod job;
mod lines;
mod page;
pub(crate) mod report;
pub(crate) mod tools;
mod transport;

use std::sync::Arc;

use rmcp::model::RequestStateCodec;
use rmcp::service::ServerInitializeError;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use kael_authoring::SandboxError;
use kael_authoring::lint::Checker;
use kael_engine::policy::PolicyError;
use kael_engine::runtime::{LoadError, Repo, RunOptions, Runtime};

use actions::Actions;
use job::Jobs;
pub use tools::TOKENS;
use transport::Bounded;

/// Which tools a client is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToolSet {
    /// A few that search actions and run scripts: their list has one size for every repo.
    #[default]
    Code,
    /// One for every action that the policy does not deny.
    Direct,
}

/// How a person is asked before a call for which a rule says `approve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Approvals {
    /// On a page of this machine, whose address the client shows or its log has; the model does not
    /// get it.
    #[default]
    Page,
    /// In a form of the client. The software that answers may be the agent itself, so the person
    /// who starts the server must want this.
    Form,
    /// No person decides: such a call is denied.
    Off,
}

/// What a server is made of.
pub struct ServerOptions {
    /// Runs the scripts.
    pub runtime: Runtime,
    /// Whose actions they may call.
    pub repo: Option<Arc<Repo>>,
    /// How each script runs: its limits and its policy. The output and the approver are the
    /// server's own.
    pub run: RunOptions,
    /// Which tools there are.
    pub tools: ToolSet,
    /// How a person is asked.
    pub approvals: Approvals,
    /// Tells the person at the machine the address of a page.
    pub announce: Arc<dyn Fn(&str) + Send + Sync>,
}

/// Why a server cannot be made.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The policy is wrong.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The sandbox does not answer.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The sandbox does not answer.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The client did not begin as the protocol wants it.
    #[error("the client did not begin a session: {0}")]
    Handshake(String),
}

/// A server. Clones are the same server.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    options: ServerOptions,
    actions: Actions,
    checker: Checker,
    direct: direct::Names,
    jobs: Arc<Jobs>,
    /// Requests that are worked on. A cancelled one may be so for some time, and is no longer open.
    at_work: Semaphore,
    page: page::Page,
    /// Seals what a client must bring back. The key dies with the process, as the runs do.
    seal: RequestStateCodec,
}

/// What seals texts that clients keep for this server. Its key is made here and never leaves the process.
pub(crate) fn seal() -> RequestStateCodec {
    let mut key = vec![0; 32];
    key[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    key[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    RequestStateCodec::try_new(key).expect("the key is as long as it must be")
}

impl Server {
    /// Looks at the repo once.
    ///
    /// # Errors
    /// When the policy is wrong, or the sandbox does not answer.
    pub async fn new(options: ServerOptions) -> Result<Self, ServerError> {
        let actions = Actions::new(options.repo.clone(), &options.run.policy)?;
        let limits = &options.run.limits;
        let checker = Checker::of(&options.runtime, options.repo.clone(), limits).await?;
        let empty = kael_engine::catalog::Catalog::default();
        let catalog = options
            .repo
            .as_deref()
            .map_or(&empty, |repo| &*repo.catalog);
        let direct = direct::Names::new(catalog, actions.callable());
        Ok(Self {
            inner: Arc::new(Inner {
                actions,
                checker,
                direct,
                jobs: Arc::default(),
                at_work: Semaphore::new(transport::MAX_OPEN),
                page: page::Page::default(),
                seal: seal(),
                options,
            }),
        })
    }

    /// Serves one client until it closes its side; then everything that it began is ended.
    ///
    /// # Errors
    /// When the client does not begin a session.
    pub async fn serve<R, W>(&self, input: R, output: W) -> Result<(), ServerError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let jobs = self.inner.jobs.clone();
        let transport = Bounded::new(input, output, move || jobs.cancel_all());
        let begun = rmcp::serve_server(self.clone(), transport).await;
        let session = match begun {
            Ok(session) => session,
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            // The error quotes the message, which may hold a secret.
            Err(ServerInitializeError::ExpectedInitializeRequest(_)) => {
                let why = "it began with something else than `initialize`".to_owned();
                return Err(ServerError::Handshake(why));
            }
            Err(error) => return Err(ServerError::Handshake(error.to_string())),
        };
        session.waiting().await.ok();
        self.inner.jobs.cancel_all();
        Ok(())
    }
}
