//! `kael.env.get` and `kael.env.list`: the variables that a policy opens. One that is bound to servers is
//! given as a stand-in, and the host puts its value into requests to those servers alone.

use serde::Deserialize;
use serde_json::json;

use kael_engine::environment::Environment;
use kael_engine::failure::ActionError;
use kael_engine::policy::Grants;
use kael_engine::policy::grants::{EnvGrant, EnvValue};

use crate::refusal::{self, not_granted, params};

#[derive(Deserialize)]
struct Get {
    name: String,
}

/// What a script sees in place of a value: a text that means something to the host alone.
pub(crate) fn stand_in(name: &str) -> String {
    format!("{{{{kael.env.{name}}}}}")
}

/// The names for whose values stand-ins are in a text, with their places.
pub(crate) fn stand_ins(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split("{{kael.env.").skip(1);
    parts.filter_map(|part| part.split_once("}}").map(|(name, _)| name))
}

pub(crate) fn granted(action: &str, text: &str, grants: &Grants) -> Result<(), ActionError> {
    if action == "kael.env.list" {
        return match grants.is_empty() {
            false => Ok(()),
            true => Err(not_granted("listing variables", "env: [CI]", None)),
        };
    }
    let get: Get = params(text)?;
    find(&get.name, grants).map(drop)
}

fn find<'a>(name: &str, grants: &'a Grants) -> Result<Vec<&'a EnvGrant>, ActionError> {
    grants
        .in_each(|file| &file.env, |grant| grant.name == name)
        .map_err(|file| {
            let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
            let what = format!("the variable `{shown}`");
            not_granted(&what, &format!("env: [{shown}]"), file)
        })
}

pub(crate) async fn run(
    action: &str,
    text: String,
    grants: &Grants,
    environment: &Environment,
) -> Result<Vec<u8>, ActionError> {
    if action == "kael.env.list" {
        let mut names: Vec<&str> = grants
            .files()
            .first()
            .map(|file| file.env.iter().map(|grant| grant.name.as_str()).collect())
            .unwrap_or_default();
        names.retain(|name| find(name, grants).is_ok());
        let list = names.iter().filter_map(|name| {
            let value = read(name, grants, environment)?;
            Some(json!({ "key": name, "value": value }))
        });
        return Ok(serde_json::Value::from_iter(list).to_string().into_bytes());
    }
    let get: Get = refusal::read(text, |text| params(text)).await?;
    find(&get.name, grants)?;
    let value = read(&get.name, grants, environment);
    Ok(json!(value).to_string().into_bytes())
}

/// What a script gets of a variable: its value, a stand-in where any grant binds it or it is a
/// secret, or nothing where it is not set.
fn read(name: &str, grants: &Grants, environment: &Environment) -> Option<String> {
    let found = find(name, grants).ok()?;
    let EnvValue::Variable(variable) = &found.first()?.value else {
        return Some(stand_in(name));
    };
    let value = environment.granted(variable)?.to_str()?;
    match found.iter().any(|grant| grant.to.is_some()) {
        true => Some(stand_in(name)),
        false => Some(value.to_owned()),
    }
}
