//! Modules that do more than send requests: they read files, sign, ask a database, or wait for a
//! person.

use kael_tests::{Kael, project};

use super::server::{Server, answer};
use super::{with_grants, with_port};

/// A token in a file is renewed once when it is refused, and written back.
#[test]
fn a_token_is_read_from_a_file_renewed_and_saved() {
    let server = Server::start(|got| {
        let bearer = got.headers.get("authorization").map(String::as_str);
        let form = String::from_utf8_lossy(&got.body);
        match (got.target.as_str(), bearer) {
            ("/token", _) if form.contains("refresh_token=r%2B1") => {
                answer(200, "", r#"{"access_token":"new","token_type":"Bearer"}"#)
            }
            ("/labels", Some("Bearer new")) => answer(200, "", r#"{"labels":[{"id":"INBOX"}]}"#),
            _ => answer(401, "", r#"{"error":{"message":"expired"}}"#),
        }
    });
    let session = Kael::new();
    let home = session.path().display().to_string();
    let policy = format!(
        "version: 1\ndefault: allow\ngrants:\n  http: [{{ to: \"127.0.0.1:{}\" }}]\n  env: [HOME]\n  \
         fs: [{{ path: {home}/.config/gog, mode: read-write }}]\n",
        server.port
    );
    let script = "
        local opts = { token_url = arg[1] .. '/token', api_base = arg[1] }
        print(require('assay.gmail').client(opts).labels:list()[1].id)
        print(json.parse(fs.read(env.get('HOME') .. '/.config/gog/token.json')).access_token)
        print(require('assay.gmail').client(opts).labels:list()[1].id)
        fs.write(env.get('HOME') .. '/.config/gog/token.json', json.encode({ refresh_token = 'r+1' }))
        require('assay.oauth2').from_file(nil, nil, opts):headers()
        print(json.parse(fs.read(env.get('HOME') .. '/.config/gog/token.json')).access_token)
        local wrong = select(2, pcall(require('assay.oauth2').from_file, '~/.config/gog/none.json'))
        print(wrong.action, wrong.kind)";
    let client = r#"{"installed":{"client_id":"i","client_secret":"s"}}"#;
    let ran = session
        .file("p.yaml", policy)
        .file(".config/gog/credentials.json", client)
        .file(
            ".config/gog/token.json",
            r#"{"access_token":"old","refresh_token":"r+1"}"#,
        )
        .file("script.lua", script)
        .run_with(&["--policy", "p.yaml"])
        .env("HOME", &home)
        .words(&["script.lua", &format!("http://127.0.0.1:{}", server.port)])
        .ends();
    ran.prints("INBOX\nnew\nINBOX\nnew\nkael.fs.read\tfailed\n");
    // The second client finds the new token in the file. The first token of a file that has none is written, too.
    let renewals = server
        .got()
        .iter()
        .filter(|got| got.target == "/token")
        .count();
    assert_eq!(renewals, 2);
}

/// The assertion is signed by the machine's key, for the domain's address, and only the token that
/// it is changed for is sent on.
#[test]
fn zitadel_changes_a_signed_assertion_for_a_token() {
    let server = Server::start(|got| {
        let bearer = got.headers.get("authorization").map(String::as_str);
        match (got.target.as_str(), bearer) {
            ("/oauth/v2/token", _) => answer(200, "", r#"{"access_token":"zt"}"#),
            ("/admin/v1/policies/login", Some("Bearer zt")) => {
                answer(200, "", r#"{"policy":{"allowRegister":true}}"#)
            }
            _ => answer(401, "", r#"{"message":"unauthenticated"}"#),
        }
    });
    let key = std::fs::read_to_string(project("tests/fixtures/jwt/rsa.pem")).expect("a key");
    let machine = serde_json::json!({ "userId": "7", "keyId": "k1", "key": key });
    let script = "
        local key = fs.read(arg[2])
        local c = require('assay.zitadel').client({ url = arg[1], domain = 'team.example', machine_key = key })
        print(c.login_policy:get().allowRegister, c.login_policy:get().allowRegister)
        print(pcall(require('assay.zitadel').client, { url = arg[1], domain = 'x', machine_key_file = arg[2] }))";
    let session = Kael::new();
    let folder = session.path().join("keys").display().to_string();
    let policy = format!(
        "version: 1\ndefault: allow\ngrants:\n  http: [{{ to: \"127.0.0.1:{}\" }}]\n  fs: [{{ path: {folder} }}]\n",
        server.port
    );
    let url = format!("http://127.0.0.1:{}", server.port);
    let ran = session
        .file("p.yaml", policy)
        .file("keys/machine.json", machine.to_string())
        .file("script.lua", script)
        .run_with(&["--policy", "p.yaml"])
        .words(&["script.lua", &url, &format!("{folder}/machine.json")])
        .ends();
    ran.exits(0);
    assert!(
        ran.stdout.starts_with("true\ttrue\ntrue\t"),
        "{}",
        ran.stdout
    );
    let got = server.got();
    let tokens: Vec<_> = got
        .iter()
        .filter(|got| got.target == "/oauth/v2/token")
        .collect();
    assert_eq!(tokens.len(), 1, "one token for two requests");
    assert_eq!(
        tokens[0].headers["x-zitadel-instance-host"],
        "auth.team.example"
    );
    let form = String::from_utf8_lossy(&tokens[0].body).into_owned();
    let assertion = form
        .split('&')
        .find_map(|part| part.strip_prefix("assertion="))
        .expect("an assertion");
    let public = std::fs::read_to_string(project("tests/fixtures/jwt/rsa.pub.pem")).expect("a key");
    let checked = Kael::new().file("key.pem", &public).script(&format!(
        "local t = crypto.jwt_verify('{assertion}', [[{public}]], {{ audience = 'https://auth.team.example', issuer = '7' }})
         print(t.header.kid, t.claims.sub, t.claims.exp - t.claims.iat)"
    ));
    checked.prints("k1\t7\t300\n");
}

/// The module asks by the catalogue of PostgreSQL; tables of the same names stand for it.
#[test]
fn postgres_asks_the_database_that_a_grant_names() {
    let session = Kael::new();
    let folder = session.path().join("bases");
    std::fs::create_dir(&folder).expect("a folder");
    let policy = format!(
        "version: 1\ndefault: allow\ngrants:\n  db: [{{ name: main, url: \"sqlite://{}/x.db\", mode: read-write }}]\n",
        folder.display()
    );
    let script = r#"
        local postgres = require("assay.postgres")
        local c = postgres.client("main")
        c.queries:execute("CREATE TABLE pg_roles (rolname TEXT)")
        c:execute("CREATE TABLE pg_database (datname TEXT)")
        assert.eq(c:execute("INSERT INTO pg_roles VALUES ($1)", { 'o"; DROP TABLE pg_roles; --' }).rows_affected, 1)
        c.queries:execute("INSERT INTO pg_database VALUES ('shop')")
        assert.eq(c.queries:query("SELECT count(*) AS n FROM pg_roles")[1].n, 1)
        assert.eq(c:query("SELECT datname FROM pg_database WHERE datname = $1", { "shop" })[1].datname, "shop")
        assert.eq({ c.users:exists('o"; DROP TABLE pg_roles; --'), c:user_exists("none") }, { true, false })
        assert.eq({ c.databases:exists("shop"), c:database_exists("none") }, { true, false })
        assert.eq({ c.users:ensure('o"; DROP TABLE pg_roles; --', "p"), c:ensure_database("shop") }, { false, false })
        -- What SQLite has not: the statement reaches the database, which refuses it.
        assert.eq(pcall(function() return c.users:ensure("new", "p") end), false)
        assert.eq({ postgres.identifier('a"b'), postgres.literal("a'b\\c") }, { '"a""b"', "E'a''b\\\\c'" })
        local ok, wrong = pcall(function() return c.databases:grant("shop", "u", "CONNECT; DROP DATABASE shop") end)
        assert.contains(wrong, "postgres: no privilege of a database CONNECT; DROP DATABASE SHOP (there are: ALL PRIVILEGES, CONNECT, CREATE, TEMPORARY)")
        c:close()
        for _, call in ipairs({ { postgres.client, "host", 5432, "u", "p" }, { postgres.client_url, "postgres://u:p@h/d" },
          { postgres.client_from_vault, {}, "path", "h" } }) do
          ok, wrong = pcall(table.unpack(call))
          assert.contains(wrong, 'postgres.client: a database is opened by a grant, db: [{ name: NAME, url: "postgres://')
        end
        print("done")"#;
    let ran = session
        .file("p.yaml", policy)
        .file("script.lua", script)
        .run_with(&["--policy", "p.yaml"])
        .words(&["script.lua"])
        .ends();
    ran.prints("done\n");
}

#[test]
fn openclaw_keeps_state_in_its_folder_alone() {
    let session = Kael::new();
    let folder = session.path().join("state");
    std::fs::create_dir(&folder).expect("a folder");
    let policy = format!(
        "version: 1\ndefault: allow\ngrants:\n  env: [ASSAY_STATE_DIR]\n  fs: [{{ path: {}, mode: read-write }}]\n",
        folder.display()
    );
    let script = r#"
        local c = require("assay.openclaw").client("http://127.0.0.1:1")
        assert.eq({ c.state:get("../../x"), c:state_set("../../x", { a = { 1, 2 }, b = "c" }) }, { nil, true })
        assert.eq(c:state_get("../../x").a, { 1, 2 })
        -- The order of fields is no change.
        assert.eq(c.state:diff("../../x", { b = "c", a = { 1, 2 } }).changed, false)
        assert.eq(c:diff("../../x", { a = { 1, 3 } }), { changed = true, before = { a = { 1, 2 }, b = "c" }, after = { a = { 1, 3 } } })
        assert.eq(c.state:diff("new", 1), { changed = true, after = 1 })
        print("done")"#;
    let ran = session
        .file("p.yaml", policy)
        .file("script.lua", script)
        .run_with(&["--policy", "p.yaml"])
        .env("ASSAY_STATE_DIR", &folder.display().to_string())
        .words(&["script.lua"])
        .ends();
    ran.prints("done\n");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, ["..%2F..%2Fx.json", "new.json"]);
}

#[test]
fn openclaw_asks_the_variable_or_waits_for_a_signal() {
    for (value, approved) in [("yes", "true"), ("no", "false")] {
        with_grants("  env: [ASSAY_APPROVAL_RESULT]\n")
            .env("ASSAY_APPROVAL_RESULT", value)
            .script("print(require('assay.openclaw').client('http://127.0.0.1:1'):approve('Delete it?'))")
            .prints(&format!("{approved}\n"));
    }
    // Without a journal nobody can answer, which is an error and no refusal.
    let ran = with_port(1)
        .script("print(require('assay.openclaw').client('http://127.0.0.1:1').gates:approve('x'))");
    assert!(ran.stderr.contains("journal"), "{}", ran.stderr);
    assert_ne!(ran.code, 0);
}
