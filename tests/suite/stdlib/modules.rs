//! Each module against a server that knows the service's API. The tables and the scripts, which call
//! every method, are files in tests/fixtures/assay.

use std::collections::BTreeSet;

use kael_tests::{Kael, project};
use serde_json::Value;

use super::server::{Got, Server, answer, routes, table};
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

/// The head of a module is what people, models and editors know of it.
#[test]
fn the_head_of_a_module_names_every_method_of_its_parts() {
    let document = Kael::new().words(&["modules", "--json"]).ends();
    let document: Value = serde_json::from_str(&document.stdout).expect("JSON");
    let file = project("tests/fixtures/assay-names/methods.lua");
    let script = std::fs::read_to_string(file).expect("text");
    let (mut seen, mut wrong) = (0, Vec::new());
    for module in document["modules"].as_array().expect("a list") {
        let name = module["name"].as_str().expect("a name");
        let short = name.strip_prefix("assay.").expect("a module of Assay");
        // These are other names of what the others are.
        if matches!(short, "openbao" | "ory") {
            continue;
        }
        let ran = Kael::new()
            .file("script.lua", &script)
            .run_with(&["script.lua", short])
            .ends();
        ran.exits(0);
        let there: BTreeSet<&str> = ran.stdout.lines().collect();
        let methods = module["methods"].as_array().expect("a list").iter();
        let named: BTreeSet<&str> = methods
            .filter_map(|method| method["signature"].as_str()?.split('(').next())
            .collect();
        let of_parts =
            |name: &&&str| name.contains(':') && name.contains('.') && !name.contains("__");
        for missing in there
            .iter()
            .filter(of_parts)
            .filter(|one| !named.contains(**one))
        {
            wrong.push(format!("{name} does not name {missing}"));
        }
        let letters = ["auth:", "p."];
        let is_seen = |one: &&str| there.contains(one) || one.starts_with(letters[0]);
        for extra in named.iter().filter(|one| !is_seen(one)) {
            wrong.push(format!("{name} has no {extra}"));
        }
        seen += there.len();
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(seen > 500, "{seen}");
}

/// Every module whose requests have paths that hold what a script says.
const WITH_PATHS: [&str; 28] = [
    "alertmanager",
    "argocd",
    "certmanager",
    "crossplane",
    "eso",
    "flux",
    "gcal",
    "github",
    "gitlab",
    "gmail",
    "grafana",
    "harbor",
    "k8s",
    "kargo",
    "loki",
    "ory.hydra",
    "ory.kratos",
    "prometheus",
    "rauthy",
    "servicenow",
    "tailscale",
    "temporal",
    "traefik",
    "unleash",
    "vault",
    "velero",
    "zitadel",
    "openbao",
];

/// A name, and names that a server reads as other paths.
const NAMES: [&str; 5] = ["plainname", "..", ".", "", "x/../../y"];

/// A server resolves `..`, and an empty name is the list of all things: neither leads a method to
/// another path than a plain name does.
#[test]
fn no_name_leads_a_module_to_another_path() {
    let script = std::fs::read_to_string(project("tests/fixtures/assay-names/paths.lua"));
    let script = script.expect("text");
    let (mut with_a_name, mut wrong) = (0, Vec::new());
    for module in WITH_PATHS {
        let server = Server::start(|_| answer(200, "", "{}"));
        let url = format!("http://127.0.0.1:{}", server.port);
        let ran = with_port(server.port)
            .file("script.lua", &script)
            .words(&["script.lua", module, &url])
            .words(&NAMES)
            .ends();
        ran.exits(0);
        let mut asked = vec![BTreeSet::new(); NAMES.len()];
        for got in server.got() {
            let path = got.target.split('?').next().expect("a path");
            let place = path[1..].split_once('/').and_then(|(word, rest)| {
                let word = asked.get_mut(word.parse::<usize>().ok()?)?;
                Some((word, rest.to_owned()))
            });
            match place {
                Some((word, rest)) => _ = word.insert(format!("{} {rest}", got.method)),
                None => wrong.push(format!("{module}: {} {path}", got.method)),
            }
        }
        let plain = &asked[0];
        let named = plain.iter().filter(|path| path.contains(NAMES[0])).count();
        assert!(named > 0, "{module}: {plain:?}");
        with_a_name += named;
        for (word, other) in NAMES.iter().zip(&asked) {
            let beyond = other.difference(plain);
            wrong.extend(beyond.map(|path| format!("{module} with `{word}`: {path}")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(with_a_name > 200, "{with_a_name}");
}

/// What a service answers names addresses, and a script gives others: no token leaves the service.
#[test]
fn a_token_is_sent_to_the_modules_own_server_alone() {
    let other = Server::start(|_| answer(200, "", "{}"));
    let other_url = format!("http://127.0.0.1:{}", other.port);
    let link = format!("link: <{other_url}/page2>; rel=\"next\"\r\n");
    let keys = format!("{{\"jwks_uri\":\"{other_url}/keys\"}}");
    let own = Server::start(move |got| match got.target.as_str() {
        "/.well-known/openid-configuration" => answer(200, "", &keys),
        _ => answer(200, &link, "[{}]"),
    });
    let (one, two) = (own.port, other.port);
    let ran = super::with_grants(&format!(
        "  http: [{{ to: [\"127.0.0.1:{one}\", \"127.0.0.1:{two}\"] }}]\n"
    ))
    .script(&format!(
        r#"local github, own, other = require("assay.github"), "http://127.0.0.1:{one}", "{other_url}"
        local opts = {{ token = "the-token", base_url = own }}
        local c = github.client(opts)
        local tries = {{
          function() for _ in c.pulls:all("o/n") do end end,
          function() c.send.get(other .. "/x") end,
          function() c.send.answer("DELETE", other, {{ headers = {{ A = "b" }} }}) end,
          function() c.send.get(".evil.example/x") end,
          function() c.send.get("@127.0.0.1:{two}/x") end,
          function() github.fetch_asset_bytes({{ url = other .. "/asset" }}, opts) end,
        }}
        for _, try in ipairs(tries) do print(select(2, pcall(try))) end
        print(github.fetch_asset_bytes({{ browser_download_url = other .. "/file" }}, opts))
        print(json.encode(require("assay.dex").client(own, {{ token = "the-token" }}).discovery:jwks()))"#
    ));
    ran.exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let refused = format!(": this is another server than http://127.0.0.1:{one}");
    let (refusals, rest) = lines.split_at(6);
    assert!(
        refusals.iter().all(|line| line.ends_with(&refused)),
        "{}",
        ran.stdout
    );
    assert_eq!(rest, ["{}", "{}"]);
    // The pages that the other server shows to everybody were asked for, without the token.
    let got = other.got();
    let paths: Vec<&str> = got.iter().map(|got| got.target.as_str()).collect();
    assert_eq!(paths, ["/file", "/keys"]);
    let has_token = |got: &Got| {
        got.headers
            .values()
            .any(|value| value.contains("the-token"))
    };
    assert!(!got.iter().any(has_token), "{got:?}");
    assert!(own.got().iter().any(has_token));
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
