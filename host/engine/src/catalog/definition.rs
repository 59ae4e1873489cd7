//! One action as the team defined it, checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::RawDefinition;
use super::adapter::{Adapter, Input};
use super::cache_retry::ResultPolicy;
use super::contract::Contract;
use super::deps;
use super::effects::DeclaredEffects;
use super::error::{DefinitionError, Location};
use super::executor::{Executor, Language};
use super::fields::{Fields, collect_error};
use super::grants::Grants;
use super::limits::ActionLimits;
use super::mcp::{McpServer, McpTool};
use super::process_fields;
use super::secret_places;
use crate::json;
use crate::limits::ProcessLimits;
use crate::names::ActionName;
use crate::text::hex;
use crate::units::{ByteSize, TimeLimit};

/// The time limit of an action without `timeout`.
const DEFAULT_TIMEOUT: TimeLimit = TimeLimit::from_secs(300);

/// Bytes of JSON that the table of one definition may have.
const MAX_BODY: usize = 1 << 20;

/// Variables by which Kael tells an action of every executor which call it answers.
const CALL_VARIABLES: [&str; 4] = [
    "KAEL_IDEMPOTENCY_KEY",
    "KAEL_RUN",
    "KAEL_CALL",
    "KAEL_ATTEMPT",
];

/// Variables that Kael itself sets for an action.
const OWN_VARIABLES: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// Where an implementation comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder: absolute, or relative to the actions repo.
    Folder(PathBuf),
    /// A git repository, in any form that git accepts, and the tag, branch or commit to use.
    Git {
        /// `git@host:org/repo.git`, `https://…`, `ssh://…`.
        url: String,
        /// Without one, git's default branch.
        tag: Option<String>,
    },
}

/// One action.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Every name that the tree from `init.lua` gives the action. Scripts call it by the first.
    /// Without a name nothing can call it.
    pub names: Vec<ActionName>,
    /// Where it was defined.
    pub location: Location,
    /// What callers are promised.
    pub contract: Contract,
    /// How the program takes parameters and gives its result.
    pub adapter: Adapter,
    /// When results are reused and failed calls are tried again.
    pub reuse: ResultPolicy,
    /// What a call does to the world.
    pub effects: DeclaredEffects,
    /// The SHA-256 of the whole definition, in hexadecimal.
    pub digest: String,
    /// Where its implementation comes from.
    pub source: Source,
    /// The file to run, relative to `subdir`. Without one, envyr chooses.
    pub entrypoint: Option<String>,
    /// A folder within the source.
    pub subdir: Option<String>,
    /// What runs it.
    pub executor: Executor,
    /// Parameters that a script can override.
    pub defaults: Map<String, Value>,
    /// Parameters that a script cannot override.
    pub locked: Map<String, Value>,
    /// Names of host environment variables that the program sees, if they are set.
    pub env: Vec<String>,
    /// Names of secrets by the variables that the program sees them in.
    pub secrets: BTreeMap<String, String>,
    /// How long one call may take.
    pub timeout: TimeLimit,
    /// What its processes may use, with `executor = "native"`.
    pub process_limits: ProcessLimits,
    /// Files and folders that it may write besides its `TMPDIR`: absolute, below `~/`, or relative
    /// to the actions repo.
    pub writable: Vec<String>,
    /// Files and folders that it may read besides what it needs to run, named like those of
    /// `writable`. None: it reads what its user may.
    pub reads: Option<Vec<String>>,
    /// Needed only if the entry point does not show its language.
    pub language: Option<Language>,
    /// Needed only if the entry point does not name its interpreter.
    pub interpreter: Option<String>,
    /// Packages of Python that it needs, beside those that its source names.
    pub deps: Vec<String>,
    /// What one call may use.
    pub limits: ActionLimits,
    /// What a WebAssembly action is allowed to use of the machine.
    pub grants: Grants,
    /// The tool that is called, with `executor = "mcp"`.
    pub mcp: Option<McpTool>,
}

impl Definition {
    /// Whether the definition mentions a parameter in any field.
    #[must_use]
    pub fn names_parameter(&self, name: &str) -> bool {
        let schema = self.contract.params.as_ref();
        let properties = schema.and_then(|schema| schema.document().get("properties"));
        self.defaults.contains_key(name)
            || self.locked.contains_key(name)
            || properties.is_some_and(|all| all.get(name).is_some())
    }

