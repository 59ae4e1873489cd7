//! What a client over HTTP is told of calls that people must approve.
//!
//! A client that can show an address and repeat its request gets the address of the page on which
//! people decide. It also gets a sealed text that says which run it is, and whose. It sends that text
//! back with its next request. Nothing that it sends back decides anything.

use std::collections::BTreeMap;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, ElicitRequest, ElicitRequestParams, InputRequest, InputRequiredResult,
    RequestStateCodec, SealOptions,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

use crate::server::ask::{Shape, Way};
use crate::server::{Approvals, code};

/// The key of a question in a request for input.
const KEY: &str = "approval";
/// How long a client may take to come back.
const SEALED_FOR: Duration = Duration::from_secs(600);

/// A call of a run that waits for people.
#[derive(Debug, Clone)]
pub struct Approval {
    /// The number of the call in its run.
    pub call: u64,
    /// The action.
    pub action: String,
    /// What it would get, as JSON.
    pub params: String,
    /// The rules that want a person, with their reasons.
    pub rules: Vec<String>,
}

/// Seals what clients bring back. Its key dies with the process; a client that comes back later asks
/// with `result`.
pub struct Seal(RequestStateCodec);

impl Default for Seal {
    fn default() -> Self {
        Self(crate::server::seal())
    }
}

impl Seal {
    /// The answer that sends a person to the page, for a client that can show it.
    pub(super) fn asks(
        &self,
        context: &RequestContext<RoleServer>,
        principal: &str,
        run: &str,
        (one, page): (&Approval, &str),
    ) -> Result<Option<CallToolResponse>, ErrorData> {
        if Way::of(context, Approvals::Page) != Way::Repeat(Shape::Url) {
            return Ok(None);
        }
        let options = SealOptions::new()
            .associated_data(principal.as_bytes())
            .ttl(SEALED_FOR);
        let sealed = self.0.seal_json_with(&run, &options);
        let state = sealed.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        let request = ElicitRequestParams::UrlElicitationParams {
            meta: None,
            message: one.words(),
            url: page.to_owned(),
            elicitation_id: format!("{run}-{}", one.call),
        };
        let request = InputRequest::Elicitation(ElicitRequest::new(request));
        let requests = BTreeMap::from([(KEY.to_owned(), request)]);
        Ok(Some(
            InputRequiredResult::new(Some(requests), Some(state)).into(),
        ))
    }

    /// The run that a client comes back for.
    pub(super) fn opened(&self, state: &str, principal: &str) -> Result<String, ErrorData> {
        let opened = self.0.open_json_with(state, principal.as_bytes());
        opened.map_err(|error| {
            let message = format!("requestState is not ours: {error}; ask with `result`");
            ErrorData::invalid_params(message, None)
        })
    }
}

impl Approval {
    /// What a person reads before the page. Nothing of it is the model's own word but the parameters.
    fn words(&self) -> String {
        let plain = kael_authoring::context::plain;
        let mut words = format!("A script wants to call {}.", plain(&self.action));
        for rule in &self.rules {
            words += &format!(" Rule: {}.", plain(rule));
        }
        words + " Open the page to see it, and to approve or deny it."
    }
}

/// The answer of a run that waits for people.
pub(super) fn waiting(run: &str, all: &[Approval], page: &str) -> CallToolResponse {
    let approvals: Vec<Value> = all
        .iter()
        .map(|one| {
            let params: Value = serde_json::from_str(&one.params).unwrap_or_default();
            json!({ "call": one.call, "action": one.action, "params": params, "rules": one.rules })
        })
        .collect();
    let document = json!({
        "status": "waiting",
        "run": run,
        "approvals": approvals,
        "hint": format!("people decide on these calls at {page}; ask again with `result`"),
    });
    code::answer(document, false).into()
}
