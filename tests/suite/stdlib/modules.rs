//! Each module against a server that knows the service's API. The tables and the scripts, which call
//! every method, are files in tests/fixtures/assay.

use kael_tests::{Kael, project};

use super::server::{routes, table};
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
