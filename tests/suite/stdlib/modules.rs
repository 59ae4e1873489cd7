//! Each module against a server that knows the service's API. The tables and the scripts, which call
//! every method, are files in tests/fixtures/assay.

use kael_tests::{Kael, project};

use super::server::{Server, answer, routes, table};
use super::with_port;

#[test]
fn every_module_speaks_its_services_api() {
    let folder = std::fs::read_dir(project("tests/fixtures/assay")).expect("a folder");
    let mut files: Vec<_> = folder.flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(files.len() >= 11, "{}", files.len());
    for file in files {
        let script = std::fs::read_to_string(&file).expect("text");
        let (server, unused) = table(routes(&script));
        let url = format!("http://127.0.0.1:{}", server.port);
        let ran = with_port(server.port)
            .file("script.lua", &script)
            .words(&["script.lua", &url])
            .ends();
        assert_eq!(ran.stderr, "", "{}", file.display());
        ran.exits(0);
        assert_eq!(unused(), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn the_flat_names_of_the_first_generations_are_there() {
    let file = project("tests/fixtures/assay-names/flat.lua");
    let script = std::fs::read_to_string(file).expect("text");
    Kael::new().script(&script).prints("\n");
}

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
    ran.prints("INBOX\nnew\nINBOX\nkael.fs.read\tfailed\n");
    // The second client finds the new token in the file.
    let renewals = server
        .got()
        .iter()
        .filter(|got| got.target == "/token")
        .count();
    assert_eq!(renewals, 1);
}

#[test]
fn a_module_of_the_repo_goes_before_the_hosts() {
    let ran = Kael::new()
        .file("actions/init.lua", "return {}")
        .file("actions/assay/loki.lua", "return { mine = true }")
        .option(&["--actions", "actions"])
        .script(
            "print(require('assay.loki').mine, type(require('assay.grafana').client))
             print(select(2, pcall(require, 'assay.none')))",
        );
    ran.exits(0);
    assert!(
        ran.stdout.starts_with("true\tfunction\n")
            && ran.stdout.contains("module 'assay.none' not found"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_client_refuses_what_is_no_server() {
    let ran = Kael::new().script("require('assay.grafana').client('grafana:3000')");
    ran.fails_with(
        1,
        "Error: script.lua:1: grafana.client: the URL must begin with http:// or https://, got grafana:3000",
    );
}
