//! The server of the protocol over HTTP, for a program that keeps runs itself.
//!
//! Each request is served by itself: who sends it, with which actions and limits, is decided before
//! it comes here, and nothing is kept between requests. A run goes on when its client has gone;
//! `result` follows it.

mod approval;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::Body;
use hyper::{Request, Response};
use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, JsonObject,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, ResourceContents, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

use kael_authoring::lint::Checker;
use kael_engine::names::{did_you_mean, nearest, printable};

pub use self::approval::{Approval, Seal};
pub use crate::server::actions::Actions;
pub use crate::server::arguments::Run;
pub use crate::server::report::Outcome;
use crate::server::report::Part;
use crate::server::{arguments, code, tools};

/// Bytes of one request. A script may have a megabyte, and JSON makes it longer.
const MAX_MESSAGE: usize = 4 << 20;
/// How long `run` waits: less than the server gives a request.
const RUN_WAIT: Duration = Duration::from_secs(50);
/// The longest wait of `result`.
const MAX_WAIT: f64 = 25.0;
/// Bytes of a resource that can be read at once.
const MAX_RESOURCE: usize = 1 << 20;

/// Where a run stands.
pub enum Standing {
    /// It has ended.
    Ended(Box<Outcome>),
    /// It waits for its turn, runs, or waits for a time or a signal: the word for that.
    GoesOn(&'static str),
    /// It waits for people to decide on these calls, of which there is at least one.
    Asks(Vec<Approval>),
}

/// How long to look at a run.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The longest time.
    pub time: Duration,
    /// Whether to wait for people, too, and not to come back as soon as they are asked.
    pub for_people: bool,
}

/// What may be done for the sender of one request. An error is a message for the model.
pub trait Runs: Clone + Send + Sync + 'static {
    /// The actions that scripts may call.
    fn actions(&self) -> impl Future<Output = Result<Actions, String>> + Send;
    /// What finds mistakes in scripts.
    fn checker(&self) -> impl Future<Output = Result<Arc<Checker>, String>> + Send;
    /// Takes a run, and gives its id. The script has been checked.
    fn submit(&self, asked: Run) -> impl Future<Output = Result<String, String>> + Send;
    /// Looks at a run, once it has ended, people are asked, or the time is over.
    fn find(
        &self,
        run: &str,
        patience: Patience,
    ) -> impl Future<Output = Result<Standing, String>> + Send;
    /// The identity of the sender. A sealed text is accepted only from the identity that it was sealed for.
    fn principal(&self) -> String;
    /// The address of the page on which people decide.
    fn page(&self) -> String;
}

/// Serves one request.
pub async fn respond<B>(
    runs: impl Runs,
    seal: Arc<Seal>,
    request: Request<B>,
) -> Response<BoxBody<Bytes, std::convert::Infallible>>
where
    B: Body + Send + 'static,
    B::Error: std::fmt::Display,
    B::Data: Send,
{
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // The caller has checked where the request comes from.
        .disable_allowed_hosts()
        .with_max_request_body_bytes(MAX_MESSAGE);
    let server = Stateless { runs, seal };
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    service.handle(request).await
}

/// The server of one request.
#[derive(Clone)]
struct Stateless<R> {
    runs: R,
    seal: Arc<Seal>,
}

/// The answer to a request that could not be done.
fn or_mistake(done: Result<CallToolResult, String>) -> CallToolResponse {
    done.unwrap_or_else(code::mistake).into()
}

impl<R: Runs> Stateless<R> {
    /// Begins a run. The answer, or its id.
    async fn begin(
        &self,
        given: Option<JsonObject>,
    ) -> Result<Result<String, CallToolResult>, String> {
        let names = ["code", "args", "read_only", "timeout"];
        let asked: Run = arguments::read(given, &names)?;
        arguments::bounded(&asked.code, &asked.args)?;
        let checker = self.runs.checker().await?;
        match code::problems(&checker, &asked.code).await {
            Ok(None) => {}
            Ok(Some(problems)) => return Ok(Err(code::answer(problems, true))),
            Err(refused) => return Ok(Err(*refused)),
        }
        self.runs.submit(asked).await.map(Ok)
    }

