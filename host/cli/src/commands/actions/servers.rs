//! `kael-host actions mcp`: the tools of an MCP server as actions, by a lock file that a person reviews.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::args::{ServerAdd, ServerCommand, ServerDiff};
use super::{ActionsContext, Ended, code};
use crate::exit;
use crate::report::Problem;
use crate::sanitize::EscapedLines;
use crate::terminal::{say, say_json};
use kael_authoring::lua;
use kael_engine::catalog::{DestinationError, McpTool, McpUrl};
use kael_engine::executor::Beside;
use kael_engine::failure::ActionError;
use kael_engine::limits::ProcessLimits;
use kael_engine::runtime::{LoadError, Repo};
use kael_engine::sandbox::Output;
use kael_engine::secrets::SecretSource;
use kael_mcp::client::{Listed, Lock, Place, changes, list, locked};

/// How long a server may take to start and to list its tools.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(context: &ActionsContext<'_>, command: &ServerCommand) -> u8 {
    code(match command {
        ServerCommand::Add(add) => added(context, add),
        ServerCommand::Diff(diff) => compared(context, diff, false, true),
        ServerCommand::Update(update) => compared(context, &update.of, true, update.yes),
    })
}

/// A server, and the secrets that it is given, by the names of variables.
struct Wanted {
    place: Place,
    secrets: Vec<(String, String)>,
}

impl Wanted {
    /// The server with the values of its secrets.
    async fn opened(&self, source: Option<&Arc<dyn SecretSource>>) -> Result<Place, String> {
        let mut place = self.place.clone();
        for (variable, name) in &self.secrets {
            let Some(source) = source else {
                return Err("this command has no secrets".to_owned());
            };
            let value = source.get(name).await.map_err(|error| error.to_string())?;
            let value = value.expose().to_owned();
            match &mut place {
                Place::Command(beside) => beside.variables.push((variable.clone(), value)),
                Place::Url { token, .. } => *token = Some(value),
            }
        }
        Ok(place)
    }
}

/// Loads the repo, and asks a server for its tools.
fn asked(
    context: &ActionsContext<'_>,
    wanted: impl FnOnce(&Repo) -> Result<Wanted, String>,
) -> Result<(Repo, Wanted, Listed), Ended> {
    let (settings, folder) = context.settings()?;
    let answer = context.wait(async {
        let runtime = settings.runtime(2).map_err(Asking::Load)?;
        let options = settings.repo_options(&Output::in_memory());
        let repo = runtime.load(&folder, options).await.map_err(Asking::Load)?;
        let wanted = wanted(&repo).map_err(Asking::Usage)?;
        let secrets = settings.run_options(Output::in_memory()).secrets;
        let place = wanted
            .opened(secrets.as_ref())
            .await
            .map_err(Asking::Usage)?;
        let listed = list(&place, repo.executors().context(), PATIENCE).await;
        Ok((repo, wanted, listed.map_err(Asking::Server)?))
    })?;
    answer.map_err(|error| match error {
        Asking::Load(error) => context.load_error(&error),
        Asking::Usage(message) => context.fail(&Problem::usage(message), exit::USAGE),
        Asking::Server(error) => context.fail(
            &Problem::of_action("the server", &error),
            exit::ACTION_FAILED,
        ),
    })
}

/// Why a server gave no list.
enum Asking {
    Load(LoadError),
    Usage(String),
    Server(ActionError),
}

