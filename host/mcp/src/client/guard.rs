//! Bounds what a server can make the host do: the bytes of a message, and messages that answer
//! nothing.

use std::io;

use rmcp::RoleClient;
use rmcp::model::JsonRpcMessage;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::net::unix::pipe;

/// Bytes of one message: a result may be large.
const MAX_MESSAGE: usize = 16 << 20;
/// Messages between two answers that are none: progress, logs, questions of the server.
const MAX_UNASKED: usize = 10_000;

/// The pipes of a server, within bounds.
pub(super) struct Guarded {
    inner: AsyncRwTransport<RoleClient, pipe::Receiver, pipe::Sender>,
    unasked: usize,
}

impl Guarded {
    pub(super) fn new(stdout: pipe::Receiver, stdin: pipe::Sender) -> Self {
        let inner = AsyncRwTransport::new_client(stdout, stdin);
        Self {
            inner: inner.with_max_line_length(MAX_MESSAGE),
            unasked: 0,
        }
    }
}

impl Transport<RoleClient> for Guarded {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.inner.receive().await?;
        match &message {
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => self.unasked = 0,
            _ => self.unasked += 1,
        }
        // A server that floods is one that has ended.
        (self.unasked <= MAX_UNASKED).then_some(message)
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.inner.close().await
    }
}