    async fn run(
        &self,
        given: Option<JsonObject>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let id = match self.begin(given).await {
            Ok(Ok(id)) => id,
            Ok(Err(answer)) => return Ok(answer.into()),
            Err(wrong) => return Ok(code::mistake(wrong).into()),
        };
        let patience = Patience {
            time: RUN_WAIT,
            for_people: false,
        };
        let standing = self.runs.find(&id, patience).await;
        if let Ok(Standing::Asks(all)) = &standing
            && let Some(first) = all.first()
        {
            let (principal, page) = (self.runs.principal(), self.runs.page());
            let asks = self.seal.asks(context, &principal, &id, (first, &page))?;
            if let Some(asks) = asks {
                return Ok(asks);
            }
        }
        Ok(self.told(&id, standing))
    }

    /// A client has come back for its run.
    async fn resumed(&self, state: &str) -> Result<CallToolResponse, ErrorData> {
        let id = self.seal.opened(state, &self.runs.principal())?;
        let patience = Patience {
            time: RUN_WAIT,
            for_people: true,
        };
        Ok(self.told(&id, self.runs.find(&id, patience).await))
    }

    async fn result(&self, given: Option<JsonObject>) -> CallToolResponse {
        let names = ["run", "wait", "part", "from"];
        let asked: arguments::JobResult = match arguments::read(given, &names) {
            Ok(asked) => asked,
            Err(wrong) => return code::mistake(wrong).into(),
        };
        let wait = asked.wait.unwrap_or(0.0).clamp(0.0, MAX_WAIT);
        let patience = Patience {
            time: Duration::try_from_secs_f64(wait).unwrap_or_default(),
            for_people: true,
        };
        let standing = self.runs.find(&asked.run, patience).await;
        match (asked.part, standing) {
            (Some(part), Ok(Standing::Ended(outcome))) => {
                code::part(&outcome, part, asked.from).into()
            }
            (_, standing) => self.told(&asked.run, standing),
        }
    }

    fn told(&self, id: &str, standing: Result<Standing, String>) -> CallToolResponse {
        match standing {
            Ok(Standing::Ended(outcome)) => {
                let document = outcome.told(id);
                let more = code::links(&document);
                let mut result = code::answer(document, outcome.is_error);
                result.content.extend(more);
                result.into()
            }
            Ok(Standing::GoesOn(status)) => {
                let hint = "ask again with `result`";
                code::answer(json!({ "status": status, "run": id, "hint": hint }), false).into()
            }
            Ok(Standing::Asks(all)) => approval::waiting(id, &all, &self.runs.page()),
            Err(wrong) => code::mistake(wrong).into(),
        }
    }
}

impl<R: Runs> ServerHandler for Stateless<R> {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .build();
        let info = Implementation::new("kael-host", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities)
            .with_server_info(info)
            .with_instructions(tools::INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(tools::listed(tools::list()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(state) = &request.request_state {
            return self.resumed(state).await;
        }
        let given = request.arguments;
        Ok(match request.name.as_ref() {
            "run" => return self.run(given, &context).await,
            "result" => self.result(given).await,
            "check" => match self.runs.checker().await {
                Ok(checker) => {
                    let checked = code::checked(&checker, given).await;
                    checked.unwrap_or_else(|wrong| *wrong).into()
                }
                Err(wrong) => code::mistake(wrong).into(),
            },
            "search" => or_mistake(self.runs.actions().await.map(|all| all.searched(given))),
            "describe" => or_mistake(self.runs.actions().await.map(|all| all.told(given))),
            name => {
                let tools = tools::list();
                let names = tools.iter().map(|tool| tool.name.as_ref());
                let near = did_you_mean(nearest(name, names), '`');
                code::mistake(format!("there is no tool `{}`{near}", printable(name))).into()
            }
        })
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let unknown = || {
            let shown = printable(&request.uri);
            let message = format!("there is no resource {shown}");
            ErrorData::resource_not_found(message, Some(json!({ "uri": shown })))
        };
        let path = request.uri.strip_prefix("kael://runs/");
        let (id, part) = path
            .and_then(|path| path.split_once('/'))
            .ok_or_else(unknown)?;
        let part = match part {
            "output" => Part::Output,
            "result" => Part::Result,
            _ => return Err(unknown()),
        };
        let at_once = Patience {
            time: Duration::ZERO,
            for_people: true,
        };
        let Ok(Standing::Ended(outcome)) = self.runs.find(id, at_once).await else {
            return Err(unknown());
        };
        let text = outcome.part(part);
        if text.len() > MAX_RESOURCE {
            let message = format!("{} has more than 1 MiB: `result` reads parts", part.name());
            return Err(ErrorData::invalid_params(message, None));
        }
        let contents = ResourceContents::text(text, request.uri.clone());
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}
