//! Servers and URLs that a grant names: `prometheus.internal:9090`, `https://api.github.com/repos`,
//! `10.0.0.0/8:443`.

use std::fmt;
use std::net::IpAddr;

use crate::catalog::{Destination, Host};

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// As plain text.
    Http,
    /// Over TLS.
    Https,
    /// A WebSocket, as plain text.
    Ws,
    /// A WebSocket over TLS.
    Wss,
}

/// A server, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern {
    /// HTTP, encrypted or not, where none is named.
    pub scheme: Option<Scheme>,
    /// The server.
    pub destination: Destination,
    /// The path, or what the path begins with, in whole segments; `/` for every path.
    pub path: String,
}

impl UrlPattern {
    /// Reads a pattern; none for what is no server.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some(("https", rest)) => (Some(Scheme::Https), rest),
            Some(("ws", rest)) => (Some(Scheme::Ws), rest),
            Some(("wss", rest)) => (Some(Scheme::Wss), rest),
            Some(_) => return None,
        };
        // A range of addresses has a `/`, too, and no path.
        if let Ok(destination) = rest.parse() {
            return Some(Self {
                scheme,
                destination,
                path: "/".to_owned(),
            });
        }
        let (server, path) = match rest.find('/') {
            Some(at) if scheme.is_some() => rest.split_at(at),
            Some(_) => return None,
            None => (rest, "/"),
        };
        if path.contains(['?', '#', '%', '\\']) || path.split('/').any(|part| part == "..") {
            return None;
        }
        let destination = match (server.parse(), scheme) {
            (Ok(destination), _) => destination,
            (Err(_), Some(scheme)) => format!("{server}:{}", scheme.port()).parse().ok()?,
            (Err(_), None) => return None,
        };
        Some(Self {
            scheme,
            destination,
            path: path.to_owned(),
        })
    }

    /// Whether a URL is meant: its scheme, its host in lower case without the final dot, its port,
    /// and its path.
    #[must_use]
    pub fn holds(&self, scheme: Scheme, host: &str, port: u16, path: &str) -> bool {
        // By a WebSocket a script can send what no list of methods says.
        let by_scheme = match self.scheme {
            Some(own) => own == scheme,
            None => matches!(scheme, Scheme::Http | Scheme::Https),
        };
        by_scheme
            && self.destination.port == port
            && self.holds_host(host)
            && below(&self.path, path)
    }

    fn holds_host(&self, host: &str) -> bool {
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        match (&self.destination.host, address) {
            (Host::Name(name), Err(_)) => name == host,
            (range @ Host::Range { .. }, Ok(ip)) => range.holds(ip.to_canonical()),
            _ => false,
        }
    }
}

impl Scheme {
    /// Where a server listens unless a URL says otherwise.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Http | Self::Ws => 80,
            Self::Https | Self::Wss => 443,
        }
    }

    /// As URLs spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

/// Whether a path is `base` or below it. A path that a server could read as another one is not.
fn below(base: &str, path: &str) -> bool {
    let base = base.trim_end_matches('/');
    if base.is_empty() {
        return true;
    }
    let lower = path.to_ascii_lowercase();
    let odd = [
        "%2e", "%2f", "%5c", "%25", "%3b", "%00", "%c0", "\\", "//", "/../", "/./", "/..;", "/.;",
    ];
    let odd = odd.iter().any(|part| lower.contains(part))
        || lower.ends_with("/..")
        || lower.ends_with("/.");
    let rest = path.strip_prefix(base);
    !odd && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{}://", scheme.name())?;
        }
        write!(f, "{}", self.destination)?;
        match self.path.as_str() {
            "/" => Ok(()),
            path => f.write_str(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_schemes_and_paths_are_held() {
        let held = |pattern: &str, scheme, host: &str, port, path: &str| {
            let pattern = UrlPattern::parse(pattern).expect(pattern);
            pattern.holds(scheme, host, port, path)
        };
        assert!(held(
            "a.internal:9090",
            Scheme::Http,
            "a.internal",
            9090,
            "/x"
        ));
        assert!(held(
            "a.internal:9090",
            Scheme::Https,
            "a.internal",
            9090,
            "/"
        ));
        assert!(!held(
            "a.internal:9090",
            Scheme::Http,
            "a.internal",
            9091,
            "/"
        ));
        assert!(held(
            "https://A.example",
            Scheme::Https,
            "a.example",
            443,
            "/"
        ));
        assert!(!held(
            "https://a.example",
            Scheme::Http,
            "a.example",
            443,
            "/"
        ));
        assert!(!held(
            "https://a.example",
            Scheme::Https,
            "b.a.example",
            443,
            "/"
        ));
        assert!(held("ws://a:80/x", Scheme::Ws, "a", 80, "/x/y"));
        assert!(!held("http://a:80", Scheme::Ws, "a", 80, "/"));
        assert!(!held("a:80", Scheme::Ws, "a", 80, "/"));
        assert!(!held("ws://a:80", Scheme::Http, "a", 80, "/"));
        assert!(held("10.0.0.0/8:80", Scheme::Http, "10.1.2.3", 80, "/"));
        assert!(held("http://[::1]:80", Scheme::Http, "[::1]", 80, "/"));
        assert!(!held("10.0.0.0/8:80", Scheme::Http, "ten.example", 80, "/"));
    }

    #[test]
    fn a_path_is_a_prefix_of_whole_segments() {
        let held = |path: &str| {
            let pattern = UrlPattern::parse("https://a.example/repos/x/").expect("a pattern");
            pattern.holds(Scheme::Https, "a.example", 443, path)
        };
        assert!(held("/repos/x") && held("/repos/x/issues"));
        for path in [
            "/repos",
            "/repos/xy",
            "/repos/x/../y",
            "/repos/x/%2e%2E/y",
            "/repos/x/..",
            "/repos/x/%2fy",
            "/repos/x//y",
            "/repos/x/%252e",
            "/repos/x/..;/y",
            "/repos/x/.;a=b/y",
            "/repos/x/..%3b/y",
            "/repos/x/%c0%ae%c0%ae/y",
            "/repos/x/a%00b",
            "/",
        ] {
            assert!(!held(path), "{path}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in [
            "x",
            "ftp://x",
            "a:1/path",
            "https://",
            "https://a/../b",
            "https://a/%41",
            "https://u@a",
            "*:80",
        ] {
            assert_eq!(UrlPattern::parse(text), None, "{text}");
        }
    }
}
