//! `kael-host actions describe`: prints everything about one action.

use serde_json::{Map, Value, json};

use super::{ActionsContext, Ended, code, list};
use crate::args::Bounds;
use crate::deciding_rule;
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{Look, Paint, say, say_json};
use kael_authoring::lua;
use kael_engine::catalog::{Catalog, Definition, Input, Schema, Source};
use kael_engine::executor::source::Implementation;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::gate::Policy;
use kael_engine::names::ActionName;
use kael_engine::policy::Source as PolicySource;

pub(super) fn run(context: &ActionsContext<'_>, name: &str) -> u8 {
    code(described(context, name))
}

fn described(context: &ActionsContext<'_>, name: &str) -> Result<u8, Ended> {
    let repo = list::load(context)?;
    let Some((name, definition)) = find(&repo.catalog, name) else {
        return Err(context.fail(&unknown(&repo.catalog, name), exit::USAGE));
    };
    let (settings, _) = context.settings_with(Bounds::default())?;
    let policy = repo
        .policy(&settings.policy)
        .map_err(|error| context.load_error(&error.into()))?;
    let looked = context.wait(repo.executors().look(definition, false))?;
    if context.json {
        let mut document = document(name, definition, looked);
        document["policy"] = rules(&policy, definition)
            .into_iter()
            .map(|(source, depends)| {
                let mut told = deciding_rule::document(source);
                told["depends_on_call"] = depends.into();
                told
            })
            .collect();
        return Ok(say_json(&document, exit::SUCCESS));
    }
    let mut out = text(context.paint, name, definition, &looked);
    for (at, (source, depends)) in rules(&policy, definition).into_iter().enumerate() {
        let label = if at == 0 { "policy" } else { "" };
        let label = context.paint.text(Look::Faint, &format!("{label:<10}"));
        let depends = if depends {
            ", depending on the call"
        } else {
            ""
        };
        out += &format!(
            "{label}  {}\n",
            escape_control(&format!("{source}{depends}"))
        );
    }
    Ok(say(&out, exit::SUCCESS))
}

/// The rules that can concern an action; those after one that always decides never do.
fn rules<'a>(policy: &'a Policy, definition: &Definition) -> Vec<(&'a PolicySource, bool)> {
    let rulebook = policy.rulebook.as_ref();
    rulebook.map_or_else(Vec::new, |rulebook| rulebook.concerning(definition))
}

/// The action that has this name among its names.
pub(crate) fn find<'a>(
    catalog: &'a Catalog,
    name: &str,
) -> Option<(&'a ActionName, &'a Definition)> {
    catalog
        .iter()
        .find(|(_, definition)| definition.names.iter().any(|known| known.as_str() == name))
}

/// The error for a name that no action has.
pub(crate) fn unknown(catalog: &Catalog, name: &str) -> Problem {
    let error = ActionError::new(ErrorKind::UnknownAction, catalog.unknown_action(name));
    Problem::of_action(name, &error).hinted("see kael-host actions list")
}

/// The template of its command line, if any.
fn argv(definition: &Definition) -> Option<Value> {
    match &definition.adapter.input {
        Input::Argv(template) => Some(template.document()),
        _ => None,
    }
}

fn source(definition: &Definition) -> String {
    if let Some(tool) = &definition.mcp {
        return tool.server.shown();
    }
    match &definition.source {
        Source::Folder(path) => path.display().to_string(),
        Source::Git { url, tag: None } => url.clone(),
        Source::Git {
            url,
            tag: Some(tag),
        } => format!("{url} at {tag}"),
    }
}