    pub(super) fn parse(raw: &RawDefinition) -> Result<Self, Vec<DefinitionError>> {
        let at = &raw.location;
        let fail = |error: String| DefinitionError {
            location: at.clone(),
            error,
        };
        let names = raw.names.iter().map(|name| ActionName::new(name));
        let names = names
            .collect::<Result<_, _>>()
            .map_err(|error| vec![fail(error.to_string())])?;
        if let Some(error) = &raw.error {
            return Err(vec![fail(error.clone())]);
        }
        if raw.body.len() > MAX_BODY {
            let (has, may) = (
                ByteSize::new(raw.body.len() as u64),
                ByteSize::new(MAX_BODY as u64),
            );
            return Err(vec![fail(format!(
                "the table has {has} as JSON, and may have {may}"
            ))]);
        }
        let body =
            json::parse(raw.body.as_bytes()).map_err(|error| vec![fail(error.to_string())])?;
        let Value::Object(body) = body else {
            let error = "expected a table with names, got a list".to_owned();
            return Err(vec![fail(error)]);
        };
        let digest = digest(&body);
        let mut fields = Fields::new(at, body);
        // Collects every error, so that one check shows them all.
        let mut wrong = Vec::new();
        // Said behind what is wrong with the source, which it decides about.
        let mut about_executor = Vec::new();
        let executor = collect_error(&mut about_executor, executor(&mut fields));
        let (source, mcp) = match executor {
            Some(Executor::Mcp) => (None, McpTool::parse(&mut fields, &mut wrong)),
            _ => (collect_error(&mut wrong, source(&mut fields)), None),
        };
        wrong.append(&mut about_executor);
        let by = executor.unwrap_or(Executor::Native);
        let process_limits = match executor {
            Some(Executor::Native | Executor::Docker | Executor::Mcp) => {
                process_fields::limits(&mut fields, by, &mut wrong)
            }
            Some(Executor::Wasm | Executor::Builtin) | None => ProcessLimits::default(),
        };
        if executor.is_none() {
            // The executor is unknown, so no field can be judged: takes the fields of every
            // executor, so that they do not count as unknown.
            let mut unjudged = Vec::new();
            Grants::parse(&mut fields, &mut unjudged);
            fields.value("limits");
        }
        let (limits, grants) = match executor {
            Some(Executor::Wasm) => {
                only_native(&mut fields, &mut wrong);
                let limits = ActionLimits::parse(&mut fields, &mut wrong);
                (limits, Grants::parse(&mut fields, &mut wrong))
            }
            Some(Executor::Native | Executor::Docker | Executor::Builtin | Executor::Mcp) => {
                Grants::refuse(&mut fields, &mut wrong);
                Default::default()
            }
            None => Default::default(),
        };
        let language = collect_error(&mut wrong, language(&mut fields)).flatten();
        let mut reuse = ResultPolicy::parse(&mut fields, &mut wrong);
        let effects = DeclaredEffects::parse(&mut fields, &mut reuse, &mut wrong);
        let mut definition = Self {
            names,
            location: at.clone(),
            contract: Contract::parse(&mut fields, &mut wrong),
            adapter: Adapter::parse(&mut fields, &mut wrong),
            reuse,
            effects,
            digest,
            source: source.unwrap_or_else(|| Source::Folder(PathBuf::new())),
            entrypoint: collect_error(&mut wrong, inner_path(&mut fields, "entrypoint")).flatten(),
            subdir: collect_error(&mut wrong, inner_path(&mut fields, "subdir")).flatten(),
            executor: by,
            defaults: collect_error(&mut wrong, fields.object("defaults")).unwrap_or_default(),
            locked: collect_error(&mut wrong, fields.object("locked")).unwrap_or_default(),
            env: collect_error(&mut wrong, variables(&mut fields, by)).unwrap_or_default(),
            secrets: collect_error(&mut wrong, secrets(&mut fields, by)).unwrap_or_default(),
            timeout: collect_error(&mut wrong, fields.time("timeout"))
                .flatten()
                .unwrap_or(DEFAULT_TIMEOUT),
            process_limits,
            writable: collect_error(&mut wrong, process_fields::writable(&mut fields, by))
                .unwrap_or_default(),
            reads: collect_error(&mut wrong, process_fields::reads(&mut fields, by)).flatten(),
            language,
            interpreter: collect_error(&mut wrong, interpreter(&mut fields)).flatten(),
            deps: deps::parse(&mut fields, by, language, &mut wrong),
            limits,
            grants,
            mcp,
        };
        if let Some(McpTool {
            server: McpServer::Url(at),
            ..
        }) = &definition.mcp
            && let Some(secret) = &at.secret
        {
            let token = McpTool::TOKEN.to_owned();
            definition.secrets.insert(token, secret.clone());
        }
        if by == Executor::Wasm && definition.entrypoint.is_none() {
            wrong.push(fields.error(
                "entrypoint",
                "is missing: executor \"wasm\" wants the file named",
            ));
        }
        let (defaults, locked) = (&definition.defaults, &definition.locked);
        let contract = &definition.contract;
        contract.check_set(&fields, defaults, locked, &mut wrong);
        let adapter = &definition.adapter;
        adapter.check(&fields, contract, defaults, locked, &mut wrong);
        wrong.extend(definition.misused_secrets(&fields));
        if let Some(path) = overlap(defaults, locked) {
            wrong.push(fail(format!(
                "field 'defaults': `{path}` is in 'locked', too: keep it in one of them"
            )));
        }
        wrong.extend(fields.finish());
        if wrong.is_empty() {
            Ok(definition)
        } else {
            Err(wrong)
        }
    }
}

