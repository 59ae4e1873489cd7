//! `kael-host login`: signs in to a server, or makes a link for a browser.

use std::io::{self, Read as _};

use kael_server::client::{Client, Login, MadeToken, Me, SignIn};
use serde_json::json;

use super::args::Login as Arguments;
use super::session::{self, Kept};
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    code(match arguments.link_or_address.as_deref() {
        Some(text) if !arguments.link => sign_in(&context, text),
        _ => make_link(&context, arguments),
    })
}

fn sign_in(context: &Context<'_>, text: &str) -> Result<u8, u8> {
    let (address, code) = match text.split_once("/login?code=") {
        Some((address, code)) => (address, Some(code)),
        None => (text, None),
    };
    let authorities = context.environment.path("SSL_CERT_FILE");
    let client = Client::new(address).map_err(|error| context.refused(&error))?;
    let client = client.authorities(authorities);
    let token = match code {
        Some(code) => {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let login = Login {
                code: code.to_owned(),
                name: Some(format!("kael-host on {}", host.trim())),
            };
            let made: MadeToken =
                context.ask(client.send(hyper::Method::POST, "/v1/login", &login))?;
            made.secret
        }
        None => {
            let mut text = String::new();
            let read = io::stdin().lock().take(1024).read_to_string(&mut text);
            if read.is_err() || text.trim().is_empty() {
                let problem = Problem::usage("stdin has no token".to_owned())
                    .hinted("name a one-time link, or write a token to stdin");
                return Err(context.fail(&problem, exit::USAGE));
            }
            text.trim().to_owned()
        }
    };
    let client = client.token(Some(token.clone()));
    let me: Me = context.ask(client.get("/v1/me"))?;
    let kept = Kept {
        server: client.server(),
        token,
    };
    let file = session::write(context.environment, &kept);
    let file = file.map_err(|why| context.fail(&Problem::usage(why), exit::CONFIG))?;
    if context.json {
        let document = json!({ "ok": true, "server": kept.server, "file": file, "me": me });
        return Ok(say_json(&document, exit::SUCCESS));
    }
    let of = me.tenant.map_or_else(
        || "for all tenants".to_owned(),
        |tenant| format!("of the tenant {tenant}"),
    );
    let text = format!(
        "signed in to {} as {} ({} {of}); the token is kept in {}\n",
        kept.server,
        escape_control(&me.name),
        me.role,
        file.display()
    );
    Ok(say(&text, exit::SUCCESS))
}

fn make_link(context: &Context<'_>, arguments: &Arguments) -> Result<u8, u8> {
    let client = context.client(&arguments.target)?;
    let made: SignIn = context.ask(client.send(hyper::Method::POST, "/v1/sign-ins", &json!({})))?;
    if context.json {
        return Ok(say_json(&made, exit::SUCCESS));
    }
    Ok(say(
        &format!("{}\n", escape_control(&made.url)),
        exit::SUCCESS,
    ))
}
