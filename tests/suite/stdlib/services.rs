//! Modules against the real services: each is started by its test, and a script of
//! tests/fixtures/assay-servers calls every method.

use std::path::Path;

use kael_tests::{Need, Server, needs, project};

use super::with_port;

/// Runs the script of a module, whose first argument is the server's URL.
fn speaks(name: &str, server: &Server) {
    let file = project("tests/fixtures/assay-servers").join(format!("{name}.lua"));
    let script = std::fs::read_to_string(&file).expect("text");
    let ran = with_port(server.port)
        .file("script.lua", script)
        .words(&["script.lua", &server.url])
        .ends();
    assert_eq!(ran.stderr, "", "{}", server.output());
    ran.exits(0);
}

#[test]
fn prometheus_answers_its_module() {
    if !needs(&[Need::Promtool]) {
        return;
    }
    let settings = "global: { scrape_interval: 1s, evaluation_interval: 1s }
scrape_configs: [{ job_name: prometheus, static_configs: [{ targets: [\"127.0.0.1:{port}\"] }] }]
rule_files: [rules.yml]
";
    let rules = "groups:
  - name: g
    rules:
      - { alert: AlwaysFiring, expr: vector(1), labels: { severity: page } }
      - { record: \"one:sum\", expr: vector(1) }
";
    let words = [
        "--config.file=p.yml",
        "--storage.tsdb.path=data",
        "--web.listen-address=127.0.0.1:{port}",
        "--web.enable-lifecycle",
    ];
    let files = [("p.yml", settings), ("rules.yml", rules)];
    let server = Server::start(Path::new("prometheus"), &words, &files, "/-/ready");
    speaks("prometheus", &server);
}

#[test]
fn alertmanager_answers_its_module() {
    if !needs(&[Need::Alertmanager]) {
        return;
    }
    let words = [
        "--config.file=am.yml",
        "--storage.path=data",
        "--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ];
    let settings = "route: { receiver: team, group_wait: 1s }\nreceivers: [{ name: team }]\n";
    let program = Path::new("prometheus-alertmanager");
    let server = Server::start(program, &words, &[("am.yml", settings)], "/-/ready");
    speaks("alertmanager", &server);
}

#[test]
fn traefik_answers_its_module() {
    if !needs(&[Need::Pypi]) {
        return;
    }
    let settings = "http:
  routers:
    web: { rule: \"Host(`a.example`)\", service: app, middlewares: [strip], entryPoints: [web] }
    secure: { rule: \"Host(`b.example`)\", service: app, tls: {}, entryPoints: [web] }
    broken: { rule: \"Host(`c.example`)\", service: missing, entryPoints: [web] }
  services:
    app: { loadBalancer: { servers: [{ url: \"http://127.0.0.1:1\" }, { url: \"http://127.0.0.1:2\" }] } }
  middlewares: { strip: { stripPrefix: { prefixes: [\"/x\"] } } }
tcp:
  routers: { raw: { rule: \"HostSNI(`*`)\", service: rawapp, entryPoints: [web] } }
  services: { rawapp: { loadBalancer: { servers: [{ address: \"127.0.0.1:3\" }] } } }
";
    let words = [
        "--api.insecure=true",
        "--entryPoints.traefik.address=127.0.0.1:{port}",
        "--entryPoints.web.address=127.0.0.1:{other}",
        "--providers.file.filename=dynamic.yml",
    ];
    let files = [("dynamic.yml", settings)];
    let server = Server::start(&Server::program("traefik"), &words, &files, "/api/version");
    speaks("traefik", &server);
}

#[test]
fn openbao_answers_the_module_of_vault() {
    if !needs(&[Need::Pypi]) {
        return;
    }
    let words = [
        "server",
        "-dev",
        "-dev-root-token-id=root",
        "-dev-no-store-token",
        "-dev-listen-address=127.0.0.1:{port}",
    ];
    let server = Server::start(&Server::program("bao"), &words, &[], "/v1/sys/health");
    speaks("vault", &server);
}

#[test]
fn temporal_answers_its_module() {
    if !needs(&[Need::Pypi]) {
        return;
    }
    let words = [
        "server",
        "start-dev",
        "--headless",
        "--port={other}",
        "--metrics-port={third}",
        "--http-port={port}",
        "--log-level=error",
    ];
    let program = Server::program("temporal");
    let server = Server::start(&program, &words, &[], "/api/v1/namespaces/default");
    speaks("temporal", &server);
}

#[test]
fn a_provider_of_openid_connect_answers_its_modules() {
    if !needs(&[Need::Pypi]) {
        return;
    }
    let program = Server::program("oidc-provider-mock");
    let ready = "/.well-known/openid-configuration";
    let server = Server::start(&program, &["-p", "{port}"], &[], ready);
    speaks("oidc", &server);
}
