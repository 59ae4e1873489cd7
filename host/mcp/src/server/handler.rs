//! The methods of the protocol, each a few lines over the rest.

use std::sync::Arc;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, Implementation, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    Resource, ResourceContents, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::json;

use kael_engine::names::{did_you_mean, nearest};

use super::code::{self, mistake};
use super::follow::Patience;
use super::job::Standing;
use super::report::{Part, link};
use super::{Inner, Server, ToolSet, arguments, direct, tools};

/// The longest wait of `result`.
const MAX_WAIT: f64 = 25.0;
/// Bytes of a resource that can be read at once.
const MAX_RESOURCE: usize = 1 << 20;
/// Tools of one page of the list.
const PAGE: usize = 100;

impl Inner {
    fn tools(&self) -> Vec<Tool> {
        match self.options.tools {
            ToolSet::Code => tools::list(),
            ToolSet::Direct => self
                .direct
                .iter()
                .filter_map(|(name, action)| {
                    Some(direct::tool(name, &self.actions.item(action.as_str())?))
                })
                .collect(),
        }
    }

    /// The answer to a name that no tool has.
    fn no_tool(&self, name: &str) -> CallToolResponse {
        let tools = self.tools();
        let names = tools.iter().map(|tool| tool.name.as_ref());
        let near = did_you_mean(nearest(name, names), '`');
        let shown = kael_engine::names::printable(name);
        mistake(format!("there is no tool `{shown}`{near}")).into()
    }

    async fn called(
        self: &Arc<Self>,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Ok(_working) = self.at_work.try_acquire() else {
            return Ok(mistake("too many requests are worked on: wait for their answers").into());
        };
        if let Some(state) = &request.request_state {
            return match self.resumed(state, request.input_responses.as_ref())? {
                Ok((job, shown)) => self.follow(&job, &context, Patience::FIRST, shown).await,
                Err(message) => Ok(mistake(message).into()),
            };
        }
        let given = request.arguments;
        let begun = match (self.options.tools, request.name.as_ref()) {
            (ToolSet::Direct, name) => match self.direct.action(name) {
                Some(action) => self.call(action.as_str(), given),
                None => return Ok(self.no_tool(name)),
            },
            (ToolSet::Code, "run") => self.start(given).await,
            (ToolSet::Code, "result") => return self.result(given, &context).await,
            (ToolSet::Code, "check") => {
                return Ok(self
                    .check(given)
                    .await
                    .unwrap_or_else(|wrong| *wrong)
                    .into());
            }
            (ToolSet::Code, "search") => return Ok(self.actions.searched(given).into()),
            (ToolSet::Code, "describe") => return Ok(self.actions.told(given).into()),
            (ToolSet::Code, name) => return Ok(self.no_tool(name)),
        };
        match begun {
            Ok(job) => self.follow(&job, &context, Patience::FIRST, 0).await,
            Err(wrong) => Ok((*wrong).into()),
        }
    }

    async fn result(
        &self,
        given: Option<rmcp::model::JsonObject>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let names = ["run", "wait", "part", "from"];
        let asked: arguments::JobResult = match arguments::read(given, &names) {
            Ok(asked) => asked,
            Err(wrong) => return Ok(mistake(wrong).into()),
        };
        let Some(job) = self.jobs.find(&asked.run) else {
            let shown = kael_engine::names::printable(&asked.run);
            return Ok(mistake(format!("there is no run {shown}, or it was too long ago")).into());
        };
        if let (Some(part), Standing::Ended(outcome)) = (asked.part, job.standing()) {
            return Ok(code::part(&outcome, part, asked.from).into());
        }
        let wait = asked.wait.unwrap_or(0.0).clamp(0.0, MAX_WAIT);
        let patience = Patience {
            time: Duration::try_from_secs_f64(wait).unwrap_or_default(),
            for_a_person: true,
        };
        self.follow(&job, context, patience, 0).await
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .build();
        let version = env!("CARGO_PKG_VERSION");
        let info = Implementation::new("kael-host", version);
        let config = ServerConfig::new(capabilities).with_server_info(info);
        match self.inner.options.tools {
            ToolSet::Code => config.with_instructions(tools::INSTRUCTIONS),
            ToolSet::Direct => config,
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        let from: usize = match &cursor {
            None => 0,
            Some(text) => text
                .parse()
                .map_err(|_| ErrorData::invalid_params("the cursor is not one of ours", None))?,
        };
        let all = self.inner.tools();
        let (more, tools) = (
            all.len() > from.saturating_add(PAGE),
            all.into_iter().skip(from).take(PAGE),
        );
        let mut list = tools::listed(tools.collect());
        list.next_cursor = more.then(|| (from + PAGE).to_string());
        Ok(list)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.inner.called(request, context).await
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut resources = Vec::new();
        for job in self.inner.jobs.all() {
            let Standing::Ended(outcome) = job.standing() else {
                continue;
            };
            for part in [Part::Output, Part::Result] {
                let size = outcome.part(part).len() as u64;
                let name = format!("{} of run {}", part.name(), job.id());
                let resource = Resource::new(link(job.id(), part), name);
                resources.push(resource.with_mime_type("text/plain").with_size(size));
            }
        }
        Ok(ListResourcesResult::with_all_items(resources))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let unknown = || {
            let shown = kael_engine::names::printable(&request.uri);
            let message = format!("there is no resource {shown}");
            ErrorData::resource_not_found(message, Some(json!({ "uri": shown })))
        };
        let path = request
            .uri
            .strip_prefix("kael://runs/")
            .ok_or_else(unknown)?;
        let (id, part) = path.split_once('/').ok_or_else(unknown)?;
        let part = match part {
            "output" => Part::Output,
            "result" => Part::Result,
            _ => return Err(unknown()),
        };
        let job = self.inner.jobs.find(id).ok_or_else(unknown)?;
        let Standing::Ended(outcome) = job.standing() else {
            return Err(unknown());
        };
        let text = outcome.part(part);
        if text.len() > MAX_RESOURCE {
            let message = format!(
                "this has {} bytes, and at most {MAX_RESOURCE} can be read at once: read it by parts, with the tool `result`",
                text.len()
            );
            return Err(ErrorData::invalid_params(message, None));
        }
        let contents = ResourceContents::text(text, request.uri.as_str());
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}