fn added(context: &ActionsContext<'_>, add: &ServerAdd) -> Result<u8, Ended> {
    let usage = |message: String| context.fail(&Problem::usage(message), exit::USAGE);
    if !lua::is_name(&add.name) {
        let shown = add.name.escape_debug().to_string();
        return Err(usage(format!(
            "`{shown}` is not a name of letters, digits and `_`"
        )));
    }
    let (repo, wanted, listed) = asked(context, |_| typed(add))?;
    let folder = repo.bundle.root.join(&add.name);
    if folder.exists() {
        let shown = folder.display();
        return Err(usage(format!(
            "{shown} exists: kael-host actions mcp update {} changes it",
            add.name
        )));
    }
    let failed = |path: &Path, error: io::Error| usage(format!("{}: {error}", path.display()));
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
    let (init, lock) = (folder.join("init.lua"), folder.join("lock.lua"));
    fs::write(&lock, locked(&listed.tools)).map_err(|error| failed(&lock, error))?;
    fs::write(&init, module(&add.name, &wanted)).map_err(|error| failed(&init, error))?;
    let files = [lock.display().to_string(), init.display().to_string()];
    let next = format!("{} = require(\"{}\"),", add.name, add.name);
    if context.json {
        let tools: Vec<_> = listed.tools.keys().collect();
        let document = json!({ "files": files, "tools": tools, "left_out": listed.left_out, "add_to_init": next });
        return Ok(say_json(&document, exit::SUCCESS));
    }
    let mut out: String = files
        .iter()
        .map(|file| format!("written: {file}\n"))
        .collect();
    out += &left_out(&listed);
    out += &format!("review the lock file, then add to init.lua: {next}\n");
    Ok(say(
        &EscapedLines(out.trim_end()).to_string(),
        exit::SUCCESS,
    ))
}

fn left_out(listed: &Listed) -> String {
    let line = |why: &String| format!("left out: {why}\n");
    listed.left_out.iter().map(line).collect()
}

/// The server that a command line names.
fn typed(add: &ServerAdd) -> Result<Wanted, String> {
    let secret = |text: &String| match text.split_once('=') {
        Some((variable, name)) => (variable.to_owned(), name.to_owned()),
        None => (McpTool::TOKEN.to_owned(), text.clone()),
    };
    let secrets: Vec<_> = add.secret.iter().map(secret).collect();
    let is_url = |word: &str| word.starts_with("https://") || word.starts_with("http://");
    let place = match &add.command[..] {
        [url] if is_url(url) => {
            if !add.env.is_empty() {
                return Err(
                    "--env is for a server that is started, not for one at a URL".to_owned(),
                );
            }
            if secrets.len() > 1 || secrets.iter().any(|(name, _)| name != McpTool::TOKEN) {
                return Err("a server at a URL takes one --secret NAME: its token".to_owned());
            }
            let network = add.network.iter().map(|text| text.parse());
            let network = network.collect::<Result<_, DestinationError>>();
            Place::Url {
                at: McpUrl {
                    url: url.clone(),
                    secret: secrets.first().map(|(_, name)| name.clone()),
                    network: network.map_err(|error| format!("--network: {error}"))?,
                },
                token: None,
            }
        }
        command => {
            if !add.network.is_empty() {
                return Err("--network is for a server at a URL".to_owned());
            }
            if secrets.iter().any(|(name, _)| name == McpTool::TOKEN) {
                return Err("a server that is started takes --secret VARIABLE=NAME".to_owned());
            }
            Place::Command(Beside {
                command: command.to_vec(),
                env: add.env.clone(),
                variables: Vec::new(),
                writable: Vec::new(),
                limits: ProcessLimits::default(),
            })
        }
    };
    Ok(Wanted { place, secrets })
}

/// The server that the actions below a name belong to, and what was reviewed of it.
fn reviewed(repo: &Repo, name: &str) -> Result<(Wanted, Lock), String> {
    let prefix = format!("{name}.");
    let mut found = None;
    let mut lock = Lock::new();
    for (action, definition) in repo.catalog.iter() {
        let below = action.as_str().strip_prefix(&prefix);
        if let (Some(below), Some(tool)) = (below, &definition.mcp) {
            found.get_or_insert_with(|| Wanted {
                place: kael_mcp::client::place(definition, tool, Vec::new()),
                secrets: definition.secrets.clone().into_iter().collect(),
            });
            lock.insert(
                below.to_owned(),
                kael_mcp::client::Tool::of(definition, tool),
            );
        }
    }
    match found {
        Some(wanted) => Ok((wanted, lock)),
        None => Err(format!(
            "no action below `{name}` is a tool of an MCP server"
        )),
    }
}

