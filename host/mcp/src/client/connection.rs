//! One server that runs: its process, its session, and what it says of its tools.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, ClientConfig, Implementation,
    PaginatedRequestParams, ProtocolVersion, Tool,
};
use rmcp::service::{
    ClientLifecycleMode, NotificationContext, RoleClient, RunningService, ServiceError,
    serve_client_with_lifecycle,
};
use rmcp::transport::IntoTransport;

use kael_engine::catalog::{McpTool, McpUrl};
use kael_engine::executor::process::ResidentGuard;
use kael_engine::executor::temporary::Temporary;
use kael_engine::executor::{Beside, RepoContext};
use kael_engine::failure::{ActionError, Detail, ErrorKind};
use kael_engine::text::hex;
use sha2::{Digest as _, Sha256};

use super::digest::digest as digest_of;
use super::guard::Guarded;
use super::remote::Remote;

/// Tools that a server may have, and pages of their list.
const MAX_TOOLS: usize = 2000;
const MAX_PAGES: usize = 50;
/// Bytes of that list.
const MAX_LIST: usize = 16 << 20;
/// How long a list of tools is believed of a server that does not say that it has changed.
const FRESH: Duration = Duration::from_secs(60);
/// Calls at the same time, or given up one after another, without an answer to any of them. A server
/// that is this silent is ended, and the next call starts another.
const MAX_GIVEN_UP: u32 = 64;
/// Bytes of a server's words in a message.
const MAX_WORDS: usize = 2 << 10;

/// What the host is to a server: it has no model, no roots and no person to lend.
struct Peer {
    changed: Arc<AtomicBool>,
}

impl ClientHandler for Peer {
    fn get_info(&self) -> ClientConfig {
        let info = Implementation::new("kael-host", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), info)
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.store(true, Ordering::Relaxed);
    }
}

/// Where a server is, and what it is given.
#[derive(Clone)]
pub enum Place {
    /// It is started here.
    Command(Beside),
    /// It is reached over HTTP.
    Url {
        /// Where.
        at: McpUrl,
        /// Its bearer token.
        token: Option<String>,
    },
}

impl Place {
    /// The same for equal servers alone. It shows no secret.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Command(beside) => beside.key(),
            Self::Url { at, token } => hex(&Sha256::digest(format!("{at:?} {token:?}").as_bytes())),
        }
    }
}

/// The process of a server, and its `TMPDIR`.
type Kept = (ResidentGuard, Arc<Temporary>);

/// A session with a server.
pub(super) struct Connection {
    session: RunningService<RoleClient, Peer>,
    /// The digest of what it said of each tool, and when.
    tools: tokio::sync::Mutex<(BTreeMap<String, String>, Instant)>,
    changed: Arc<AtomicBool>,
    used: Mutex<Instant>,
    /// Calls that were given up since the last answer.
    given_up: AtomicU32,
    /// Of a server that was started here.
    process: Option<Kept>,
}

/// An error of the protocol, or of the lock.
pub(super) enum CallError {
    Service(ServiceError),
    Action(ActionError),
}

impl From<ServiceError> for CallError {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl Connection {
    /// Starts a server or connects to one, and asks for its tools.
    pub(super) async fn open(
        place: &Place,
        repo: &RepoContext,
        within: Duration,
    ) -> Result<Self, ActionError> {
        match place {
            Place::Command(beside) => Self::start(beside, repo, within).await,
            Place::Url { at, token } => {
                let failed = |why: String| {
                    ActionError::unavailable(format!("the server {} {why}", at.url), None)
                };
                let remote = Remote::new(at, token.as_deref(), &repo.environment)
                    .map_err(|error| failed(format!("cannot be asked: {error}")))?;
                Self::begin(remote.transport(&at.url), None)
                    .await
                    .map_err(|(why, _)| failed(why))
            }
        }
    }

    async fn start(
        beside: &Beside,
        repo: &RepoContext,
        within: Duration,
    ) -> Result<Self, ActionError> {
        let started = beside.start(repo, within).await?;
        let process = started.process;
        let transport = Guarded::new(process.stdout, process.stdin);
        let kept = Some((process.guard, Arc::new(started.temporary)));
        Self::begin(transport, kept).await.map_err(|(why, kept)| {
            let message = format!("the server {} {why}", beside.command.join(" "));
            let mut error = ActionError::unavailable(message, None);
            if let Some((process, _)) = kept {
                error.detail = Some(Box::new(Detail {
                    stderr: process.stderr(),
                    ..Detail::default()
                }));
            }
            error
        })
    }

