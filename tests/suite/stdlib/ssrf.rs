//! Ways in which a script, a server or a name could lead a request elsewhere. Each ends before a byte
//! is sent.

use super::server::{Server, answer};
use super::with_grants;

/// Spellings of a server that is not granted, next to one that is.
#[test]
fn no_spelling_of_an_address_gets_past_the_grant() {
    let inside = Server::start(|_| answer(200, "", "inside"));
    let port = inside.port;
    let script = format!(
        r#"for _, url in ipairs {{
          "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://127.1:{port}/", "http://2130706433:{port}/",
          "http://0x7f000001:{port}/", "http://0177.0.0.1:{port}/", "http://127.0.0.1.:{port}/", "http://0:{port}/",
          "http://0.0.0.0:{port}/", "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/",
          "http://[::]:{port}/", "http://[64:ff9b::7f00:1]:{port}/", "http://open.example@127.0.0.1:{port}/",
          "http://127.0.0.1:{port}#@open.example/", "http://open.example:80@127.0.0.1:{port}/", "http://127.0.0.1:{port}\\@open.example/",
          "http://open.example:{port}/", "http://open.example.evil/", "http://169.254.169.254/latest/meta-data/", "http://metadata/",
          "http://[fe80::1]/", "http://10.0.0.1/", "unix:/var/run/docker.sock", "file:///etc/passwd", "gopher://127.0.0.1:{port}/",
          "http://127.0.0.1:{port}%2f@open.example/", "http://①②⑦.⓪.⓪.①:{port}/", "//127.0.0.1:{port}/", "http:127.0.0.1:{port}/",
        }} do
          local ok, e = pcall(http.get, url)
          assert(not ok and (e.kind == "denied" or e.kind == "invalid_params" or e.kind == "unavailable"), url .. " " .. tostring(e))
        end"#
    );
    let ran = with_grants("  http: [{ to: [\"http://open.example\"] }]\n").script(&script);
    assert_eq!(ran.stderr, "");
    ran.exits(0);
    assert!(inside.got().is_empty());
}

/// A public name may not have an address of this machine: the name is looked up once, and the
/// address that was found is judged.
#[test]
fn a_name_that_leads_inside_is_not_connected_to() {
    let inside = Server::start(|_| answer(200, "", "inside"));
    let port = inside.port;
    let grants =
        format!("  http: [{{ to: [\"localhost:{port}\", \"ip6-localhost.example:{port}\"] }}]\n");
    // `localhost` is a name of this machine: it may.
    let ran =
        with_grants(&grants).script(&format!("print(http.get('http://localhost:{port}/').body)"));
    ran.exits(0).prints("inside\n");
    let ran =
        with_grants(&grants).script(&format!("http.get('http://ip6-localhost.example:{port}/')"));
    assert_ne!(ran.stderr, "");
    assert_eq!(inside.got().len(), 1);
}

#[test]
fn a_grant_of_a_path_is_not_left_by_it() {
    let server = Server::start(|got| answer(200, "", &got.target));
    let port = server.port;
    let ran = with_grants(&format!("  http: [{{ to: \"http://127.0.0.1:{port}/api/open\" }}]\n")).script(&format!(
        r#"print(http.get("http://127.0.0.1:{port}/api/open/x?y=/../z").status)
        for _, path in ipairs {{ "/", "/api", "/api/opened", "/api/open/../closed", "/api/open/%2e%2e/closed", "/api/open/..%2fclosed",
          "/api/open//closed", "/api/open/%252e%252e/x", "/API/open" }} do
          local ok, e = pcall(http.get, "http://127.0.0.1:{port}" .. path)
          assert(not ok and e.kind == "denied", path)
        end"#
    ));
    assert_eq!(ran.stderr, "");
    ran.exits(0).prints("200\n");
    assert_eq!(server.got().len(), 1);
}

#[test]
fn headers_and_urls_cannot_smuggle_a_second_request() {
    let server = Server::start(|_| answer(200, "", "ok"));
    let port = server.port;
    let ran = super::with_port(port).script(&format!(
        r#"local url = "http://127.0.0.1:{port}/"
        for _, o in ipairs {{ {{ headers = {{ A = "x\r\nB: y" }} }}, {{ headers = {{ ["A\r\nB"] = "y" }} }}, {{ headers = {{ Host = "other" }} }},
          {{ headers = {{ ["Content-Length"] = "0" }} }}, {{ headers = {{ ["Transfer-Encoding"] = "chunked" }} }}, {{ headers = {{ A = "x\0y" }} }},
          {{ auth = {{ token = "x\r\nB: y" }} }} }} do
          local ok, e = pcall(http.get, url, o)
          assert(not ok and e.kind == "invalid_params", inspect(o))
        end
        for _, path in ipairs {{ "x HTTP/1.1\r\nHost: other\r\n\r\nGET /y", "x\ny", "x\ty" }} do
          assert(not pcall(http.get, url .. path))
        end"#
    ));
    assert_eq!(ran.stderr, "");
    ran.exits(0);
    assert!(server.got().is_empty());
}
