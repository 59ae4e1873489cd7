//! Requests that a browser may have been made to send: from another site, or to a name of another.

use kael_tests::Kael;

use super::{Answer, Server};

fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut text = format!("{method} {path} HTTP/1.0\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    server.raw(&format!("{text}\r\n{body}"))
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[test]
fn a_name_that_is_made_to_point_here_reads_nothing() {
    let server = Server::owning(Kael::new());
    for path in [
        "/login",
        "/v1/openapi.json",
        "/readyz",
        "/assets/page.js",
        "/runs",
    ] {
        let answer = send(&server, "GET", path, &[("Host", "evil.example")], "");
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
        assert!(answer.body.contains("public_url"), "{}", answer.body);
    }
    send(&server, "GET", "/readyz", &[("Host", &server.address)], "").is(200);
    // Programs name a token, which no page of another site can send.
    let bearer = format!("Bearer {}", server.token);
    let headers = [("Host", "kael.example"), ("Authorization", bearer.as_str())];
    send(&server, "GET", "/v1/me", &headers, "").is(200);
}

#[test]
fn another_site_signs_nobody_in() {
    let server = Server::owning(Kael::new());
    let host = ("Host", server.address.as_str());
    let origin = ("Origin", "https://evil.example");
    let site = ("Sec-Fetch-Site", "cross-site");
    for foreign in [origin, site] {
        send(&server, "POST", "/login", &[host, FORM, foreign], "code=x").is(403);
        let body = "{\"code\": \"x\"}";
        send(&server, "POST", "/v1/login", &[host, JSON, foreign], body).is(403);
    }
    send(&server, "POST", "/login", &[host, FORM], "code=x").is(401);
}

#[test]
fn signing_in_reads_little_of_a_body() {
    let server = Server::owning(Kael::new());
    let host = ("Host", server.address.as_str());
    let body = format!("{{\"code\": \"{}\"}}", "x".repeat(20_000));
    send(&server, "POST", "/v1/login", &[host, JSON], &body).is(413);
    let form = format!("code={}", "x".repeat(20_000));
    send(&server, "POST", "/login", &[host, FORM], &form).is(413);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    use std::io::{Read as _, Write as _};
    let server = Server::owning(Kael::new());
    let silent = ["", "P", "PRI * HT", "GET / HTTP/1.1\r\n"].map(|text| {
        let mut stream = std::net::TcpStream::connect(&server.address).expect("a connection");
        stream.write_all(text.as_bytes()).expect("sent");
        stream
            .set_read_timeout(Some(super::PATIENCE))
            .expect("a time");
        stream
    });
    for mut stream in silent {
        // Its end, and not the time.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("closed");
    }
}
