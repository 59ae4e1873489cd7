//! The web page: signing in, what it shows, and what it refuses.

use kael_tests::{Kael, Need, browsed, needs};
use serde_json::{Value, json};

use super::{Answer, Server};

/// A browser that has signed in: its cookie, and what its forms bring along.
pub(super) struct Session<'a> {
    server: &'a Server,
    cookie: String,
}

fn sign_in(server: &Server) -> Session<'_> {
    let code = server.code(&server.token);
    // The page alone uses nothing up.
    let page = server
        .send("GET", &format!("/login?code={code}"), &[], "")
        .is(200);
    assert!(page.body.contains("Sign in"), "{}", page.body);
    let entered = form(server, "/login", &[], &format!("code={code}"));
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/runs"))
    );
    let cookie = entered.header("set-cookie").expect("a cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    assert_eq!(
        form(server, "/login", &[], &format!("code={code}")).status,
        401
    );
    Session {
        server,
        cookie: cookie.split(';').next().expect("a pair").to_owned(),
    }
}

/// A browser that has signed in as the holder of a token.
pub(super) fn enter<'a>(server: &'a Server, token: &str) -> Session<'a> {
    let code = server.code(token);
    let entered = form(server, "/login", &[], &format!("code={code}"));
    let cookie = entered.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    Session { server, cookie }
}

/// Sends a form, as a browser does.
fn form(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut head = format!("POST {path} HTTP/1.0\r\nHost: {}\r\n", server.address);
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!(
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    server.raw(&head)
}

impl Session<'_> {
    pub(super) fn get(&self, path: &str) -> Answer {
        self.server
            .send("GET", path, &[("Cookie", &self.cookie)], "")
    }

    pub(super) fn csrf(&self) -> String {
        let page = self.get("/runs").is(200).body;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().expect("a value").to_owned()
    }

    pub(super) fn send(&self, path: &str, body: &str) -> Answer {
        form(self.server, path, &[("Cookie", &self.cookie)], body)
    }
}

#[test]
fn pages_show_what_there_is_and_nothing_is_markup() {
    let session = Kael::new().shell("ok", "description = 'says <b>ok</b>'", "echo 1");
    let server = Server::start(&session);
    let browser = sign_in(&server);
    let evil = "</pre><script>document.title='owned'</script><img src=x onerror=alert(1)>";
    let script = format!(
        "print([[{evil}]]) report.table({{ {{ a = [[{evil}]] }} }}, nil, {{ title = [[{evil}]] }})
         report.chart('bar', {{ {{ x = 'a', y = 1 }}, {{ x = [[{evil}]], y = 2 }} }}, {{ x = 'x', title = [[{evil}]] }})
         actions.t.ok({{}}) error([[{evil}]])"
    );
    let body = json!({ "script": script, "name": "<i>x</i>.lua", "labels": { "k<b>": "v<b>" }, "args": [evil] });
    let run = server.post("/v1/runs", &body).is(202).json();
    let run = run["id"].as_str().expect("an id").to_owned();
    server.ended(&run);
    let page = browser.get(&format!("/runs/{run}")).is(200);
    for part in [
        "failed",
        "t.ok",
        "document.title=",
        "<svg",
        "<table",
        "Error",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    for path in [
        &format!("/runs/{run}"),
        "/runs",
        "/catalog",
        "/webhooks",
        "/tokens",
        "/tenants",
        "/audit",
        "/runs/new",
    ] {
        let page = browser.get(path).is(200);
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
            "{policy}"
        );
        for markup in [
            "<script>",
            "<img src=x",
            "<i>x",
            "<b>ok",
            "<b>=",
            " style=",
            " onclick=",
        ] {
            assert!(
                !page.body.contains(markup),
                "{path}: {markup}: {}",
                page.body
            );
        }
    }
    browser
        .get("/runs/0197a3c2-0000-7000-8000-000000000000")
        .is(404);
}

#[test]
fn what_a_run_prints_little_by_little_is_all_on_its_page() {
    let server = Server::owning(Kael::new());
    let browser = sign_in(&server);
    let run = server.submit("for i = 1, 90 do print('line ' .. i .. '.') sleep('25ms') end");
    server.ended(&run);
    let page = browser.get(&format!("/runs/{run}")).is(200).body;
    assert!(
        page.contains("line 1.\nline 2.\n") && page.contains("line 90.\n</pre>"),
        "{page}"
    );
    assert!(!page.contains("all of it"), "{page}");
}

