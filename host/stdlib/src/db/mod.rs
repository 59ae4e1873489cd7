//! `kael.db.*`: the databases that a policy opens, by the names that it gives them.
//!
//! A script never sees where a database is. `server` speaks to one of PostgreSQL or MySQL. For a file
//! of SQLite `process` starts a child process for each call, so that nothing of a call is left for
//! the next; in it `sqlite` opens the file, `guard` keeps statements in it, and `value` is how values
//! cross.

mod guard;
mod process;
mod server;
mod sqlite;
mod value;

#[cfg(fuzzing)]
pub use server::answers;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use kael_engine::executor::granted::Places;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::policy::Grants;
use kael_engine::policy::grants::DbGrant;

use crate::refusal::{invalid, not_granted, params, read};
use crate::values::Values;
pub(crate) use process::Program;
pub use process::WORD;
use process::Work;
pub(crate) use server::Servers;
pub use sqlite::sqlite_stdin;

/// Seconds that a call takes, unless it says otherwise; and the most.
const DEFAULT_TIME: f64 = 30.0;
const MAX_TIME: f64 = 600.0;

/// The parameters of every action; each uses some.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    db: String,
    #[serde(default)]
    sql: String,
    #[serde(default)]
    params: Vec<Value>,
    #[serde(default)]
    statements: Vec<Statement>,
    timeout: Option<f64>,
}

/// One statement of a transaction.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    sql: String,
    #[serde(default)]
    params: Vec<Value>,
}

fn find<'a>(
    name: &str,
    writing: bool,
    grants: &'a Grants,
) -> Result<Vec<&'a DbGrant>, ActionError> {
    let fits = |grant: &DbGrant| grant.name == name && !(writing && grant.read_only);
    grants.in_each(|file| &file.db, fits).map_err(|file| {
        let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        let (what, mode) = match writing {
            true => ("writing to", "read-write"),
            false => ("reading", "read-only"),
        };
        let grant =
            format!("db: [{{ name: {shown}, url: \"sqlite:data/{shown}.db\", mode: {mode} }}]");
        not_granted(&format!("{what} the database `{shown}`"), &grant, file)
    })
}

/// Whether a URL, or the beginning of one, names a server of a database and not a file.
#[must_use]
pub fn is_server(url: &str) -> bool {
    server::is_server(url)
}

/// The names of the secrets that a call uses, when the policy opens what it names.
pub(crate) fn granted(
    action: &str,
    text: &str,
    grants: &Grants,
) -> Result<Vec<String>, ActionError> {
    let asked: Params = params(text)?;
    let found = find(&asked.db, action != "query", grants)?;
    let secrets = found.first().into_iter();
    let secrets = secrets.flat_map(|grant| grant.url.secrets().map(str::to_owned));
    Ok(secrets.collect())
}

/// Does what an action is for.
pub(crate) async fn run(
    action: &str,
    text: String,
    grants: &Grants,
    places: &Places,
    (program, servers): (Program<'_>, &Servers),
    values: &mut Values<'_>,
) -> Result<Vec<u8>, ActionError> {
    let size = text.len();
    let asked: Params = read(text, |text| params(text)).await?;
    let reads = action == "query";
    let found = find(&asked.db, !reads, grants)?;
    let Some(grant) = found.first() else {
        return Err(invalid("no database"));
    };
    if found.iter().any(|other| other.url != grant.url) {
        let message = format!(
            "the policies name different databases `{}`: an operator and a team must give the same `url`",
            asked.db
        );
        return Err(ActionError::new(ErrorKind::Denied, message));
    }
    let max_rows = found.iter().map(|grant| grant.max_rows).min();
    let time = asked.timeout.unwrap_or(DEFAULT_TIME);
    if !(time > 0.0 && time <= MAX_TIME) {
        let message = format!("`timeout` is a number of seconds up to {MAX_TIME}");
        return Err(invalid(message));
    }
    let mut statements = asked.statements;
    match (asked.sql.is_empty(), action) {
        (false, "query" | "execute") => {
            statements = vec![Statement {
                sql: asked.sql,
                params: asked.params,
            }]
        }
        (true, "transaction") if !statements.is_empty() => {}
        _ => return Err(invalid("a statement is missing")),
    }
    let max_rows = max_rows.unwrap_or(0) as usize;
    let url = values.expand_url(&grant.url, server::is_server).await?;
    if server::is_server(&url) {
        if let Some(password) = server::password(&url) {
            values.hide(&format!("password of {}", grant.name), &password)?;
        }
        let call = server::Call {
            action,
            grants: &found,
            statements: &statements,
            max_rows,
            time,
        };
        return servers.run(&url, call).await;
    }
    let work = Work {
        path: PathBuf::new(),
        reads,
        statements,
        max_rows,
    };
    let file = process::file_of(&url).ok_or_else(|| {
        let message = format!(
            "the database `{}` has no URL such as sqlite:data/name.db or postgres://user:password@host/name",
            grant.name
        );
        ActionError::unavailable(message, None)
    })?;
    process::run(program, file, places, (work, size), time).await
}
