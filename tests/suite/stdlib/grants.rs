//! Nothing is open without a grant, and the refusal shows the grant that would open it.

use kael_tests::Kael;

use super::server::{Got, Server, answer};
use super::{with_grants, with_port};

/// The credential that came with a request; empty without one.
fn credential(got: &Got) -> String {
    let header = got.headers.get("authorization");
    header.cloned().unwrap_or_default()
}

#[test]
fn a_refusal_shows_the_grant() {
    let ran = Kael::new().script("http.get('http://prometheus.internal:9090/x?token=secret')");
    ran.fails(
        4,
        "Error: kael.http.get failed: GET http://prometheus.internal:9090/x is not granted: no policy has `grants`
  script.lua:1: in main chunk
hint: policy.yaml could open it with `grants: { http: [{ to: [\"prometheus.internal:9090\"], methods: [GET] }] }`
",
    );
    let ran = with_grants("  http: [{ to: \"a.example:80\", methods: [GET] }]\n").script(
        "for _, f in ipairs { function() http.post('http://a.example/', 'x') end, function() http.get('https://a.example/') end,
           function() fs.read('/data/x') end, function() fs.write('/data/x', '') end, function() env.get('HOME') end } do
           local ok, e = pcall(f)
           print(e.kind, e.message, e.detail.hint)
         end",
    );
    ran.prints(
        "denied\tPOST http://a.example:80/ is not granted by p.yaml\tp.yaml could open it with `grants: { http: [{ to: [\"a.example:80\"], methods: [POST] }] }`
denied\tGET https://a.example:443/ is not granted by p.yaml\tp.yaml could open it with `grants: { http: [{ to: [\"a.example:443\"], methods: [GET] }] }`
denied\treading /data/x is not granted by p.yaml\tp.yaml could open it with `grants: { fs: [{ path: /data, mode: read }] }`
denied\twriting /data/x is not granted by p.yaml\tp.yaml could open it with `grants: { fs: [{ path: /data, mode: read-write }] }`
denied\tthe variable `HOME` is not granted by p.yaml\tp.yaml could open it with `grants: { env: [HOME] }`
",
    );
}

#[test]
fn grants_of_the_team_and_the_operator_are_intersected() {
    let server = Server::start(|_| answer(200, "", "ok"));
    let port = server.port;
    let team = format!(
        "version: 1\ndefault: allow\ngrants: {{ http: [{{ to: \"127.0.0.1:{port}\" }}] }}\n"
    );
    let session = |operator: &str| {
        Kael::new()
            .file("actions/init.lua", "return {}")
            .file("actions/policy.yaml", &team)
            .file("o.yaml", format!("version: 1\ndefault: allow\n{operator}"))
            .option(&["--actions", "actions"])
            .run_with(&["--policy", "o.yaml"])
    };
    let get = format!("print(http.get('http://127.0.0.1:{port}/').body)");
    session("").script(&get).exits(0).prints("ok\n");
    let same = format!("grants: {{ http: [{{ to: \"127.0.0.0/8:{port}\", methods: [GET] }}] }}\n");
    session(&same).script(&get).exits(0).prints("ok\n");
    let post = format!("http.post('http://127.0.0.1:{port}/', '')");
    session(&same)
        .script(&post)
        .says("is not granted by o.yaml");
    session("grants: {}\n")
        .script(&get)
        .says("is not granted by o.yaml");
    assert_eq!(server.got().len(), 2);
}

