//! The server of the protocol over HTTP, for a program that keeps runs itself.
//!
//! Each request is served by itself: who sends it, with which actions and limits, is decided before
//! it comes here, and nothing is kept between requests. A run goes on when its client has gone;
//! `result` follows it.

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
    /// It waits for its turn, runs, or waits for a person: the word for that.
    GoesOn(&'static str),
}

/// What may be done for the sender of one request. An error is a message for the model.
pub trait Runs: Clone + Send + Sync + 'static {
    /// The actions that scripts may call.
    fn actions(&self) -> impl Future<Output = Result<Actions, String>> + Send;
    /// What finds mistakes in scripts.
    fn checker(&self) -> impl Future<Output = Result<Arc<Checker>, String>> + Send;
    /// Takes a run, and gives its id. The script has been checked.
    fn submit(&self, asked: Run) -> impl Future<Output = Result<String, String>> + Send;
    /// Looks at a run, once it has ended or the time is over.
    fn find(
        &self,
        run: &str,
        wait: Duration,
    ) -> impl Future<Output = Result<Standing, String>> + Send;
}

/// Serves one request.
pub async fn respond<B>(
    runs: impl Runs,
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
    let server = Stateless(runs);
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    service.handle(request).await
}

/// The server of one request.
#[derive(Clone)]
struct Stateless<R>(R);

/// The answer to a request that could not be done.
fn or_mistake(done: Result<CallToolResult, String>) -> CallToolResponse {
    done.unwrap_or_else(code::mistake).into()
}

impl<R: Runs> Stateless<R> {
    async fn run(&self, given: Option<JsonObject>) -> Result<CallToolResult, String> {
        let names = ["code", "args", "read_only", "timeout"];
        let asked: Run = arguments::read(given, &names)?;
        arguments::bounded(&asked.code, &asked.args)?;
        let checker = self.0.checker().await?;
        match code::problems(&checker, &asked.code).await {
            Ok(None) => {}
            Ok(Some(problems)) => return Ok(code::answer(problems, true)),
            Err(refused) => return Ok(*refused),
        }
        let id = self.0.submit(asked).await?;
        self.told(&id, RUN_WAIT).await
    }

    async fn result(&self, given: Option<JsonObject>) -> Result<CallToolResult, String> {
        let names = ["run", "wait", "part", "from"];
        let asked: arguments::JobResult = arguments::read(given, &names)?;
        let wait = asked.wait.unwrap_or(0.0).clamp(0.0, MAX_WAIT);
        let wait = Duration::try_from_secs_f64(wait).unwrap_or_default();
        if let Some(part) = asked.part
            && let Standing::Ended(outcome) = self.0.find(&asked.run, wait).await?
        {
            return Ok(code::part(&outcome, part, asked.from));
        }
        self.told(&asked.run, wait).await
    }

    async fn told(&self, id: &str, wait: Duration) -> Result<CallToolResult, String> {
        Ok(match self.0.find(id, wait).await? {
            Standing::Ended(outcome) => {
                let document = outcome.told(id);
                let more = code::links(&document);
                let mut result = code::answer(document, outcome.is_error);
                result.content.extend(more);
                result
            }
            Standing::GoesOn(status) => {
                let hint = "ask again with `result`";
                code::answer(json!({ "status": status, "run": id, "hint": hint }), false)
            }
        })
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
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let given = request.arguments;
        Ok(match request.name.as_ref() {
            "run" => or_mistake(self.run(given).await),
            "result" => or_mistake(self.result(given).await),
            "check" => match self.0.checker().await {
                Ok(checker) => {
                    let checked = code::checked(&checker, given).await;
                    checked.unwrap_or_else(|wrong| *wrong).into()
                }
                Err(wrong) => code::mistake(wrong).into(),
            },
            "search" => or_mistake(self.0.actions().await.map(|all| all.searched(given))),
            "describe" => or_mistake(self.0.actions().await.map(|all| all.told(given))),
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
        let Ok(Standing::Ended(outcome)) = self.0.find(id, Duration::ZERO).await else {
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