fn compared(
    context: &ActionsContext<'_>,
    diff: &ServerDiff,
    write: bool,
    yes: bool,
) -> Result<u8, Ended> {
    let usage = |message: String| context.fail(&Problem::usage(message), exit::USAGE);
    let mut before = Lock::new();
    let (repo, _, listed) = asked(context, |repo| {
        let (wanted, lock) = reviewed(repo, &diff.name)?;
        before = lock;
        Ok(wanted)
    })?;
    let found = changes(&before, &listed.tools);
    let differs = !found.is_empty();
    let path = lock_file(&repo, &diff.name).map_err(usage)?;
    let told = EscapedLines(found.trim_end()).to_string();
    if differs && write {
        if !yes {
            if !io::stdin().is_terminal() {
                let error = Problem::usage(format!(
                    "{} is not changed without being asked",
                    path.display()
                ))
                .hinted("answer on a terminal, or say --yes");
                return Err(context.fail(&error, exit::USAGE));
            }
            io::stderr()
                .write_all(format!("{told}Accept these? [y/N] ").as_bytes())
                .ok();
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer).ok();
            if !matches!(answer.trim(), "y" | "Y" | "yes") {
                return Err(usage("nothing was changed".to_owned()));
            }
        }
        fs::write(&path, locked(&listed.tools))
            .map_err(|error| usage(format!("{}: {error}", path.display())))?;
    }
    let code = match differs && !write {
        true => exit::SCRIPT_FAILED,
        false => exit::SUCCESS,
    };
    if context.json {
        let lines: Vec<&str> = found.lines().collect();
        let document = json!({ "changed": differs, "written": differs && write, "changes": lines, "left_out": listed.left_out });
        return Ok(say_json(&document, code));
    }
    let mut out = match differs {
        true => told,
        false => "no changes\n".to_owned(),
    };
    if differs && write {
        out += &EscapedLines(&format!("written: {}", path.display())).to_string();
    }
    Ok(say(&out, code))
}

/// The file of the lock of a server.
fn lock_file(repo: &Repo, name: &str) -> Result<PathBuf, String> {
    let wanted = format!("{name}.lock");
    let module = repo
        .bundle
        .modules
        .iter()
        .find(|module| module.name == wanted);
    let module = module
        .ok_or_else(|| format!("there is no module {wanted}: write the lock file by hand"))?;
    Ok(repo.bundle.root.join(&module.path))
}

/// The module that makes actions of a lock file.
fn module(name: &str, wanted: &Wanted) -> String {
    let mut fields = Vec::new();
    let mut field = |name: &str, value: serde_json::Value| {
        let empty = value.as_array().is_some_and(Vec::is_empty);
        if !empty && !value.is_null() {
            fields.push(format!("  {name} = {},\n", lua::literal(&value)));
        }
    };
    match &wanted.place {
        Place::Command(beside) => {
            field("command", json!(beside.command));
            field("env", json!(beside.env));
            let secrets: serde_json::Map<_, _> = wanted
                .secrets
                .iter()
                .map(|(variable, name)| (variable.clone(), json!(name)))
                .collect();
            if !secrets.is_empty() {
                field("secrets", secrets.into());
            }
        }
        Place::Url { at, .. } => {
            field("url", json!(at.url));
            field("secret", json!(at.secret));
            let network: Vec<_> = at.network.iter().map(ToString::to_string).collect();
            field("network", json!(network));
        }
    }
    let fields = fields.concat();
    format!(
        r#"-- The tools of an MCP server as actions; what it says of them was reviewed in lock.lua.
return mcp_server({{
  lock = "{name}.lock",
{fields}  -- What a call does to the world: "none", "idempotent", or "once" for a tool that is not named here.
  effects = {{}},
}})
"#
    )
}
