//! A connection that speaks HTTP/1.1, to a server that a policy allows.

use hyper::body::Body;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use crate::connect::open;
use crate::error::ConnectError;
use crate::network_policy::NetworkPolicy;
use crate::target::Target;
use crate::trust::Trust;

/// How large the head of an answer may be.
#[derive(Debug, Clone, Copy)]
pub struct HeadBounds {
    /// Bytes of its status line and headers, and of one read of its body.
    pub bytes: usize,
    /// Its headers.
    pub headers: usize,
}

/// Connects to the server of a request, if the policy allows its name. The connection ends when what this gives is dropped.
///
/// # Errors
/// When the policy does not allow it, or it cannot be reached.
pub async fn connect<B>(
    target: &Target,
    network: &NetworkPolicy,
    trust: &Trust,
    bounds: HeadBounds,
) -> Result<SendRequest<B>, ConnectError>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let name = network
        .may_request(&target.host, target.port)
        .ok_or(ConnectError::Prohibited)?;
    let stream = open(target, &name, network, trust).await?;
    let (sender, connection) = Builder::new()
        .max_buf_size(bounds.bytes)
        .max_headers(bounds.headers)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| ConnectError::Terminated)?;
    // Who reads the answer gets its error.
    tokio::spawn(connection);
    Ok(sender)
}