fn document(
    name: &ActionName,
    definition: &Definition,
    looked: Result<Option<Implementation>, ActionError>,
) -> Value {
    let error = looked.as_ref().err().map(|error| error.message.clone());
    let found = looked.ok().flatten();
    let runner = found.as_ref().and_then(|found| found.runner);
    let packages = found.as_ref().map(|found| found.packages.clone());
    let packages = packages.unwrap_or_default();
    let schema = |schema: &Option<std::sync::Arc<Schema>>| {
        schema.as_ref().map(|schema| schema.document().clone())
    };
    json!({
        "name": name.as_str(),
        "names": definition.names.iter().map(ActionName::as_str).collect::<Vec<_>>(),
        "description": definition.contract.description,
        "file": definition.location.file,
        "line": definition.location.line,
        "source": source(definition),
        "subdir": definition.subdir,
        "entrypoint": found.as_ref().map(|found| found.file.clone()).or_else(|| definition.entrypoint.clone()),
        "language": found.as_ref().map(|found| found.language.name()),
        "imports": found.as_ref().map(|found| found.imports.clone()).unwrap_or_default(),
        "problem": error,
        "interpreter": found.map(|found| found.interpreter),
        "executor": definition.executor.name(),
        "runner": runner,
        "packages": packages,
        "effects": definition.effects.kind.name(),
        "effects_assumed": definition.effects.is_assumed,
        "input": definition.adapter.names().0,
        "output": definition.adapter.names().1,
        "argv": argv(definition),
        "ok_exit": definition.adapter.ok_exit,
        "with_status": definition.adapter.with_status,
        "defaults": definition.defaults,
        "locked": definition.locked,
        "env": definition.env,
        "secrets": definition.secrets,
        "writable": definition.writable,
        "reads": definition.reads,
        "timeout_seconds": definition.timeout.duration().as_secs_f64(),
        "params": schema(&definition.contract.params),
        "returns": schema(&definition.contract.returns),
        "example": definition.contract.example,
        "call": lua::example_call(name, definition),
    })
}

/// The description for a person.
pub(crate) fn text(
    paint: Paint,
    name: &ActionName,
    definition: &Definition,
    looked: &Result<Option<Implementation>, ActionError>,
) -> String {
    let mut out = format!("{}\n", paint.text(Look::Strong, name.as_str()));
    if let Some(description) = &definition.contract.description {
        for line in description.lines() {
            out += &format!("  {}\n", escape_control(line));
        }
    }
    out.push('\n');
    let mut row = |label: &str, value: &str| {
        if !value.is_empty() {
            let label = paint.text(Look::Faint, &format!("{label:<10}"));
            out += &format!("{label}  {}\n", escape_control(value));
        }
    };
    let others: Vec<&str> = definition
        .names
        .iter()
        .map(ActionName::as_str)
        .filter(|n| *n != name.as_str())
        .collect();
    row("also", &others.join(", "));
    row("defined", &definition.location.to_string());
    row("source", &source(definition));
    row("subdir", definition.subdir.as_deref().unwrap_or_default());
    match looked {
        Ok(Some(found)) => {
            let by = format!(
                "{} ({}, {})",
                found.file,
                found.language.name(),
                found.interpreter
            );
            row("runs", &by);
            row("packages", &found.packages.join(", "));
            row("imports", &found.imports.join(", "));
        }
        Ok(None) => {
            row("runs", definition.entrypoint.as_deref().unwrap_or_default());
            row("", "the repository was not fetched yet");
        }
        Err(error) => row("problem", &error.message),
    }
    row(
        "effects",
        &match definition.effects.is_assumed {
            true => format!("{} (assumed)", definition.effects.kind.name()),
            false => definition.effects.kind.name().to_owned(),
        },
    );
    let runner = looked
        .as_ref()
        .ok()
        .and_then(|found| found.as_ref()?.runner);
    let executor = definition.executor.name();
    match runner.filter(|runner| *runner != executor) {
        Some(runner) => row("executor", &format!("{executor}, by the runner {runner}")),
        None => row("executor", executor),
    }
    let network = definition.grants.network.iter().map(ToString::to_string);
    row("network", &network.collect::<Vec<_>>().join(", "));
    for dir in &definition.grants.dirs {
        let mode = if dir.writable { "read-write" } else { "read" };
        let folder = format!("{} is {} ({mode})", dir.seen_as, dir.path.display());
        row("dirs", &folder);
    }
    let (input, output) = definition.adapter.names();
    if (input, output) != ("json", "json") {
        row("takes", &format!("{input}, gives {output}"));
    }
    if let Some(argv) = argv(definition) {
        row("argv", &lua::literal(&argv));
    }
    if !definition.adapter.ok_exit.is_empty() {
        let statuses = definition.adapter.ok_exit.iter().map(i32::to_string);
        let status = if definition.adapter.with_status {
            "; the result has the status"
        } else {
            ""
        };
        row(
            "answers",
            &format!(
                "exit statuses {}{status}",
                statuses.collect::<Vec<_>>().join(", ")
            ),
        );
    }
    row("timeout", &definition.timeout.to_string());
    row("writes", &definition.writable.join(", "));
    if let Some(reads) = &definition.reads {
        let named = match reads.is_empty() {
            true => "only what it needs to run".to_owned(),
            false => format!("{}, and what it needs to run", reads.join(", ")),
        };
        row("reads", &named);
    }
    row("env", &definition.env.join(", "));
    let secrets = definition.secrets.iter();
    let secrets: Vec<String> = secrets
        .map(|(variable, name)| format!("{variable} = {name}"))
        .collect();
    row("secrets", &secrets.join(", "));
    row("defaults", &table(&definition.defaults));
    row("locked", &table(&definition.locked));
    for (label, schema) in [
        ("params", &definition.contract.params),
        ("returns", &definition.contract.returns),
    ] {
        let Some(schema) = schema else { continue };
        let mut lines = fields(schema.document()).into_iter();
        row(label, &lines.next().unwrap_or_else(|| "none".to_owned()));
        for line in lines {
            row("", &line);
        }
    }
    if let Some(example) = &definition.contract.example {
        row("example", &lua::literal(example));
    }
    out += &format!(
        "\n{}\n",
        paint.text(Look::Good, &lua::example_call(name, definition))
    );
    out
}

