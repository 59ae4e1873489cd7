//! `kael-host token`: who may do what on a server.

use kael_engine::text::percent_encoded;
use kael_server::client::{MadeToken, NewToken, Role, Token};
use serde::Deserialize;
use serde_json::json;

use super::args::{Target, Token as Arguments, TokenCommand};
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let (TokenCommand::Ls { target }
    | TokenCommand::Create { target, .. }
    | TokenCommand::Rm { target, .. }) = &arguments.command;
    let context = Context::new(shared, environment, target);
    code(match &arguments.command {
        TokenCommand::Ls { .. } => list(&context, target),
        TokenCommand::Create {
            name,
            role,
            expires,
            ..
        } => create(&context, target, name, role, expires.clone()),
        TokenCommand::Rm { id, .. } => remove(&context, target, id),
    })
}

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<Token>,
}

fn list(context: &Context<'_>, target: &Target) -> Result<u8, u8> {
    let client = context.client(target)?;
    let all: Tokens = context.ask(client.get("/v1/tokens"))?;
    if context.json {
        return Ok(say_json(&json!({ "tokens": all.tokens }), exit::SUCCESS));
    }
    let mut out = String::new();
    for token in all.tokens {
        let until = token
            .expires
            .map_or_else(|| "without end".to_owned(), |end| format!("until {end}"));
        let line = format!(
            "{}  {:<10} {:<24} {until}",
            token.id,
            token.role.name(),
            token.name
        );
        out += &format!("{}\n", escape_control(&line));
    }
    Ok(say(&out, exit::SUCCESS))
}

fn create(
    context: &Context<'_>,
    target: &Target,
    name: &str,
    role: &str,
    expires: Option<String>,
) -> Result<u8, u8> {
    let role = role
        .parse::<Role>()
        .map_err(|error| context.fail(&Problem::usage(error.to_string()), exit::USAGE))?;
    let new = NewToken {
        name: name.to_owned(),
        role,
        expires_in: expires,
    };
    let client = context.client(target)?;
    let made: MadeToken = context.ask(client.send(hyper::Method::POST, "/v1/tokens", &new))?;
    Ok(match context.json {
        true => say_json(&made, exit::SUCCESS),
        false => say(&format!("{}\n", made.secret), exit::SUCCESS),
    })
}

fn remove(context: &Context<'_>, target: &Target, id: &str) -> Result<u8, u8> {
    let client = context.client(target)?;
    context.ask(client.delete(&format!("/v1/tokens/{}", percent_encoded(id))))?;
    Ok(match context.json {
        true => say_json(&json!({ "ok": true, "id": id }), exit::SUCCESS),
        false => exit::SUCCESS,
    })
}