impl Definition {
    /// Secrets that would be seen where they must not be.
    fn misused_secrets(&self, fields: &Fields<'_>) -> Vec<DefinitionError> {
        let mut wrong = Vec::new();
        let by_variable = match self.adapter.input {
            Input::Json => None,
            Input::Env => Some(true),
            Input::Args | Input::Positional { .. } | Input::Argv(_) => Some(false),
        };
        let error = match (by_variable, self.executor) {
            (Some(false), _) => {
                Some("would be on the command line: use input = \"json\" or \"env\"")
            }
            (Some(true), Executor::Docker) => {
                Some("would be on the command line of docker: use input = \"json\"")
            }
            _ => None,
        };
        if let Some(error) = error.filter(|_| !self.contract.secret_params.is_empty()) {
            wrong.push(fields.error("params", &format!("a secret {error}")));
        }
        if !self.contract.secret_returns.is_empty() && self.reuse.cache.is_some() {
            let error = "is not for results that are secrets: they are kept for their run alone";
            wrong.push(fields.error("cache", error));
        }
        for variable in self.secrets.keys().filter(|name| self.env.contains(name)) {
            let error = format!("`{variable}` is in 'env', too: keep it in one of them");
            wrong.push(fields.error("secrets", &error));
        }
        wrong
    }
}

/// Reads `secrets`.
fn secrets(
    fields: &mut Fields<'_>,
    executor: Executor,
) -> Result<BTreeMap<String, String>, DefinitionError> {
    secret_places::bound(fields, executor, |fields, name| {
        check_variable(fields, "secrets", name, executor)
    })
}

/// serde_json sorts the keys, so equal definitions have equal digests.
fn digest(body: &Map<String, Value>) -> String {
    let text = serde_json::to_string(body).unwrap_or_default();
    hex(&Sha256::digest(text.as_bytes()))
}

fn source(fields: &mut Fields<'_>) -> Result<Source, DefinitionError> {
    // Takes both fields before it returns an error: a field that was never taken counts as unknown.
    let (text, tag) = (fields.required_string("source"), fields.string("tag"));
    let (text, tag) = (text?, tag?);
    if text.starts_with('-') || text.contains(['\0', '\n']) {
        return Err(fields.error(
            "source",
            "may not start with '-' or hold control characters",
        ));
    }
    if let Some(tag) = &tag
        && (tag.is_empty()
            || tag.starts_with('-')
            || tag.contains(|c: char| c.is_control() || c.is_whitespace()))
    {
        return Err(fields.error(
            "tag",
            &format!("`{}` is not a tag, branch or commit", tag.escape_debug()),
        ));
    }
    // git writes an SSH repository as `user@host:path`.
    let scp_like = text
        .split_once(':')
        .is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
    let with_scheme = ["git://", "https://", "http://", "ssh://", "file://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    if with_scheme || scp_like {
        return Ok(Source::Git { url: text, tag });
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(fields.error(
            "source",
            &format!("`{scheme}://` is neither a folder nor a git repository"),
        ));
    }
    if tag.is_some() {
        return Err(fields.error("tag", "is for git sources, and the source is a folder"));
    }
    Ok(Source::Folder(text.into()))
}