fn table(values: &Map<String, Value>) -> String {
    if values.is_empty() {
        return String::new();
    }
    lua::literal(&Value::Object(values.clone()))
}

/// The fields of an object schema, one per line. Any other schema on one line.
fn fields(schema: &Value) -> Vec<String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return vec![kind(schema)];
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let column = properties
        .keys()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let line = |(name, schema): (&String, &Value)| {
        let optional = if required.contains(&name.as_str()) {
            ""
        } else {
            "?"
        };
        let words = schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let pad = " ".repeat(column - name.chars().count());
        format!("{name}{pad}  {}{optional}  {words}", kind(schema))
            .trim_end()
            .to_owned()
    };
    properties.iter().map(line).collect()
}

/// The type of a value in the short form.
fn kind(schema: &Value) -> String {
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        let all: Vec<String> = options.iter().take(10).map(lua::literal).collect();
        return all.join(" | ");
    }
    for list in ["anyOf", "oneOf"] {
        if let Some(options) = schema.get(list).and_then(Value::as_array) {
            return options.iter().map(kind).collect::<Vec<_>>().join("|");
        }
    }
    let name = |name: &str| match name {
        "object" => "table".to_owned(),
        "array" => match schema.get("items") {
            Some(items) if items.is_object() => format!("{}[]", kind(items)),
            _ => "list".to_owned(),
        },
        other => other.to_owned(),
    };
    let base = match schema.get("type") {
        Some(Value::String(one)) => name(one),
        Some(Value::Array(several)) => {
            let names: Vec<String> = several.iter().filter_map(Value::as_str).map(name).collect();
            names.join("|")
        }
        _ => "any".to_owned(),
    };
    let bound =
        |keyword: &str, sign: &str| schema.get(keyword).map(|limit| format!(" {sign} {limit}"));
    let bounds: String = [bound("minimum", ">="), bound("maximum", "<=")]
        .into_iter()
        .flatten()
        .collect();
    format!("{base}{bounds}")
}
