//! Connections to a server: plain, or with TLS and the machine's certificate authorities.

use std::fmt;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use kael_net::Trust;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A text that is no address of a server.
#[derive(Debug)]
pub(crate) struct NoAddress(pub(crate) String);

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    secure: bool,
    host: String,
    port: u16,
}

impl Address {
    /// `http://HOST:PORT` or `https://HOST:PORT`; the port may be missing, and so may `http://`.
    pub(crate) fn parse(text: &str) -> Result<Self, NoAddress> {
        let wrong = || NoAddress(text.chars().take(200).collect());
        let (secure, rest) = match text.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            Some(_) => return Err(wrong()),
            None => (false, text),
        };
        let authority: hyper::http::uri::Authority =
            rest.trim_end_matches('/').parse().map_err(|_| wrong())?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            secure,
            host: authority.host().to_owned(),
            port: authority
                .port_u16()
                .unwrap_or(if secure { 443 } else { 80 }),
        })
    }

    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// Connects, and gives what sends requests.
pub(crate) async fn connect(
    address: &Address,
    trust: &Trust,
) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(address.authority()).await;
    let stream = stream.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).ok();
    if !address.secure {
        return shake(stream).await;
    }
    let host = address.host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(trust.known().await?.config.clone());
    let stream = connector.connect(name, stream).await;
    shake(stream.map_err(|error| format!("its certificate is not trusted: {error}"))?).await
}

/// Posts a document of JSON: the status of the answer.
pub(crate) async fn post_json(
    address: &Address,
    trust: &Trust,
    path: &str,
    body: Vec<u8>,
) -> Result<u16, String> {
    let request = Request::post(path)
        .header(header::HOST, address.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)));
    let request = request.map_err(|error| error.to_string())?;
    let mut sender = connect(address, trust).await?;
    let answer = sender.send_request(request).await;
    Ok(answer.map_err(|error| error.to_string())?.status().as_u16())
}

async fn shake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>, String> {
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // Ends when the answer was read, or its reader is gone.
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let shown = |text: &str| Address::parse(text).map(|address| address.to_string());
        for (text, address) in [
            ("http://127.0.0.1:7788", "http://127.0.0.1:7788"),
            ("127.0.0.1:7788/", "http://127.0.0.1:7788"),
            ("https://kael.example.org", "https://kael.example.org:443"),
            ("http://[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(shown(text).expect("an address"), address);
        }
        for text in ["", "ftp://x", "http://u:p@x", "http://", "a b"] {
            assert!(shown(text).is_err(), "{text}");
        }
    }
}