/// A path that stays inside the source: relative, without `..`, and not like an option.
fn inner_path(fields: &mut Fields<'_>, field: &str) -> Result<Option<String>, DefinitionError> {
    let Some(text) = fields.string(field)? else {
        return Ok(None);
    };
    let bad = text.is_empty()
        || text.starts_with(['-', '/'])
        || text.contains(|c: char| c.is_control())
        || text.split('/').any(|part| part == "..");
    if bad {
        let shown = text.escape_debug();
        return Err(fields.error(field, &format!("`{shown}` must be a path inside the source: relative, without '..' or a leading '-'")));
    }
    Ok(Some(text))
}

fn executor(fields: &mut Fields<'_>) -> Result<Executor, DefinitionError> {
    match fields.required_string("executor")?.as_str() {
        "native" => Ok(Executor::Native),
        "docker" => Ok(Executor::Docker),
        "wasm" => Ok(Executor::Wasm),
        "mcp" => Ok(Executor::Mcp),
        other => Err(fields.error(
            "executor",
            &format!(
                "`{}` is not one of \"native\", \"docker\", \"wasm\", \"mcp\"",
                other.escape_debug()
            ),
        )),
    }
}

/// Refuses the fields that say how a program starts: WebAssembly has no use for them.
fn only_native(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) {
    for field in ["type", "interpreter"] {
        if fields.value(field).is_some() {
            wrong.push(fields.error(field, "is not for executor \"wasm\""));
        }
    }
}

fn language(fields: &mut Fields<'_>) -> Result<Option<Language>, DefinitionError> {
    let Some(text) = fields.string("type")? else {
        return Ok(None);
    };
    let known = [
        Language::Python,
        Language::Node,
        Language::Shell,
        Language::Other,
    ];
    let found = known.into_iter().find(|language| language.name() == text);
    let failed = || {
        format!(
            "`{}` is not one of \"python\", \"node\", \"shell\", \"other\"",
            text.escape_debug()
        )
    };
    found
        .map(Some)
        .ok_or_else(|| fields.error("type", &failed()))
}

fn interpreter(fields: &mut Fields<'_>) -> Result<Option<String>, DefinitionError> {
    let text = fields.string("interpreter")?;
    if text.as_deref().is_some_and(|text| {
        text.trim().is_empty() || text.starts_with('-') || text.contains(['\0', '\n'])
    }) {
        return Err(fields.error(
            "interpreter",
            "must be a command such as \"/usr/bin/env python3\"",
        ));
    }
    Ok(text)
}

fn variables(fields: &mut Fields<'_>, executor: Executor) -> Result<Vec<String>, DefinitionError> {
    let names = fields.strings("env")?;
    for name in &names {
        check_variable(fields, "env", name, executor)?;
    }
    Ok(names)
}

/// Whether a field may name this variable.
fn check_variable(
    fields: &Fields<'_>,
    field: &str,
    name: &str,
    executor: Executor,
) -> Result<(), DefinitionError> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let shown = name.escape_debug();
        return Err(fields.error(field, &format!("`{shown}` is not the name of a variable")));
    }
    let own = executor != Executor::Wasm && OWN_VARIABLES.contains(&name);
    if own || CALL_VARIABLES.contains(&name) {
        return Err(fields.error(field, &format!("`{name}` is always set by Kael itself")));
    }
    Ok(())
}

/// The path of a key that both tables set.
fn overlap(defaults: &Map<String, Value>, locked: &Map<String, Value>) -> Option<String> {
    for (key, locked) in locked {
        match (defaults.get(key), locked) {
            (None, _) => {}
            (Some(Value::Object(defaults)), Value::Object(locked)) if !locked.is_empty() => {
                if let Some(inner) = overlap(defaults, locked) {
                    return Some(format!("{key}.{inner}"));
                }
            }
            (Some(_), _) => return Some(key.clone()),
        }
    }
    None
}

#[cfg(test)]
mod tests;