    /// Begins a session. Its error is what the server did, and what keeps its process.
    async fn begin<T, E, A>(
        transport: T,
        kept: Option<Kept>,
    ) -> Result<Self, (String, Option<Kept>)>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let changed = Arc::new(AtomicBool::new(false));
        let peer = Peer {
            changed: changed.clone(),
        };
        let lifecycle = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: Some(ProtocolVersion::V_2025_11_25),
        };
        let session = match serve_client_with_lifecycle(peer, transport, lifecycle).await {
            Ok(session) => session,
            Err(error) => {
                let why = words(&error.to_string());
                return Err((format!("did not begin a session: {why}"), kept));
            }
        };
        let connection = Self {
            session,
            tools: tokio::sync::Mutex::new((BTreeMap::new(), Instant::now())),
            changed,
            used: Mutex::new(Instant::now()),
            given_up: AtomicU32::new(0),
            process: kept,
        };
        match connection.tools().await {
            Ok(tools) => {
                connection.tools.lock().await.0 = digests(&tools);
                Ok(connection)
            }
            Err(error) => {
                let why = words(&error.to_string());
                Err((format!("did not list its tools: {why}"), connection.process))
            }
        }
    }

    /// The `TMPDIR` of a server that was started here.
    pub(super) fn folder(&self) -> Option<Arc<Temporary>> {
        self.process.as_ref().map(|(_, folder)| folder.clone())
    }

    /// All tools, as the server describes them now.
    pub(super) async fn tools(&self) -> Result<Vec<Tool>, ServiceError> {
        let (mut all, mut cursor, mut size) = (Vec::new(), None, 0);
        for _ in 0..MAX_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor.take());
            let page = self.session.peer().list_tools(Some(params)).await?;
            size += serde_json::to_vec(&page.tools).map_or(0, |text| text.len());
            all.extend(page.tools);
            cursor = page.next_cursor;
            if cursor.is_none() || all.len() > MAX_TOOLS || size > MAX_LIST {
                break;
            }
        }
        all.truncate(MAX_TOOLS);
        Ok(all)
    }

    /// Calls a tool, if the server still describes it as it was reviewed.
    pub(super) async fn call(
        &self,
        tool: &McpTool,
        params: &str,
    ) -> Result<CallToolResponse, CallError> {
        let known = {
            let mut tools = self.tools.lock().await;
            if self.changed.swap(false, Ordering::Relaxed) || tools.1.elapsed() > FRESH {
                *tools = (digests(&self.tools().await?), Instant::now());
            }
            tools.0.get(&tool.tool).cloned()
        };
        if known.as_ref() != Some(&tool.digest) {
            let why = match known {
                Some(_) => "changed since it was reviewed",
                None => "is not there any more",
            };
            let message = format!("the tool {} {why}", tool.tool);
            let hint = "kael-host actions mcp diff shows what changed".to_owned();
            return Err(CallError::Action(ActionError::unavailable(
                message,
                Some(hint),
            )));
        }
        let arguments = serde_json::from_str(params).map_err(|error| {
            let message = format!("the parameters are no object: {error}");
            CallError::Action(ActionError::new(ErrorKind::InvalidParams, message))
        })?;
        let request = CallToolRequestParams::new(tool.tool.clone()).with_arguments(arguments);
        // Counts as given up unless its answer comes.
        self.given_up.fetch_add(1, Ordering::Relaxed);
        let called = self.session.peer().call_tool_once(request).await;
        self.given_up.store(0, Ordering::Relaxed);
        self.touch();
        Ok(called?)
    }

    /// An error of a call. What the server has said on stderr may be of other calls.
    pub(super) fn explained(error: CallError) -> ActionError {
        match error {
            CallError::Action(error) => error,
            CallError::Service(ServiceError::McpError(error)) => {
                ActionError::new(ErrorKind::Failed, words(&error.message))
            }
            CallError::Service(error) => {
                let message = format!(
                    "the server ended the session: {}",
                    words(&error.to_string())
                );
                ActionError::new(ErrorKind::Failed, message)
            }
        }
    }

    /// Whether calls can be made.
    pub(super) fn is_open(&self) -> bool {
        let is_silent = self.given_up.load(Ordering::Relaxed) >= MAX_GIVEN_UP;
        !is_silent && !self.session.is_closed() && !self.session.peer().is_transport_closed()
    }

    /// Notes that it was used.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long it may still be idle; none when that is over or it has ended.
    pub(super) fn left(&self, idle: Duration) -> Option<Duration> {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let left = idle.checked_sub(used.elapsed())?;
        (self.is_open() && !left.is_zero()).then_some(left)
    }
}

fn digests(tools: &[Tool]) -> BTreeMap<String, String> {
    let digest = |tool: &Tool| (tool.name.to_string(), digest_of(tool));
    tools.iter().map(digest).collect()
}

/// A server's words, as far as a message has room for them.
pub(super) fn words(text: &str) -> String {
    let short = &text[..text.floor_char_boundary(MAX_WORDS)];
    kael_authoring::context::plain(short)
}