#[test]
fn forms_need_the_session_and_its_token() {
    let server = Server::owning(Kael::new());
    let browser = sign_in(&server);
    let csrf = browser.csrf();
    let sent = browser.send(
        "/runs/new",
        &format!("csrf={csrf}&script=print(%22from+the+web%22)&name=w.lua&labels=a%3Db"),
    );
    assert_eq!(sent.status, 303, "{}", sent.body);
    let place = sent.header("location").expect("a place").to_owned();
    let run = place.trim_start_matches("/runs/").to_owned();
    let ended = server.ended(&run);
    assert_eq!(
        (&ended["state"], &ended["origin"]),
        (&json!("succeeded"), &json!("web")),
        "{ended}"
    );
    assert!(browser.get(&place).is(200).body.contains("from the web"));
    // A mistake leaves the form as it was.
    let wrong = browser.send(
        "/runs/new",
        &format!("csrf={csrf}&script=x+%3D+%3D+1&name=w.lua"),
    );
    assert!(
        wrong.status == 422 && wrong.body.contains("x = = 1") && wrong.body.contains("w.lua:1:"),
        "{}",
        wrong.body
    );
    // Another site has no token, and a browser says where a request comes from.
    for body in ["script=print(1)", "csrf=wrong&script=print(1)"] {
        assert_eq!(browser.send("/runs/new", body).status, 403);
    }
    let foreign = [
        ("Cookie", browser.cookie.as_str()),
        ("Origin", "https://evil.example"),
    ];
    let body = format!("csrf={csrf}&script=print(1)");
    assert_eq!(form(&server, "/runs/new", &foreign, &body).status, 403);
    let api = server.send(
        "POST",
        "/v1/runs",
        &[("Cookie", &browser.cookie)],
        &json!({ "script": "" }).to_string(),
    );
    assert_eq!(api.status, 403, "{}", api.body);
    let made = browser
        .send(
            "/tokens",
            &format!("csrf={csrf}&name=ci&role=submitter&expires_in=30d"),
        )
        .is(200);
    assert!(made.body.contains("kael_"), "{}", made.body);
    assert_eq!(browser.send("/logout", &format!("csrf={csrf}")).status, 303);
    let out = browser.get("/runs");
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
}

#[test]
fn a_viewer_finds_no_way_to_do_more() {
    let server = Server::owning(Kael::new());
    let viewer = server.make_token("default", "viewer");
    let browser = enter(&server, &viewer);
    let page = browser.get("/runs").is(200).body;
    assert!(
        !page.contains("New run") && !page.contains("/tokens") && !page.contains("/tenants"),
        "{page}"
    );
    for path in ["/tokens", "/tenants", "/audit", "/runs/new", "/webhooks"] {
        browser.get(path).is(403);
    }
    let csrf = browser.csrf();
    for (path, body) in [
        ("/runs/new", "script=print(1)"),
        ("/tokens", "name=x&role=viewer"),
        ("/webhooks", "name=x&script=x"),
        (
            "/webhooks/subscriptions",
            "name=x&url=https%3A%2F%2Fexample.org&run.finished=on",
        ),
        (
            "/webhooks/0197a3c2-0000-7000-8000-000000000000/delete",
            "a=b",
        ),
        (
            "/webhooks/subscriptions/0197a3c2-0000-7000-8000-000000000000/resume",
            "a=b",
        ),
        (
            "/webhooks/subscriptions/0197a3c2-0000-7000-8000-000000000000/delete",
            "a=b",
        ),
        ("/tenants/choose", "tenant=default"),
    ] {
        assert_eq!(
            browser.send(path, &format!("csrf={csrf}&{body}")).status,
            403,
            "{path}"
        );
    }
}

#[test]
fn a_browser_shows_the_page_without_a_complaint() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let server = Server::owning(Kael::new());
    let (dom, complaints) = browsed(&format!("http://{}/login?code=x", server.address));
    assert!(dom.contains("Welcome"), "{dom} {complaints}");
    assert_eq!(complaints, "");
}

#[test]
fn pages_need_a_session_and_show_nothing_of_another_tenant() {
    let server = Server::owning(Kael::new());
    let run = server.submit("print('of default')");
    server.ended(&run);
    let page = format!("/runs/{run}");
    let cancel = format!("{page}/cancel");
    let pages = [
        "/runs",
        "/runs/new",
        "/catalog",
        "/webhooks",
        "/tokens",
        "/audit",
        "/tenants",
        &page,
    ];
    for (path, method) in pages.into_iter().map(|path| (path, "GET")).chain(
        [
            "/runs/new",
            &cancel,
            "/tokens",
            "/webhooks",
            "/webhooks/subscriptions",
            "/tenants/choose",
            "/logout",
        ]
        .map(|path| (path, "POST")),
    ) {
        let cookies: [&[(&str, &str)]; 2] = [&[], &[("Cookie", "kael_session=kael-session-x")]];
        for cookie in cookies {
            let answer = server.send(method, path, cookie, "");
            let place = answer.header("location");
            assert_eq!(
                (answer.status, place),
                (303, Some("/login")),
                "{method} {path}"
            );
        }
    }
    server.make_tenant("other", &json!({}));
    let token = server.make_token("other", "manager");
    let browser = enter(&server, &token);
    browser.get(&page).is(404);
    assert!(!browser.get("/runs").is(200).body.contains(&run));
    let csrf = browser.csrf();
    assert_eq!(browser.send(&cancel, &format!("csrf={csrf}")).status, 404);
    // The cookie with which an operator chooses a tenant opens none for others.
    let cookie = format!("{}; kael_tenant=default", browser.cookie);
    server
        .send("GET", "/runs", &[("Cookie", &cookie)], "")
        .is(404);
    // A token that is taken away ends the sessions that began with it.
    let tokens = server
        .ask("GET", "/v1/tokens", Some(&token), &Value::Null)
        .is(200)
        .json();
    let id = tokens["tokens"][0]["id"].as_str().expect("an id");
    let path = format!("/v1/tokens/{id}");
    let bearer = format!("Bearer {token}");
    server
        .send("DELETE", &path, &[("Authorization", &bearer)], "")
        .is(204);
    assert_eq!(browser.get("/runs").status, 303);
}
