//! Where a request goes.

use hyper::Uri;
use hyper::http::uri::PathAndQuery;

use kael_engine::failure::ActionError;
use kael_engine::policy::grants::Scheme;
use kael_net::Target as Server;

use crate::refusal::invalid;

/// Bytes that a URL may have.
const MAX_URL: usize = 64 << 10;

/// A URL, read once.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// As messages name it: without its query, which may hold what is private.
    pub(crate) url: String,
    pub(super) scheme: Scheme,
    pub(crate) server: Server,
    /// In lower case, without the final dot.
    pub(super) host: String,
    pub(super) path: PathAndQuery,
}

impl Target {
    /// Reads a URL. What follows `#` is the reader's own and is not sent.
    pub(super) fn parse(text: &str) -> Result<Self, ActionError> {
        let shown: String = text
            .chars()
            .take(200)
            .flat_map(char::escape_debug)
            .collect();
        if text.len() > MAX_URL {
            return Err(invalid("`url` has more than 64 KiB"));
        }
        let wanted = |why: &str| invalid(format!("`url` is no URL of a server: {why} (`{shown}`)"));
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(wanted(
                "it has blanks or control characters; values in a query are encoded, as with `query`",
            ));
        }
        let uri: Uri = text.parse().map_err(|error| wanted(&format!("{error}")))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(wanted("it begins with http:// or https://")),
        };
        let server = Server::of(&uri).map_err(|error| wanted(&error.to_string()))?;
        let host = server.host.strip_suffix('.').unwrap_or(&server.host);
        let host = host.to_ascii_lowercase();
        let path = uri
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self {
            url: format!("{}://{host}:{}{}", scheme.name(), server.port, path.path()),
            scheme,
            server,
            host,
            path,
        })
    }

    /// Reads the URL of a WebSocket.
    pub(super) fn parse_socket(text: &str) -> Result<Self, ActionError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let (scheme, plain) = match scheme.to_ascii_lowercase().as_str() {
            "ws" => (Scheme::Ws, Scheme::Http),
            "wss" => (Scheme::Wss, Scheme::Https),
            _ => {
                return Err(invalid(
                    "`url` is no URL of a WebSocket: it begins with ws:// or wss://",
                ));
            }
        };
        let target = Self::parse(&format!("{}://{rest}", plain.name()))?;
        let url = target.url.replacen(plain.name(), scheme.name(), 1);
        Ok(Self {
            scheme,
            url,
            ..target
        })
    }

    /// Whether another URL is on the same server, in the same way.
    pub(super) fn is_origin_of(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.host == other.host
            && self.server.port == other.server.port
    }

    /// The whole URL.
    pub(crate) fn whole(&self) -> String {
        let port = match self.server.port == self.scheme.port() {
            true => String::new(),
            false => format!(":{}", self.server.port),
        };
        format!("{}://{}{port}{}", self.scheme.name(), self.host, self.path)
    }

    /// The value of the header `Host`.
    pub(crate) fn authority(&self) -> String {
        match self.server.port == self.scheme.port() {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.server.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_once_and_odd_ones_are_refused() {
        let target = Target::parse("HTTPS://A.example.:8443/x?y=1#z").expect("a URL");
        assert_eq!(target.whole(), "https://a.example:8443/x?y=1");
        assert_eq!(target.url, "https://a.example:8443/x");
        assert_eq!(Target::parse("http://a").expect("a URL").authority(), "a");
        for text in [
            "",
            "/x",
            "a:80",
            "ftp://a/",
            "file:///etc/passwd",
            "unix:/run/docker.sock",
            "http://",
            "http:///x",
            "http://user@a/",
            "http://a@b@c/",
            "http://a:80@b/",
            "http://a/ b",
            "http://a/\r\nX: y",
            "http://a\t/",
            "http://a:0/",
            "http://a:99999/",
            "http://[::1/",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
