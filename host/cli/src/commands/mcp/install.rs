//! `kael-host mcp install`: writes this server into the configuration of a client.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::actions::{ActionsContext, Ended};
use super::args::{Client, Install};
use super::json_edit;
use crate::args::Bounds;
use crate::exit;
use crate::report::Problem;
use crate::sanitize::{EscapedLines, escape_control};
use crate::terminal::{say, say_json};

/// Bytes of a client's file that are read.
const MAX_FILE: u64 = 8 << 20;

pub(super) fn run(context: &ActionsContext<'_>, install: &Install) -> Result<u8, Ended> {
    let usage = |message: String| context.fail(&Problem::usage(message), exit::USAGE);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if install.name.is_empty() || !install.name.chars().all(is_plain) {
        let shown = install.name.escape_debug().to_string();
        return Err(usage(format!(
            "`{shown}` is not a name of letters, digits, `-` and `_`"
        )));
    }
    let (_, actions) = context.settings_with(Bounds::default())?;
    let absolute = |path: &Path| {
        let real = path.canonicalize();
        real.map_err(|error| usage(format!("{}: {error}", path.display())))
    };
    let actions = absolute(&actions)?.display().to_string();
    let program = std::env::current_exe()
        .map_err(|error| usage(format!("the path of this program is not known: {error}")))?;
    let program = program.display().to_string();
    let args = ["--actions", &actions, "mcp"];
    let file = match &install.file {
        Some(file) => file.clone(),
        None => usual(context, install.client).map_err(usage)?,
    };
    let shown = file.display().to_string();
    let before = read(&file).map_err(|error| usage(format!("{shown}: {error}")))?;
    let put = match install.client {
        Client::Claude | Client::Cursor => {
            let entry = json!({ "command": program, "args": args });
            json_edit::put(&before, "mcpServers", &install.name, &entry)
        }
        Client::Vscode => {
            let entry = json!({ "type": "stdio", "command": program, "args": args });
            json_edit::put(&before, "servers", &install.name, &entry)
        }
        Client::Codex => toml_with(&before, &install.name, &program, &args),
    };
    let after = put.map_err(|error| {
        let entry = json!({ "command": program, "args": args });
        let error = Problem::usage(format!("{shown} is not changed: {error}"))
            .hinted(format!("add this as `{}` by hand: {entry}", install.name));
        context.fail(&error, exit::USAGE)
    })?;
    let changed = after != before;
    if changed && !agreed(context, install, &shown, &before, &after)? {
        return Err(usage("nothing was written".to_owned()));
    }
    if changed {
        write(&file, &after).map_err(|error| usage(format!("{shown}: {error}")))?;
    }
    if context.json {
        let document = json!({ "file": shown, "name": install.name, "command": program, "args": args, "changed": changed });
        return Ok(say_json(&document, exit::SUCCESS));
    }
    let word = if changed { "written" } else { "unchanged" };
    Ok(say(
        &format!("{word}: {}\n", escape_control(&shown)),
        exit::SUCCESS,
    ))
}

/// The file that a client reads.
fn usual(context: &ActionsContext<'_>, client: Client) -> Result<PathBuf, String> {
    Ok(match client {
        Client::Claude => PathBuf::from(".mcp.json"),
        Client::Cursor => PathBuf::from(".cursor/mcp.json"),
        Client::Vscode => PathBuf::from(".vscode/mcp.json"),
        Client::Codex => {
            let home = context.environment.get("CODEX_HOME").map(PathBuf::from);
            let user = || Some(PathBuf::from(context.environment.get("HOME")?).join(".codex"));
            let folder = home
                .or_else(user)
                .ok_or("HOME is not set: name the file with --file")?;
            folder.join("config.toml")
        }
    })
}

fn read(file: &Path) -> io::Result<String> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
        Ok(found) if !found.is_file() => Err(io::Error::other("it is not a file")),
        Ok(found) if found.len() > MAX_FILE => Err(io::Error::other("it has more than 8 MiB")),
        Ok(_) => fs::read_to_string(file),
    }
}

/// The file with a table for this server at its end.
fn toml_with(before: &str, name: &str, program: &str, args: &[&str]) -> Result<String, String> {
    let document: toml::Table = before
        .parse()
        .map_err(|error: toml::de::Error| error.to_string())?;
    let wanted: Value = json!({ "command": program, "args": args });
    if let Some(old) = document.get("mcp_servers").and_then(|all| all.get(name)) {
        let same = serde_json::to_value(old).is_ok_and(|old| old == wanted);
        return match same {
            true => Ok(before.to_owned()),
            false => Err(format!(
                "it has another [mcp_servers.{name}]: remove that, or take another --name"
            )),
        };
    }
    let gap = match before {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    // A text in JSON is one in TOML, too, but for the escape of a slash, which serde_json never writes.
    let (program, args) = (json!(program), json!(args));
    let after = format!("{before}{gap}[mcp_servers.{name}]\ncommand = {program}\nargs = {args}\n");
    let reread: Result<toml::Table, _> = after.parse();
    reread.map_err(|error| error.to_string())?;
    Ok(after)
}

/// Shows the lines that come and go, and asks, unless the yes was typed already.
fn agreed(
    context: &ActionsContext<'_>,
    install: &Install,
    shown: &str,
    before: &str,
    after: &str,
) -> Result<bool, Ended> {
    let mut text = format!("{shown}:\n");
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let top = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - top;
    let end = old.iter().rev().zip(new.iter().rev());
    let end = end.take_while(|(a, b)| a == b).count().min(most);
    for (sign, lines) in [
        ("-", &old[top..old.len() - end]),
        ("+", &new[top..new.len() - end]),
    ] {
        for line in lines {
            text += &format!("{sign} {line}\n");
        }
    }
    let text = EscapedLines(text.trim_end()).to_string();
    io::stderr().write_all(text.as_bytes()).ok();
    if install.yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        let error = Problem::usage(format!("{shown} is not written without being asked"))
            .hinted("answer on a terminal, or say --yes");
        return Err(context.fail(&error, exit::USAGE));
    }
    io::stderr().write_all(b"Write it? [y/N] ").ok();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok();
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Writes all of it or nothing, with the mode that the file had.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let folder = match real.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&folder)?;
    let mut new = tempfile::NamedTempFile::new_in(&folder)?;
    new.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(&real) {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(&real).map_err(|error| error.error)?;
    Ok(())
}
