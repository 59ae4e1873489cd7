//! The standard library in runs on a server: open is what the operator opens to the tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::{Value, json};

use super::{PATIENCE, Server};
use crate::stdlib::server::{Server as Peer, answer};

/// Runs a script for the tenant of a token: what it has printed.
#[track_caller]
fn printed(server: &Server, token: &str, script: &str) -> String {
    let body = json!({ "script": script });
    let run = server.ask("POST", "/v1/runs", Some(token), &body).is(202);
    let run = run.json()["id"].as_str().expect("an id").to_owned();
    let ask = |path: &str| server.ask("GET", path, Some(token), &Value::Null).is(200);
    let late = Instant::now() + PATIENCE * 3;
    loop {
        let state = ask(&format!("/v1/runs/{run}?wait=10s")).json();
        if state["ended"].is_string() {
            assert_eq!(state["state"], "succeeded", "{state}");
            return ask(&format!("/v1/runs/{run}/output")).body;
        }
        assert!(Instant::now() < late, "{state}");
    }
}

/// A tenant with settings, and a token that submits.
fn tenant(server: &Server, name: &str, settings: &Value) -> String {
    server.make_tenant(name, settings);
    server.make_token(name, "submitter")
}

#[test]
fn scripts_use_what_the_operator_grants_and_nothing_else() {
    let peer = Peer::start(|got| answer(200, "", format!("{} {}", got.method, got.target)));
    let port = peer.port;
    let session = Kael::new()
        .env("SERVERS_OWN", "of-the-server")
        .file("open/note", "of the folder")
        .file(
            "serve.yaml",
            format!(
                "tenants:
  - name: default
    env: {{ OWN: of-the-tenant }}
    grants:
      http: [{{ to: \"127.0.0.1:{port}\", methods: [GET] }}]
      fs: [{{ path: FOLDER/open, as: /data, mode: read-write }}]
      db: [{{ name: shop, url: \"sqlite://FOLDER/db/shop.db\", mode: read-write, max_rows: 2 }}]
      env: [OWN, SERVERS_OWN, PATH, HOME, KAEL_DATA, XDG_CONFIG_HOME]
"
            ),
        );
    session.write_repo();
    let folder = session.path().canonicalize().expect("a path");
    let config = std::fs::read_to_string(folder.join("serve.yaml")).expect("a file");
    let config = config.replace("FOLDER", &folder.display().to_string());
    std::fs::write(folder.join("serve.yaml"), config).expect("a file");
    std::fs::create_dir_all(folder.join("db")).expect("a folder");
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let token = server.token.clone();
    let url = format!("http://127.0.0.1:{port}");
    let said = printed(
        &server,
        &token,
        &format!(
            "print(http.get('{url}/a').body)
             fs.append('/data/note', '!') print(fs.read('/data/note'))
             local shop = db.connect('shop')
             db.execute(shop, 'CREATE TABLE t (n)') db.execute(shop, 'INSERT INTO t VALUES (?)', {{ 7 }})
             print(db.one(shop, 'SELECT n FROM t').n)
             print(env.get('OWN'), env.get('SERVERS_OWN'), env.get('PATH'), env.get('HOME'), env.get('KAEL_DATA'), #env.list())
             for _, f in ipairs {{ function() http.post('{url}/', 'x') end, function() http.get('http://localhost:{port}/') end,
               function() http.get('http://10.0.0.1/') end, function() fs.read('/etc/passwd') end,
               function() fs.read('/data/../etc/passwd') end, function() db.query(db.connect('other'), 'SELECT 1') end,
               function() env.get('LANG') end }} do
               local ok, e = pcall(f)
               print(ok, e.kind, e.message)
               if e.detail and e.detail.hint then print(e.detail.hint) end
             end"
        ),
    );
    let by = "the operator's settings of the tenant `default`";
    let expected = format!(
        "GET /a
of the folder!
7
of-the-tenant\tnil\tnil\tnil\tnil\t1
false\tdenied\tPOST {url}/ is not granted by {by}
{by} could open it with `grants: {{ http: [{{ to: [\"127.0.0.1:{port}\"], methods: [POST] }}] }}`
false\tdenied\tGET http://localhost:{port}/ is not granted by {by}
{by} could open it with `grants: {{ http: [{{ to: [\"localhost:{port}\"], methods: [GET] }}] }}`
false\tdenied\tGET http://10.0.0.1:80/ is not granted by {by}
{by} could open it with `grants: {{ http: [{{ to: [\"10.0.0.1:80\"], methods: [GET] }}] }}`
false\tdenied\treading /etc/passwd is not granted by {by}
{by} could open it with `grants: {{ fs: [{{ path: /etc, mode: read }}] }}`
false\tinvalid_params\tthe path `/data/../etc/passwd` may not have `..`
false\tdenied\treading the database `other` is not granted by {by}
{by} could open it with `grants: {{ db: [{{ name: other, url: \"sqlite:data/other.db\", mode: read-only }}] }}`
false\tdenied\tthe variable `LANG` is not granted by {by}
{by} could open it with `grants: {{ env: [LANG] }}`
"
    );
    assert_eq!(said, expected);
    assert_eq!(peer.got().len(), 1);
    // Another tenant has none of that, and what runs without a repo neither.
    let other = tenant(&server, "other", &json!({}));
    let said = printed(
        &server,
        &other,
        &format!("print(select(2, pcall(http.get, '{url}/')).message)"),
    );
    assert_eq!(
        said,
        format!("GET {url}/ is not granted by the operator's settings of the tenant `other`\n")
    );
    assert_eq!(peer.got().len(), 1);
    // What a call was, and what decided on it, is in its record.
    let runs = server.get("/v1/runs").json();
    let runs = runs["runs"].as_array().expect("runs");
    let first = runs.last().expect("a run")["id"].as_str().expect("an id");
    let calls = server.get(&format!("/v1/runs/{first}/calls")).is(200).body;
    assert!(
        calls.contains("kael.http.get") && calls.contains("kael.db.execute"),
        "{calls}"
    );
}

#[test]
fn a_team_opens_nothing_by_itself_and_may_close() {
    let peer = Peer::start(|_| answer(200, "", "ok"));
    let other = Peer::start(|_| answer(200, "", "ok"));
    let (port, second) = (peer.port, other.port);
    let team = format!(
        "version: 1\ndefault: allow\nbudgets: [{{ actions: [kael.http.*], calls: 2, per: 366d }}]\n\
         grants: {{ http: [{{ to: [\"127.0.0.1:{port}\", \"127.0.0.1:{second}\"], methods: [GET] }}] }}\n"
    );
    let session = Kael::new()
        .file("actions/init.lua", "return {}")
        .file("actions/policy.yaml", team)
        .file(
            "operator.yaml",
            format!(
                "version: 1\ndefault: allow\ngrants: {{ http: [{{ to: \"127.0.0.1:{port}\" }}] }}\n"
            ),
        );
    session.write_repo();
    let server = Server::start(&session);
    let folder = session.path().join("actions").display().to_string();
    let script = format!(
        "for _, port in ipairs {{ {second}, {port} }} do
           local ok, e = pcall(http.get, 'http://127.0.0.1:' .. port .. '/')
           print(ok, ok and e.body or e.message)
         end
         print(select(2, pcall(http.post, 'http://127.0.0.1:{port}/', '')).message)"
    );
    // The team's grants alone.
    let alone = tenant(&server, "alone", &json!({ "actions": folder }));
    let by = "is not granted by the operator's settings of the tenant `alone`";
    let said = printed(&server, &alone, &script);
    assert_eq!(
        said,
        format!(
            "false\tGET http://127.0.0.1:{second}/ {by}\nfalse\tGET http://127.0.0.1:{port}/ {by}\n\
             POST http://127.0.0.1:{port}/ is not granted by {folder}/policy.yaml\n"
        )
    );
    assert!(peer.got().is_empty() && other.got().is_empty());
    // With the operator's, in the settings or in a policy file: what both open.
    let policy = session.path().join("operator.yaml").display().to_string();
    for (name, more) in [
        (
            "set",
            json!({ "grants": { "http": [{ "to": format!("127.0.0.1:{port}") }] } }),
        ),
        ("filed", json!({ "policy": [policy] })),
    ] {
        let mut settings = more;
        settings["actions"] = json!(folder);
        let token = tenant(&server, name, &settings);
        let said = printed(&server, &token, &script);
        let mut lines = said.lines();
        let refused = lines.next().expect("a line");
        assert!(
            refused.starts_with("false\tGET http") && refused.contains("is not granted by "),
            "{said}"
        );
        assert_eq!(lines.next(), Some("true\tok"), "{said}");
        let posted = lines.next().expect("a line");
        assert!(posted.ends_with("/actions/policy.yaml"), "{said}");
        // The team's budget counts requests of all of the tenant's runs.
        let said = printed(&server, &token, &script.replace(&format!("{second}, "), ""));
        assert!(said.contains("true\tok"), "{said}");
        let said = printed(&server, &token, &script);
        assert!(said.contains("the budget of the tenant is spent"), "{said}");
    }
    assert!(other.got().is_empty());
}

#[test]
fn a_grant_has_the_secrets_of_its_own_tenant() {
    let peer = Peer::start(|got| {
        let sent = got.headers.get("authorization").cloned();
        answer(200, "", format!("you sent {}", sent.unwrap_or_default()))
    });
    let port = peer.port;
    let server = Server::owning(Kael::new());
    let grants = json!({ "http": [{ "to": format!("127.0.0.1:{port}"), "headers": { "Authorization": "Bearer {secret:api/token}" } }] });
    let policy = json!({ "grants": grants });
    let (acme, other) = (
        tenant(&server, "acme", &policy),
        tenant(&server, "other", &policy),
    );
    let manager = server.make_token("acme", "manager");
    let value = json!({ "value": "acmes-own-value" });
    server
        .ask("PUT", "/v1/secrets/api%2Ftoken", Some(&manager), &value)
        .is(204);
    let script = format!(
        "local ok, e = pcall(http.get, 'http://127.0.0.1:{port}/') print(ok, ok and e.body or e.message)"
    );
    assert_eq!(
        printed(&server, &acme, &script),
        "true\tyou sent Bearer [secret api/token]\n"
    );
    assert_eq!(
        peer.got()[0].headers["authorization"],
        "Bearer acmes-own-value"
    );
    let said = printed(&server, &other, &script);
    assert!(
        said.starts_with("false\t") && said.contains("the tenant has no secret `api/token`"),
        "{said}"
    );
    assert_eq!(peer.got().len(), 1);
}

#[test]
fn a_secret_in_the_url_of_a_database_leads_to_no_other_server() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("set");
    let port = elsewhere.local_addr().expect("an address").port();
    let server = Server::owning(Kael::new());
    // Nothing listens at this one.
    let url = "postgres://app:{secret:db/password}@127.0.0.1:1/shop";
    let grants = json!({ "db": [{ "name": "shop", "url": url }] });
    let token = tenant(&server, "acme", &json!({ "grants": grants }));
    let manager = server.make_token("acme", "manager");
    for value in [
        format!("x@127.0.0.1:{port}/"),
        format!("x@127.0.0.1:{port}/x?sslmode=disable&"),
        format!("x@127.0.0.1:{port}#"),
    ] {
        let body = json!({ "value": value });
        server
            .ask("PUT", "/v1/secrets/db%2Fpassword", Some(&manager), &body)
            .is(204);
        let script = "print(pcall(db.query, db.connect('shop'), 'SELECT 1'))";
        let said = printed(&server, &token, script);
        assert!(said.contains("the connection was refused"), "{said}");
        assert!(elsewhere.accept().is_err(), "{value}");
    }
}

#[test]
fn no_grant_reaches_the_server_or_another_tenant() {
    let session = Kael::new()
        .file("repos/acme/init.lua", "return {}")
        .file("repos/other/init.lua", "return {}")
        .file("repos/acme/inner/init.lua", "return {}")
        .file("policies/policy.yaml", "version: 1\ndefault: allow\n")
        .file("shared/x", "of-the-client");
    session.write_repo();
    let server = Server::start(&session);
    let at = session.path().canonicalize().expect("a path");
    std::os::unix::fs::symlink(at.join("repos/other"), at.join("link")).expect("a link");
    let at = at.display().to_string();
    server.make_tenant(
        "other",
        &json!({ "actions": format!("{at}/repos/other"), "policy": [format!("{at}/policies/policy.yaml")] }),
    );
    // A repo in another one.
    server.make_tenant(
        "inner",
        &json!({ "actions": format!("{at}/repos/acme/inner") }),
    );
    let put = |grants: Value| {
        let settings = json!({ "actions": format!("{at}/repos/acme"), "grants": grants });
        let body = json!({ "settings": settings });
        server.ask("PUT", "/v1/tenants/acme", Some(&server.token), &body)
    };
    let own = "what is the server's own";
    let others = "the actions repo of the tenant `other`";
    for (path, mode, what) in [
        (format!("{at}/data"), "read", own),
        (format!("{at}/data/server/store"), "read", own),
        (at.clone(), "read", own),
        (format!("{at}/repos/other"), "read", others),
        (format!("{at}/repos/other/state/x"), "read-write", others),
        (
            format!("{at}/repos"),
            "read",
            "the actions repo of the tenant",
        ),
        (format!("{at}/link"), "read", others),
        ("../other".to_owned(), "read", others),
        (
            "inner".to_owned(),
            "read",
            "the actions repo of the tenant `inner`",
        ),
        (
            format!("{at}/policies"),
            "read",
            "a policy of the tenant `other`",
        ),
    ] {
        let refused = put(json!({ "fs": [{ "path": path, "as": "/x", "mode": mode }] })).is(422);
        let detail = refused.json()["detail"]
            .as_str()
            .expect("a text")
            .to_owned();
        assert!(
            detail.contains(&format!("is, holds or lies in {what}")),
            "{path}: {detail}"
        );
    }
    for (url, why) in [
        (
            format!("sqlite://{at}/data/server/store/serve.db"),
            "lies in what is the server's own",
        ),
        (
            "sqlite:{secret:place}".to_owned(),
            "has a value where its `url` says what it is",
        ),
        (
            "{secret:place}".to_owned(),
            "has a value where its `url` says what it is",
        ),
    ] {
        let refused = put(json!({ "db": [{ "name": "x", "url": url }] })).is(422);
        assert!(refused.body.contains(why), "{}", refused.body);
    }
    let refused = put(json!({ "fs": [{ "path": "~/x", "as": "/x" }] })).is(422);
    assert!(
        refused.body.contains("a tenant has none"),
        "{}",
        refused.body
    );
    let refused = put(json!({ "htp": [] })).is(422);
    assert!(
        refused
            .body
            .contains("unknown key `htp` (did you mean `http`?)"),
        "{}",
        refused.body
    );
    // What is elsewhere, and what is its own.
    for path in [&format!("{at}/shared"), "state"] {
        put(json!({ "fs": [{ "path": path, "as": "/x", "mode": "read-write" }] })).is(200);
    }
    put(json!({ "fs": [{ "path": format!("{at}/shared"), "mode": "read-write" }] })).is(200);
    // A tenant that comes later with a repo in what another has been given.
    let body = json!({ "settings": { "actions": format!("{at}/shared/repo") } });
    let refused = server
        .ask("PUT", "/v1/tenants/late", Some(&server.token), &body)
        .is(422);
    assert!(
        refused.body.contains("the tenant `acme`")
            && refused
                .body
                .contains("the actions repo of the tenant `late`"),
        "{}",
        refused.body
    );
    // So does the file, and the server does not start. The file is the server's own, and so is what it names.
    for (path, settings) in [
        (format!("{at}/data"), ""),
        ("WHERE".to_owned(), ""),
        (
            format!("{at}/shared"),
            "oidc: { issuer: \"http://127.0.0.1:9\", client_id: kael, client_secret: SHARED/x, roles: { ops: operator }, tenant: acme }\n",
        ),
    ] {
        let session = Kael::new();
        let here = session.path().display().to_string();
        let path = path.replace("WHERE", &here);
        let settings = settings.replace("SHARED", &format!("{at}/shared"));
        let grants = format!("{{ fs: [{{ path: \"{path}\", as: /x }}] }}");
        let config = format!("{settings}tenants:\n  - name: acme\n    grants: {grants}\n");
        let session = session.file("serve.yaml", config);
        session.write_repo();
        let output = session
            .command()
            .args(["serve", "--config", "serve.yaml", "--listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(format!("{at}/data/another"))
            .output()
            .expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(
            told.contains("the tenant `acme` is wrong: the operator's settings"),
            "{told}"
        );
    }
}

#[test]
fn a_request_that_was_going_on_when_the_server_died_is_as_its_method_says() {
    let asked = Arc::new(AtomicU32::new(0));
    let seen = asked.clone();
    let peer = Peer::start(move |got| {
        if seen.fetch_add(1, Ordering::SeqCst) < 2 {
            std::thread::sleep(Duration::from_secs(600));
        }
        answer(200, "", got.method.clone())
    });
    let url = format!("http://127.0.0.1:{}/", peer.port);
    let session = Kael::new().file(
        "serve.yaml",
        format!(
            "tenants:\n  - name: default\n    grants: {{ http: [{{ to: \"127.0.0.1:{}\" }}] }}\n",
            peer.port
        ),
    );
    session.write_repo();
    let with = ["--config", "serve.yaml"];
    let server = Server::start_with(&session, &with);
    let token = server.token.clone();
    let get = server.submit(&format!("print(http.get('{url}').body)"));
    let post = server.submit(&format!("print(http.post('{url}', 'x').body)"));
    let late = Instant::now() + PATIENCE;
    while asked.load(Ordering::SeqCst) < 2 {
        assert!(Instant::now() < late, "no request came");
        std::thread::sleep(Duration::from_millis(5));
    }
    server.kill();
    let server = Server::restart_with(&session, &token, &with);
    assert_eq!(server.ended(&get)["state"], "succeeded");
    assert_eq!(server.output(&get), "GET\n");
    let parked = server.until(&post, "parked");
    assert_eq!(parked["reason"], "in_doubt", "{parked}");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}
