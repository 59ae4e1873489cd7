//! Bounds what one client can make the host hold: the bytes of a message, and the requests that were
//! not answered yet.
//!
//! A request counts until its answer was written, so a client that reads nothing is soon refused
//! more, and then no longer read from.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{ClientNotification, ErrorCode, ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::lines::Lines;

/// Bytes of one message. A script may have a megabyte, and JSON makes it longer.
const MAX_MESSAGE: usize = 4 << 20;
/// Requests of one client that wait for their answers.
pub(super) const MAX_OPEN: usize = 64;

/// The requests that were not answered yet.
type Open = Arc<Mutex<HashSet<RequestId>>>;

/// A transport within bounds.
pub(super) struct Bounded<R: AsyncRead + Unpin, W: AsyncWrite, F> {
    inner: AsyncRwTransport<RoleServer, Lines<R>, W>,
    /// A permit for each message that was too long and has no answer yet.
    too_long: Arc<Semaphore>,
    open: Open,
    /// Writes a refusal: a task, because `receive` may be dropped at any await and called again.
    refusing: Option<JoinHandle<io::Result<()>>>,
    /// Called when the client has closed its side.
    gone: F,
}

impl<R, W, F> Bounded<R, W, F>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
    F: Fn() + Send + 'static,
{
    pub(super) fn new(input: R, output: W, gone: F) -> Self {
        let too_long = Arc::new(Semaphore::new(0));
        let input = Lines::new(input, MAX_MESSAGE, too_long.clone());
        let inner = AsyncRwTransport::new_server(input, output);
        Self {
            inner: inner.with_max_line_length(MAX_MESSAGE),
            too_long,
            open: Open::default(),
            refusing: None,
            gone,
        }
    }
}

impl<R, W, F> Bounded<R, W, F>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// Begins to answer that something was no valid request.
    fn refuse(&mut self, id: Option<RequestId>, why: String) {
        let error = ErrorData::new(ErrorCode::INVALID_REQUEST, why, None);
        let sending = self.inner.send(JsonRpcMessage::error(error, id));
        self.refusing = Some(tokio::spawn(sending));
    }
}

/// Something came that was too long, and was dropped.
struct TooLong;

fn locked(open: &Open) -> std::sync::MutexGuard<'_, HashSet<RequestId>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which request a message answers.
fn answered(message: &TxJsonRpcMessage<RoleServer>) -> Option<RequestId> {
    match message {
        JsonRpcMessage::Response(response) => Some(response.id.clone()),
        JsonRpcMessage::Error(error) => error.id.clone(),
        _ => None,
    }
}

impl<R, W, F> Transport<RoleServer> for Bounded<R, W, F>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
    F: Fn() + Send + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let (done, open) = (answered(&message), self.open.clone());
        let sending = self.inner.send(message);
        async move {
            let sent = sending.await;
            if let Some(id) = done {
                locked(&open).remove(&id);
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            // Waits for the reader, so that refusals cannot pile up.
            if let Some(refusing) = &mut self.refusing {
                let sent = refusing.await;
                self.refusing = None;
                if !matches!(sent, Ok(Ok(()))) {
                    (self.gone)();
                    return None;
                }
            }
            let received = tokio::select! {
                biased;
                seen = self.too_long.acquire() => {
                    if let Ok(seen) = seen {
                        seen.forget();
                    }
                    Err(TooLong)
                }
                message = self.inner.receive() => match (message, self.too_long.try_acquire()) {
                    (Some(message), _) => Ok(Some(message)),
                    // The last message of a client that has closed its side.
                    (None, Ok(seen)) => {
                        seen.forget();
                        Err(TooLong)
                    }
                    (None, Err(_)) => Ok(None),
                },
            };
            let message = match received {
                Ok(Some(message)) => message,
                Err(TooLong) => {
                    let why = format!(
                        "a message has more than {} MiB, and was not read: send less at once",
                        MAX_MESSAGE >> 20
                    );
                    self.refuse(None, why);
                    continue;
                }
                Ok(None) => {
                    (self.gone)();
                    return None;
                }
            };
            let wrong = match &message {
                JsonRpcMessage::Request(request) => {
                    let mut open = locked(&self.open);
                    if open.contains(&request.id) {
                        Some((None, "a request with this id has no answer yet".to_owned()))
                    } else if open.len() >= MAX_OPEN {
                        let why =
                            format!("{MAX_OPEN} requests have no answer yet: read those first");
                        Some((Some(request.id.clone()), why))
                    } else {
                        open.insert(request.id.clone());
                        None
                    }
                }
                JsonRpcMessage::Notification(notification) => {
                    // What was cancelled gets no answer.
                    if let ClientNotification::CancelledNotification(cancelled) =
                        &notification.notification
                        && let Some(id) = &cancelled.params.request_id
                    {
                        locked(&self.open).remove(id);
                    }
                    None
                }
                _ => None,
            };
            let Some((id, why)) = wrong else {
                return Some(message);
            };
            self.refuse(id, why);
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.inner.close().await
    }
}
