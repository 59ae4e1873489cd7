//! Connections to a server: plain, or with TLS and the machine's certificate authorities.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where Linux distributions keep the certificate authorities.
const FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

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
    authorities: Option<&Path>,
) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(address.authority()).await;
    let stream = stream.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).ok();
    if !address.secure {
        return shake(stream).await;
    }
    let host = address.host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::new(config(authorities)?));
    let stream = connector.connect(name, stream).await;
    shake(stream.map_err(|error| format!("its certificate is not trusted: {error}"))?).await
}

/// Posts a document of JSON: the status of the answer.
pub(crate) async fn post_json(
    address: &Address,
    authorities: Option<&Path>,
    path: &str,
    body: Vec<u8>,
) -> Result<u16, String> {
    let request = Request::post(path)
        .header(header::HOST, address.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)));
    let request = request.map_err(|error| error.to_string())?;
    let mut sender = connect(address, authorities).await?;
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

fn config(named: Option<&Path>) -> Result<ClientConfig, String> {
    let there = || FILES.iter().map(PathBuf::from).find(|file| file.is_file());
    let Some(file) = named.map(Path::to_owned).or_else(there) else {
        return Err("this machine has no certificate authorities: install `ca-certificates`, or name a file of them in SSL_CERT_FILE".to_owned());
    };
    let shown = file.display();
    let certificates =
        CertificateDer::pem_file_iter(&file).map_err(|error| format!("{shown}: {error}"))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.flatten());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
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
