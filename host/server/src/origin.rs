//! Whether a request that a browser may have sent comes from a page of this server.
//!
//! A browser sends cookies on its own, so a page of another site could use them (CSRF), and a name that
//! is made to point at this machine could read the answers (DNS rebinding). A request with an
//! `Authorization` header is not asked: no page of another site can set it.

use axum::extract::Request;
use axum::http::{Method, header};

use crate::problem::{Kind, Problem};

/// Refuses what comes from elsewhere. `address` is that by which people reach the server.
pub(crate) fn check(request: &Request, address: &str) -> Result<(), Problem> {
    if request.headers().contains_key(header::AUTHORIZATION) {
        return Ok(());
    }
    let host = host(request);
    if host.is_some_and(|host| !is_own(host, address)) {
        let detail = "the `Host` of the request is none of this server";
        return Err(Problem::new(Kind::Forbidden, detail)
            .hint("`public_url` in the configuration says by which name people reach the server"));
    }
    let is_safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if !is_safe && is_foreign(request, host, address) {
        return Err(forged());
    }
    Ok(())
}

/// Whether a page of another site sends a request, with a token or without.
pub(crate) fn is_elsewhere(request: &Request, address: &str) -> bool {
    is_foreign(request, host(request), address)
}

/// The answer to a request that no page of this server has made.
pub(crate) fn forged() -> Problem {
    let detail = "the request does not come from a page of this server";
    Problem::new(Kind::Forbidden, detail)
        .hint("load the page anew; programs send a token instead of a cookie")
}

/// The host and port that the request is for: a header, or a part of the address in HTTP/2.
fn host(request: &Request) -> Option<&str> {
    let header = request.headers().get(header::HOST);
    match (request.uri().authority(), header) {
        (Some(authority), _) => Some(authority.as_str()),
        // A header that is not text names no host of this server.
        (None, Some(value)) => Some(value.to_str().unwrap_or("?")),
        (None, None) => None,
    }
}

/// Whether a host is a name of this server: the one that it is known by, or one that no name server
/// decides about.
fn is_own(host: &str, address: &str) -> bool {
    if Some(host) == behind_scheme(address) {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    name == "localhost" || bare.unwrap_or(name).parse::<std::net::IpAddr>().is_ok()
}

fn is_foreign(request: &Request, host: Option<&str>, address: &str) -> bool {
    let text = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap_or("?"))
    };
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return true;
    }
    // A proxy may have changed the host, but not the address that the browser knows.
    text("origin").is_some_and(|origin| {
        let origin = behind_scheme(origin);
        origin.is_none() || (origin != host && origin != behind_scheme(address))
    })
}

fn behind_scheme(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    rest.split('/').next()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn passes(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/runs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        check(&request, "https://kael.example:8443/").is_ok()
    }

    #[test]
    fn only_names_of_the_server_are_answered() {
        for host in [
            "kael.example:8443",
            "127.0.0.1:7788",
            "localhost:7788",
            "[::1]:7788",
            "10.1.2.3",
        ] {
            assert!(passes("GET", &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:7788",
            "kael.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
        ] {
            assert!(!passes("GET", &[("host", host)]), "{host}");
            assert!(passes(
                "GET",
                &[("host", host), ("authorization", "Bearer x")]
            ));
        }
    }

    #[test]
    fn a_page_of_another_site_sends_nothing() {
        let own = ("host", "kael.example:8443");
        assert!(passes("POST", &[own]));
        assert!(passes(
            "POST",
            &[own, ("origin", "https://kael.example:8443")]
        ));
        assert!(passes("POST", &[own, ("sec-fetch-site", "same-origin")]));
        let proxied = ("host", "127.0.0.1:7788");
        assert!(passes(
            "POST",
            &[proxied, ("origin", "https://kael.example:8443")]
        ));
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(!passes("POST", &[own, foreign]), "{foreign:?}");
            assert!(!passes("DELETE", &[own, foreign]), "{foreign:?}");
            // Without a change nothing is lost: the page cannot read the answer.
            assert!(passes("GET", &[own, foreign]));
        }
    }
}
