//! Talks to a server: what the commands of `kael-host` use.

mod events;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, header};
use kael_net::Trust;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::dial::{Address, connect};

pub use events::{Follow, FollowedEvent};

pub use crate::api::alerts::{MAX_SENT as MAX_SENT_ALERTS, SentAlerts, TakenAlerts};
pub use crate::api::approvals::{Approval, Approvals, Decide};
pub use crate::api::cancel::Cancel;
pub use crate::api::fork::Fork;
pub use crate::api::hooks::{Hook, Hooks, MadeHook, NewHook};
pub use crate::api::repos::RepoState;
pub use crate::api::schedule_view::{Fire, Schedule, Schedules};
pub use crate::api::scripts::{NewScript, ScriptVersion, StoredScript, StoredScripts};
pub use crate::api::secrets::{NewSecret, Secret, SecretList};
pub use crate::api::session::{Login, Me, SignIn};
pub use crate::api::tokens::{MadeToken, NewToken};
pub use crate::api::types::{Run, RunError, Runs, Submit, Token};
pub use crate::api::waits::{Resolve, SendSignal, SentSignal};
pub use crate::problem::Problem;
pub use crate::role::{Role, UnknownRole};
pub use crate::triggers::due::CatchUp;
pub use crate::triggers::plan::{Overlap, Plan};

/// Bytes of an answer.
const MAX_ANSWER: usize = 64 << 20;
/// How long an answer may take: longer than the longest poll.
const ANSWER: Duration = Duration::from_secs(75);

/// Why a server did not do what it was asked.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address is none.
    #[error("`{0}` is no address of a server: write it like http://127.0.0.1:7788")]
    Address(String),
    /// The server cannot be reached.
    #[error("the server at {server} cannot be reached: {why}")]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        why: String,
    },
    /// The server refused.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The answer is none of a Kael server.
    #[error(
        "the server at {server} answered with status {status}, and with nothing that Kael knows"
    )]
    Strange {
        /// Its address.
        server: String,
        /// The status.
        status: u16,
    },
}

/// A server, and who asks it.
#[derive(Clone)]
pub struct Client {
    address: Address,
    token: Option<String>,
    tenant: Option<String>,
    /// The certificate authorities.
    trust: Arc<Trust>,
}

impl Client {
    /// A client of the server at an address.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(address: &str) -> Result<Self, ClientError> {
        Ok(Self {
            address: Address::parse(address).map_err(|error| ClientError::Address(error.0))?,
            token: None,
            tenant: None,
            trust: Arc::new(Trust::of_file(None)),
        })
    }

    /// The same with a token.
    #[must_use]
    pub fn token(self, token: Option<String>) -> Self {
        Self { token, ..self }
    }

    /// The same for a tenant, which an operator may choose.
    #[must_use]
    pub fn tenant(self, tenant: Option<String>) -> Self {
        Self { tenant, ..self }
    }

    /// The same with a file of certificate authorities.
    #[must_use]
    pub fn authorities(self, authorities: Option<PathBuf>) -> Self {
        Self {
            trust: Arc::new(Trust::of_file(authorities)),
            ..self
        }
    }

    /// The address of the server.
    #[must_use]
    pub fn server(&self) -> String {
        self.address.to_string()
    }

    /// Gets a document.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::GET, path, None::<&()>, &[]).await
    }

    /// Sends a document, and gets one.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.ask(method, path, Some(body), &[]).await
    }

    /// Submits a run. With a key, a run is made once however often it is sent.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn submit(&self, submit: &Submit, key: Option<&str>) -> Result<Run, ClientError> {
        let header = key.map(|key| ("idempotency-key", key));
        self.ask(Method::POST, "/v1/runs", Some(submit), header.as_slice())
            .await
    }

    /// Sends a document that follows a version, and gets one.
    ///
    /// # Errors
    /// Why there is none: among others, that there is another version.
    pub async fn put_behind<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        version: Option<u32>,
    ) -> Result<T, ClientError> {
        let tag = version.map(|version| format!("\"{version}\""));
        let header = tag.as_deref().map(|tag| ("if-match", tag));
        self.ask(Method::PUT, path, Some(body), header.as_slice())
            .await
    }

    /// Puts a document where the answer is nothing.
    ///
    /// # Errors
    /// Why it is not there.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<(), ClientError> {
        let response = self.request(Method::PUT, path, Some(body), &[]).await?;
        self.bytes(response).await.map(|_| ())
    }

    /// Takes something away.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn delete(&self, path: &str) -> Result<(), ClientError> {
        let response = self.request(Method::DELETE, path, None::<&()>, &[]).await?;
        self.bytes(response).await.map(|_| ())
    }

    /// Gets bytes.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn get_bytes(&self, path: &str) -> Result<Bytes, ClientError> {
        let response = self.request(Method::GET, path, None::<&()>, &[]).await?;
        self.bytes(response).await
    }

    /// Follows a run from the event behind `after`.
    #[must_use]
    pub fn follow(&self, run: &str, after: Option<String>) -> Follow {
        Follow::new(self.clone(), run.to_owned(), after)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        headers: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        let response = self.request(method, path, body, headers).await?;
        let status = response.status().as_u16();
        let bytes = self.bytes(response).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.strange(status))
    }

    fn strange(&self, status: u16) -> ClientError {
        ClientError::Strange {
            server: self.server(),
            status,
        }
    }

    fn unreachable(&self, why: impl std::fmt::Display) -> ClientError {
        ClientError::Unreachable {
            server: self.server(),
            why: why.to_string(),
        }
    }

    /// The whole body of an answer that is none of a refusal.
    async fn bytes(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
        let body = tokio::time::timeout(ANSWER, body).await;
        let body = body.map_err(|_| self.unreachable("the answer stopped half way"))?;
        let bytes = body.map_err(|error| self.unreachable(error))?.to_bytes();
        if status.is_success() {
            return Ok(bytes);
        }
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(ClientError::Refused(Box::new(problem))),
            Err(_) => Err(self.strange(status.as_u16())),
        }
    }

    /// Sends a request, and gives the head of the answer.
    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        headers: &[(&str, &str)],
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.authority())
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header(
                header::USER_AGENT,
                concat!("kael-host/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("kael-tenant", tenant);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = match body {
            None => Bytes::new(),
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                let bytes = serde_json::to_vec(body).map_err(|error| self.unreachable(error))?;
                Bytes::from(bytes)
            }
        };
        let request = request
            .body(Full::new(bytes))
            .map_err(|error| self.unreachable(error))?;
        let sent = async {
            let mut sender = connect(&self.address, &self.trust).await?;
            sender
                .send_request(request)
                .await
                .map_err(|error| error.to_string())
        };
        let answer = tokio::time::timeout(ANSWER, sent).await;
        let answer = answer.map_err(|_| self.unreachable("it does not answer"))?;
        answer.map_err(|why| self.unreachable(why))
    }
}
