//! `http` as scripts use it.

use std::time::Duration;

use super::server::{Server, answer};
use super::with_port;

/// A script against a server, with `URL` for where it is.
fn run(server: &Server, script: &str) -> kael_tests::Ran {
    let url = format!("http://127.0.0.1:{}", server.port);
    with_port(server.port).script(&script.replace("URL", &url))
}

#[test]
fn requests_carry_what_a_script_gives() {
    let server = Server::start(|_| answer(200, "", "ok"));
    let ran = run(
        &server,
        "local o = { query = { q = 'a b&c', n = { 1, 2 } }, headers = { ['X-A'] = 'ü', Accept = { 'a', 'b' } } }
         http.get('URL/p?x=1#frag', o)
         http.post('URL/json', { a = { 1 } })
         http.put('URL/text', 'hello', { headers = { ['Content-Type'] = 'text/x' } })
         http.patch('URL/form', nil, { form = { a = 'x y', b = 2 } })
         http.delete('URL/bytes', { body = '\\xff\\0' })
         http.post('URL/parts', nil, { multipart = { { name = 'f', filename = 'a\"b', value = 'v', type = 'text/plain' } } })
         http.get('URL/auth', { auth = { username = 'u', password = 'p' } })
         http.get('URL/token', { auth = { token = 't' } })
         http.head('URL/head') http.options('URL/options')
         local client = http.client({ headers = { ['X-Client'] = 'c' } })
         client:get('URL/client')",
    );
    ran.exits(0);
    let got = server.got();
    let of = |path: &str| {
        let found = got.iter().find(|got| got.target.starts_with(path));
        found.unwrap_or_else(|| panic!("no {path}"))
    };
    assert_eq!(of("/p").target, "/p?x=1&n=1&n=2&q=a%20b%26c");
    assert_eq!(of("/p").headers["x-a"], "ü");
    assert!(of("/p").headers["user-agent"].starts_with("kael/"));
    assert_eq!(of("/json").body, br#"{"a":[1]}"#);
    assert_eq!(of("/json").headers["content-type"], "application/json");
    assert_eq!(of("/text").headers["content-type"], "text/x");
    assert_eq!(of("/form").body, b"a=x%20y&b=2");
    assert_eq!(of("/bytes").body, b"\xff\0");
    let parts = String::from_utf8_lossy(&of("/parts").body).into_owned();
    assert!(
        parts.contains("name=\"f\"; filename=\"a%22b\"\r\nContent-Type: text/plain\r\n\r\nv\r\n--"),
        "{parts}"
    );
    assert_eq!(of("/auth").headers["authorization"], "Basic dTpw");
    assert_eq!(of("/token").headers["authorization"], "Bearer t");
    assert_eq!(
        (of("/head").method.as_str(), of("/options").method.as_str()),
        ("HEAD", "OPTIONS")
    );
    assert_eq!(of("/client").headers["x-client"], "c");
}

#[test]
fn answers_are_texts_bytes_and_lists_of_headers() {
    let server = Server::start(|got| match got.target.as_str() {
        "/bytes" => answer(200, "", [0, 0xff, b'x']),
        "/json" => answer(
            404,
            "X-A: 1\r\nx-a: 2\r\nSet-Cookie: a=1, x\r\nSet-Cookie: b=2\r\n",
            r#"{"a":[1]}"#,
        ),
        _ => answer(500, "", "no"),
    });
    let ran = run(
        &server,
        "local b = http.get('URL/bytes').body
         print(#b, b:byte(1, 3))
         local r = http.get('URL/json')
         print(r.status, r.headers['x-a'], r.headers['set-cookie'], #r:header_list('Set-Cookie'), r:json().a[1])
         print(pcall(function() return http.get('URL/bytes'):json() end))",
    );
    ran.exits(0);
    assert!(
        ran.stdout
            .starts_with("3\t0\t255\t120\n404\t1, 2\ta=1, x\t2\t1\nfalse\t"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_is_wrong_with_a_call_is_said_at_its_line() {
    let server = Server::start(|_| answer(200, "", ""));
    for (script, message) in [
        (
            "http.get(5)",
            "http.get: the URL must be a string, got number",
        ),
        (
            "http.get('URL', { heders = {} })",
            "http.get: no option 'heders' (did you mean 'headers'?)",
        ),
        (
            "http.get('URL', 5)",
            "http.get: the options must be a table such as { headers = {} }, got number",
        ),
        (
            "http.post('URL', print)",
            "http.post: the body must be a string or a table, got function",
        ),
        (
            "http.get('URL', { auth = 5 })",
            "http.get: `auth` is { token = … } or { username = …, password = … }",
        ),
    ] {
        let ran = run(&server, &format!("\n{script}"));
        ran.fails_with(1, &format!("Error: script.lua:2: {message}"));
    }
    for (script, message) in [
        (
            "http.get('URL/ x')",
            "kael.http.get failed: `url` is no URL of a server: it has blanks or control characters",
        ),
        (
            "http.get('URL', { headers = { A = 'x\\r\\ny: z' } })",
            "kael.http.get failed: the header `a` has a line break",
        ),
        (
            "http.get('URL', { timeout = -1 })",
            "kael.http.get failed: `timeout` is a number of seconds up to 600",
        ),
    ] {
        run(&server, script).says(message);
    }
    assert!(server.got().is_empty());
}

#[test]
fn redirects_are_followed_and_their_credentials_stay() {
    let other = Server::start(|got| answer(200, "", format!("{:?}", got.headers.get("x-token"))));
    let away = other.port;
    let server = Server::start(move |got| match got.target.as_str() {
        "/a" => answer(302, "Location: /b?c=1\r\n", ""),
        "/post" => answer(303, "Location: b\r\n", ""),
        "/keep" => answer(307, "Location: /echo\r\n", ""),
        "/loop" => answer(301, "Location: /loop\r\n", ""),
        "/away" => answer(302, &format!("Location: http://127.0.0.1:{away}/x\r\n"), ""),
        "/file" => answer(302, "Location: file:///etc/passwd\r\n", ""),
        _ => answer(
            200,
            "",
            format!(
                "{} {} {}",
                got.method,
                got.target,
                String::from_utf8_lossy(&got.body)
            ),
        ),
    });
    let ran = run(
        &server,
        "print(http.get('URL/a').body, http.post('URL/post', 'x').body, http.post('URL/keep', 'x').body)
         print(http.get('URL/a', { follow_redirects = false }).status)
         print(pcall(http.get, 'URL/loop', { redirects = 3 }))
         print(pcall(http.get, 'URL/file'))",
    );
    ran.exits(0);
    assert!(
        ran.stdout.starts_with("GET /b?c=1 \tGET /b \tPOST /echo x\n302\nfalse\tkael.http.get failed: more than 3 redirects\nfalse\tkael.http.get failed: `url` is no URL"),
        "{}",
        ran.stdout
    );
    // Where the other server is not granted, the request is never sent.
    run(&server, "http.get('URL/away')").says("is not granted by p.yaml");
    assert!(other.got().is_empty());
    let ran = super::with_grants(&format!(
        "  http: [{{ to: [\"127.0.0.1:{}\", \"127.0.0.1:{away}\"] }}]\n",
        server.port
    ))
    .script(&format!(
        "print(http.get('http://127.0.0.1:{}/away', {{ headers = {{ ['X-Token'] = 'secret' }} }}).body)",
        server.port
    ));
    ran.exits(0).prints("None\n");
}

#[test]
fn answers_are_bounded_and_slow_servers_are_given_up() {
    let server = Server::start(|got| match got.target.as_str() {
        "/slow" => {
            std::thread::sleep(Duration::from_secs(30));
            answer(200, "", "late")
        }
        "/headers" => {
            format!("HTTP/1.1 200 X\r\nA: {}\r\n\r\n", "x".repeat(300 << 10)).into_bytes()
        }
        "/cut" => b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc".to_vec(),
        "/none" => b"\x15\x03\x01garbage\r\n\r\n".to_vec(),
        _ => answer(200, "Content-Encoding: gzip\r\n", vec![b'x'; 2 << 20]),
    });
    let ran = run(
        &server,
        "local function try(path, o) print(select(2, pcall(http.get, 'URL' .. path, o))) end
         try('/big', { max_bytes = 1000 }) try('/headers') try('/cut') try('/none') try('/slow', { timeout = 0.3 })
         print(#http.get('URL/big').body)",
    );
    ran.exits(0).prints(
        "kael.http.get failed: the answer has more than 1000 B (`max_bytes` sets the limit)
kael.http.get failed: the headers of the answer have more than 128 KiB
kael.http.get failed: the server closed the connection before its answer was complete
kael.http.get failed: the answer is no HTTP
kael.http.get failed: no answer within 0.3 s
2097152
",
    );
}

#[test]
fn a_request_is_tried_again_as_often_as_it_says() {
    let server = Server::start(|got| answer(if got.target == "/x" { 503 } else { 200 }, "", ""));
    let ran = run(
        &server,
        "print(http.get('URL/x', { retries = 2 }).status) print(http.post('URL/x', '', { retries = 2 }).status)",
    );
    ran.exits(0).prints("503\n503\n");
    assert_eq!(server.got().len(), 4);
}

#[test]
fn requests_run_side_by_side() {
    let server = Server::start(|_| answer(200, "", "ok"));
    let ran = run(
        &server,
        "local fs = {} for i = 1, 50 do fs[i] = function() return http.get('URL/' .. i).body end end
         local all = parallel(fs) print(#all, all[50])",
    );
    ran.exits(0).prints("50\tok\n");
}