#[test]
fn rules_budgets_dry_runs_and_records_hold_for_built_in_actions() {
    let server = Server::start(|_| answer(200, "", "ok"));
    let port = server.port;
    let policy = |more: &str| {
        format!("version: 1\n{more}grants: {{ http: [{{ to: \"127.0.0.1:{port}\" }}] }}\n")
    };
    let run = |more: &str, options: &[&str], script: &str| {
        Kael::new()
            .file("p.yaml", policy(more))
            .run_with(&["--policy", "p.yaml"])
            .words(options)
            .script(&script.replace("URL", &format!("http://127.0.0.1:{port}/")))
    };
    // The grant allows, with no rule.
    run("", &[], "print(http.get('URL').body)")
        .exits(0)
        .prints("ok\n");
    run(
        "rules: [{ deny: kael.http.post }]\n",
        &[],
        "http.post('URL', '')",
    )
    .exits(4)
    .says("denied by p.yaml:2 (deny kael.http.post)");
    let ran = run(
        "mode: read-only\n",
        &[],
        "print(http.get('URL').status) http.delete('URL')",
    );
    ran.exits(4).says("mode: read-only");
    assert_eq!(ran.stdout, "200\n");
    run(
        "budgets: [{ actions: [kael.http.*], calls: 1, per: run }]\n",
        &[],
        "http.get('URL') http.get('URL')",
    )
    .exits(4)
    .says("the budget of the run is spent");
    let ran = run("", &["--deny", "kael.*"], "http.get('URL')");
    ran.exits(4).says("denied by the policy (deny kael.*)");
    let before = server.got().len();
    let ran = run("", &["--dry-run"], "print(http.get('URL').status)");
    ran.exits(0).says("GET http://127.0.0.1");
    assert_eq!(ran.stdout, "200\n");
    run("", &["--dry-run"], "http.get('http://other.example/')").says("is not granted by p.yaml");
    assert_eq!(server.got().len(), before);
    let ran = run("", &["--json"], "http.get('URL')");
    assert!(
        ran.exits(0).stdout.contains("\"kael.http.get\""),
        "{}",
        ran.stdout
    );
}

#[test]
fn variables_are_read_as_granted_and_bound_ones_are_filled_in_by_the_host() {
    let server = Server::start(|got| {
        let sent = credential(got);
        answer(
            200,
            &format!("X-Echo: {sent}\r\n"),
            format!("you sent {sent}"),
        )
    });
    let other = Server::start(|_| answer(200, "", "ok"));
    let (port, second) = (server.port, other.port);
    let session = || {
        with_grants(&format!(
            "  http: [{{ to: [\"127.0.0.1:{port}\", \"127.0.0.1:{second}\"] }}]\n  env: [CI, {{ name: TOKEN, variable: GH_TOKEN, to: \"127.0.0.1:{port}\" }}]\n"
        ))
        .env("CI", "yes")
        .env("GH_TOKEN", "hunter2-secret")
    };
    let ran = session().script(&format!(
        "print(env.get('CI'), env.get('TOKEN'), #env.list())
         local r = http.get('http://127.0.0.1:{port}/', {{ headers = {{ Authorization = 'Bearer ' .. env.get('TOKEN') }} }})
         print(r.body, r.headers['x-echo'])"
    ));
    ran.exits(0)
        .prints("yes\t{{kael.env.TOKEN}}\t2\nyou sent Bearer [TOKEN]\tBearer [TOKEN]\n");
    assert_eq!(
        server.got()[0].headers["authorization"],
        "Bearer hunter2-secret"
    );
    let ran = session().script(&format!(
        "http.get('http://127.0.0.1:{second}/', {{ headers = {{ A = env.get('TOKEN') }} }})"
    ));
    ran.says("sending the variable `TOKEN` to http://127.0.0.1");
    assert!(other.got().is_empty());
    // Set for the script alone.
    let ran = with_port(port).script("env.set('X', 'y') print(env.get('X'))");
    ran.exits(0).prints("y\n");
}

#[test]
fn headers_of_a_grant_are_added_and_never_seen() {
    let server = Server::start(|got| {
        let sent = credential(got);
        answer(200, "", format!("{sent} {}", got.headers["x-own"]))
    });
    let ran = with_grants(&format!(
        "  http: [{{ to: \"127.0.0.1:{}\", headers: {{ Authorization: \"Bearer {{env:GH_TOKEN}}\" }} }}]\n",
        server.port
    ))
    .env("GH_TOKEN", "hunter2-secret")
    .script(&format!(
        "print(http.get('http://127.0.0.1:{}/', {{ headers = {{ authorization = 'mine', ['X-Own'] = 'x' }} }}).body)",
        server.port
    ));
    ran.exits(0).prints("Bearer [GH_TOKEN] x\n");
    assert_eq!(
        server.got()[0].headers["authorization"],
        "Bearer hunter2-secret"
    );
}
