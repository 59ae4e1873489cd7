//! The standard library, as scripts use it: what a policy opens, what it never does, and the clients
//! of services.

mod assay;
mod checks;
mod crypto;
mod database;
mod db;
mod durable;
mod files;
mod grants;
mod http;
mod kubectl;
mod mariadb;
mod module_effects;
mod modules;
mod postgres;
mod pure;
mod s3;
mod secrets;
pub(crate) mod server;
mod servers_that_lie;
mod services;
mod ssrf;
mod stream;
mod websocket;

use kael_tests::Kael;

/// A session whose policy has these grants.
fn with_grants(grants: &str) -> Kael {
    let policy = format!("version: 1\ndefault: allow\ngrants:\n{grants}");
    Kael::new()
        .file("p.yaml", policy)
        .run_with(&["--policy", "p.yaml"])
}

/// A session that may send requests to a port of this machine.
fn with_port(port: u16) -> Kael {
    with_grants(&format!("  http: [{{ to: \"127.0.0.1:{port}\" }}]\n"))
}
