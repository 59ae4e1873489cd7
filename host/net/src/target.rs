//! Reads the host and port of a request from its URI, and refuses URIs that two parsers could read
//! differently.

use hyper::Uri;
use hyper::http::uri::Scheme;

use crate::error::ConnectError;

/// The server of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name or an address; an IPv6 address is in brackets.
    pub host: String,
    /// From 1.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl Target {
    /// Reads a URI.
    ///
    /// # Errors
    /// When it has no host, a user name, or a port that is none.
    pub fn of(uri: &Uri) -> Result<Self, ConnectError> {
        let authority = uri.authority().ok_or(ConnectError::InvalidUri)?;
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let host = authority.host();
        // A user name or an invalid port is refused, because it would also appear in the header
        // `Host`.
        let port = match authority.as_str().strip_prefix(host) {
            Some("") if tls => Some(443),
            Some("") => Some(80),
            Some(rest) => rest.strip_prefix(':').and_then(port),
            None => None,
        };
        match port {
            Some(port) if !host.is_empty() => Ok(Self {
                host: host.to_owned(),
                port,
                tls,
            }),
            _ => Err(ConnectError::InvalidUri),
        }
    }
}

fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str) -> Option<(String, u16, bool)> {
        let target = Target::of(&uri.parse().ok()?).ok()?;
        Some((target.host, target.port, target.tls))
    }

    #[test]
    fn a_host_and_a_port_and_nothing_else() {
        for (uri, host, port, tls) in [
            ("http://a.example/x", "a.example", 80, false),
            ("https://a.example", "a.example", 443, true),
            ("https://a.example:8443/", "a.example", 8443, true),
            ("http://[::1]:9090/", "[::1]", 9090, false),
            ("http://127.0.0.1/", "127.0.0.1", 80, false),
        ] {
            assert_eq!(of(uri), Some((host.to_owned(), port, tls)), "{uri}");
        }
        for uri in [
            "http://user@a.example/",
            "http://a.example@a.example/",
            "http://a.example:80@a.example/",
            "http://user:word@a.example:80/",
            "http://a.example:/",
            "http://a.example:0/",
            "http://a.example:+80/",
            "http://a.example:65536/",
            "http://a.example:99999999999/",
            "/x",
        ] {
            assert_eq!(of(uri), None, "{uri}");
        }
    }
}
