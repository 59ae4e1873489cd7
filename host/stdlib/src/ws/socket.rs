//! One WebSocket, over a connection that `kael-net` has checked.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::units::ByteSize;
use kael_net::{ConnectError, NetworkPolicy, Stream, Trust, open};

use super::{MAX_MESSAGE, wire};
use crate::http::Request;
use crate::refusal::invalid;

/// How long a server may take to agree that a socket is closed.
const CLOSING: Duration = Duration::from_secs(5);

type Own = WebSocketStream<Box<dyn Stream>>;

/// A socket. One call can wait for a message while another sends one.
pub(super) struct Socket {
    sending: tokio::sync::Mutex<SplitSink<Own, Message>>,
    receiving: tokio::sync::Mutex<SplitStream<Own>>,
}

/// A message of a script.
pub(super) fn message(text: Option<String>, bytes: Option<String>) -> Result<Message, ActionError> {
    let message = match (text, bytes) {
        (Some(text), None) => Message::text(text),
        (None, Some(chars)) => {
            let bytes = wire::bytes(&chars);
            let bytes =
                bytes.ok_or_else(|| invalid("`bytes` has a character that stands for no byte"))?;
            Message::Binary(Bytes::from(bytes))
        }
        _ => return Err(invalid("either `text` or `bytes` is sent")),
    };
    match message.len() > MAX_MESSAGE {
        true => Err(too_large()),
        false => Ok(message),
    }
}

/// How a script closes a socket.
pub(super) fn farewell(code: Option<u16>, reason: String) -> Result<CloseFrame, ActionError> {
    let code = code.unwrap_or(1000);
    if !(code == 1000 || (3000..5000).contains(&code)) || reason.len() > 123 {
        return Err(invalid(
            "a script closes with 1000 or a code from 3000 to 4999, and at most 123 bytes of a reason",
        ));
    }
    Ok(CloseFrame {
        code: CloseCode::from(code),
        reason: reason.into(),
    })
}

fn too_large() -> ActionError {
    let most = ByteSize::new(MAX_MESSAGE as u64);
    invalid(format!("a message has at most {most}"))
}

impl Socket {
    /// Opens one, and says which protocol the server has chosen.
    pub(super) async fn open(
        request: &Request,
        headers: HeaderMap,
        network: &NetworkPolicy,
        trust: &Trust,
    ) -> Result<(Self, Option<String>), ActionError> {
        let target = &request.target;
        let refused = |error: ConnectError| {
            let kind = match error {
                ConnectError::Prohibited => ErrorKind::Denied,
                _ => ErrorKind::Unavailable,
            };
            ActionError {
                kind,
                ..ActionError::unavailable(error.to_string(), network.advice())
            }
        };
        let made = target.whole().into_client_request();
        let mut made = made.map_err(|error| invalid(error.to_string()))?;
        let own = made.headers_mut();
        for (name, value) in &headers {
            own.append(name.clone(), value.clone());
        }
        if !request.protocols.is_empty() {
            let protocols = HeaderValue::from_str(&request.protocols.join(", "));
            let protocols =
                protocols.map_err(|_| invalid("`protocols` has a name that is none"))?;
            own.insert("sec-websocket-protocol", protocols);
        }
        let name = network.may_request(&target.server.host, target.server.port);
        let name = name.ok_or_else(|| refused(ConnectError::Prohibited))?;
        let stream = open(&target.server, &name, network, trust)
            .await
            .map_err(refused)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE))
            .max_write_buffer_size(2 * MAX_MESSAGE);
        let shaken = client_async_with_config(made, stream, Some(config)).await;
        let (socket, answer) = shaken.map_err(failed)?;
        let protocol = answer.headers().get("sec-websocket-protocol");
        let protocol = protocol.and_then(|name| name.to_str().ok().map(str::to_owned));
        let (sending, receiving) = socket.split();
        let socket = Self {
            sending: sending.into(),
            receiving: receiving.into(),
        };
        Ok((socket, protocol))
    }

    pub(super) async fn send(&self, message: Message, wait: Duration) -> Result<(), ActionError> {
        let sending = async { self.sending.lock().await.send(message).await };
        match tokio::time::timeout(wait, sending).await {
            Ok(sent) => sent.map_err(failed),
            // A part of it may have gone: the socket is of no use any more.
            Err(_) => Err(ActionError::new(
                ErrorKind::Failed,
                "the server does not take the message",
            )),
        }
    }

    /// The next message; nothing where none comes in time.
    pub(super) async fn receive(&self, wait: Duration) -> Result<Value, ActionError> {
        let receiving = async {
            let mut receiving = self.receiving.lock().await;
            loop {
                match receiving.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(json!({ "text": text.as_str() })),
                    Some(Ok(Message::Binary(bytes))) => {
                        return Ok(json!({ "bytes": wire::chars(&bytes) }));
                    }
                    Some(Ok(Message::Close(frame))) => return Ok(closed(frame)),
                    Some(Ok(_)) => {}
                    Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => {
                        return Ok(closed(None));
                    }
                    Some(Err(error)) => return Err(failed(error)),
                }
            }
        };
        let received = tokio::time::timeout(wait, receiving).await;
        received.unwrap_or_else(|_| Ok(json!({})))
    }

    /// Says that it is over, and waits a little for the server to agree.
    pub(super) async fn close(&self, frame: CloseFrame) {
        let closing = async {
            let said = self
                .sending
                .lock()
                .await
                .send(Message::Close(Some(frame)))
                .await;
            let mut receiving = self.receiving.lock().await;
            while said.is_ok() && matches!(receiving.next().await, Some(Ok(_))) {}
        };
        tokio::time::timeout(CLOSING, closing).await.ok();
    }
}

fn closed(frame: Option<CloseFrame>) -> Value {
    let (code, reason) = match frame {
        Some(frame) => (u16::from(frame.code), frame.reason.to_string()),
        None => (1006, String::new()),
    };
    json!({ "closed": true, "code": code, "reason": reason })
}

fn failed(error: Error) -> ActionError {
    match error {
        Error::Http(answer) => {
            let status = answer.status().as_u16();
            let message = format!("the server opens no WebSocket: it answers with status {status}");
            ActionError::new(ErrorKind::Failed, message)
        }
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            let most = ByteSize::new(MAX_MESSAGE as u64);
            let message = format!("a message of the server has more than {most}");
            ActionError::new(ErrorKind::Failed, message)
        }
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => {
            ActionError::new(ErrorKind::Failed, "the connection is closed")
        }
        error => ActionError::new(ErrorKind::Failed, error.to_string()),
    }
}
