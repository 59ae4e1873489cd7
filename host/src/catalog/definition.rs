//! One action as the team defined it, checked.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::RawDefinition;
use super::adapter::Adapter;
use super::confinement;
use super::contract::Contract;
use super::fields::{DefinitionError, Fields, noted};
use super::grants::Grants;
use super::limits::ActionLimits;
use super::reuse::Reuse;
use crate::json;
use crate::limits::ProcessLimits;
use crate::names::ActionName;
use crate::units::{ByteSize, TimeLimit};

/// How long an action may take when its definition does not say.
const DEFAULT_TIMEOUT: TimeLimit = TimeLimit::from_secs(300);

/// One definition's table may have this many bytes as JSON.
const MAX_BODY: usize = 1 << 20;

/// Variables that Kael itself sets for an action.
const OWN_VARIABLES: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// A place in a Lua file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file, as errors name it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Where an implementation comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder: absolute, or relative to the actions repo.
    Folder(PathBuf),
    /// A git repository, in any form that git takes, and the tag, branch or commit to use.
    Git {
        /// `git@host:org/repo.git`, `https://…`, `ssh://…`.
        url: String,
        /// The default branch when there is none.
        tag: Option<String>,
    },
}

/// What runs an implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// envyr, as a process of the machine.
    Native,
    /// envyr, in a container.
    Docker,
    /// Kael itself, in an instance of WebAssembly.
    Wasm,
}

impl Executor {
    /// The name that definitions use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Docker => "docker",
            Self::Wasm => "wasm",
        }
    }
}

/// The language of an entry point, in envyr's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Run in a virtual environment of the source's own.
    Python,
    /// Run after `npm install`.
    Node,
    /// Run by a shell.
    Shell,
    /// Run by whatever interpreter is named.
    Other,
}

impl Language {
    /// The name that definitions and envyr's `--type` use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Shell => "shell",
            Self::Other => "other",
        }
    }
}

/// One action.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Every name that the tree which `init.lua` returns gives it. It is called by the first; without one nothing can
    /// call it.
    pub names: Vec<ActionName>,
    /// Where it was defined.
    pub location: Location,
    /// What it says to those who call it.
    pub contract: Contract,
    /// How its program takes parameters and gives its result.
    pub adapter: Adapter,
    /// When results are used again and failures tried again.
    pub reuse: Reuse,
    /// The SHA-256 of all that the definition says, in hexadecimal.
    pub digest: String,
    /// Where its implementation comes from.
    pub source: Source,
    /// The file to run, relative to `subdir`; envyr's choice when there is none.
    pub entrypoint: Option<String>,
    /// A folder within the source.
    pub subdir: Option<String>,
    /// What runs it.
    pub executor: Executor,
    /// Parameters that a script can override.
    pub defaults: Map<String, Value>,
    /// Parameters that a script cannot override.
    pub locked: Map<String, Value>,
    /// Variables of the host's environment that the implementation sees, where they are set.
    pub env: Vec<String>,
    /// How long one call may take.
    pub timeout: TimeLimit,
    /// What its processes may use, with `executor = "native"`.
    pub process_limits: ProcessLimits,
    /// Files and folders that it may write, beside its `TMPDIR`: absolute, below `~/`, or relative to the actions repo.
    pub writable: Vec<String>,
    /// Only where the entry point does not say.
    pub language: Option<Language>,
    /// Only where the entry point does not say.
    pub interpreter: Option<String>,
    /// What one call may use.
    pub limits: ActionLimits,
    /// What an instance of WebAssembly is given.
    pub grants: Grants,
}

impl Definition {
    /// Whether the team names a parameter, in whichever place.
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
        let fail = |problem: String| DefinitionError {
            location: at.clone(),
            problem,
        };
        let names = raw.names.iter().map(|name| ActionName::new(name));
        let names = names
            .collect::<Result<_, _>>()
            .map_err(|problem| vec![fail(problem.to_string())])?;
        if let Some(problem) = &raw.problem {
            return Err(vec![fail(problem.clone())]);
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
            json::parse(raw.body.as_bytes()).map_err(|problem| vec![fail(problem.to_string())])?;
        let Value::Object(body) = body else {
            let problem = "expected a table with names, got a list".to_owned();
            return Err(vec![fail(problem)]);
        };
        let digest = digest(&body);
        let mut fields = Fields::new(at, body);
        // What is wrong with one field is noted and the next is looked at: one check shows all.
        let mut wrong = Vec::new();
        let source = noted(&mut wrong, source(&mut fields));
        let executor = noted(&mut wrong, executor(&mut fields));
        let by = executor.unwrap_or(Executor::Native);
        let process_limits = match executor {
            Some(Executor::Native | Executor::Docker) => {
                confinement::limits(&mut fields, by, &mut wrong)
            }
            Some(Executor::Wasm) | None => ProcessLimits::default(),
        };
        let (limits, grants) = match executor {
            Some(Executor::Wasm) => {
                only_native(&mut fields, &mut wrong);
                let limits = ActionLimits::parse(&mut fields, &mut wrong);
                (limits, Grants::parse(&mut fields, &mut wrong))
            }
            Some(Executor::Native | Executor::Docker) => {
                Grants::refuse(&mut fields, &mut wrong);
                Default::default()
            }
            None => Default::default(),
        };
        let definition = Self {
            names,
            location: at.clone(),
            contract: Contract::parse(&mut fields, &mut wrong),
            adapter: Adapter::parse(&mut fields, &mut wrong),
            reuse: Reuse::parse(&mut fields, &mut wrong),
            digest,
            source: source.unwrap_or_else(|| Source::Folder(PathBuf::new())),
            entrypoint: noted(&mut wrong, inner_path(&mut fields, "entrypoint")).flatten(),
            subdir: noted(&mut wrong, inner_path(&mut fields, "subdir")).flatten(),
            executor: by,
            defaults: noted(&mut wrong, fields.object("defaults")).unwrap_or_default(),
            locked: noted(&mut wrong, fields.object("locked")).unwrap_or_default(),
            env: noted(&mut wrong, variables(&mut fields, by)).unwrap_or_default(),
            timeout: noted(&mut wrong, fields.time("timeout"))
                .flatten()
                .unwrap_or(DEFAULT_TIMEOUT),
            process_limits,
            writable: noted(&mut wrong, confinement::writable(&mut fields, by)).unwrap_or_default(),
            language: noted(&mut wrong, language(&mut fields)).flatten(),
            interpreter: noted(&mut wrong, interpreter(&mut fields)).flatten(),
            limits,
            grants,
        };
        if by == Executor::Wasm && definition.entrypoint.is_none() {
            wrong.push(fields.error(
                "entrypoint",
                "is missing: executor \"wasm\" wants the file named",
            ));
        }
        let (defaults, locked) = (&definition.defaults, &definition.locked);
        let contract = &definition.contract;
        contract.check_set(&fields, defaults, locked, &mut wrong);
        if let Some(path) = overlap(defaults, locked) {
            wrong.push(fail(format!(
                "field 'defaults': `{path}` is in 'locked', too: keep it in one of them"
            )));
        }
        // Without an executor, what was not taken only seems to be unknown.
        if executor.is_some() {
            wrong.extend(fields.finish());
        }
        if wrong.is_empty() {
            Ok(definition)
        } else {
            Err(wrong)
        }
    }
}

/// Keys are sorted, so the same words have the same digest.
fn digest(body: &Map<String, Value>) -> String {
    let text = serde_json::to_string(body).unwrap_or_default();
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn source(fields: &mut Fields<'_>) -> Result<Source, DefinitionError> {
    // Both are taken before either may be wrong: what was not taken is unknown.
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
    // `user@host:path` is how git writes a repository over SSH.
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

/// A path that stays inside the source: relative, without `..`, and nothing a program could take for an option.
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
        other => Err(fields.error(
            "executor",
            &format!(
                "`{}` is none of \"native\", \"docker\", \"wasm\"",
                other.escape_debug()
            ),
        )),
    }
}

/// What says how a program of the machine is started has no meaning for WebAssembly.
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
    let problem = || {
        format!(
            "`{}` is none of \"python\", \"node\", \"shell\", \"other\"",
            text.escape_debug()
        )
    };
    found
        .map(Some)
        .ok_or_else(|| fields.error("type", &problem()))
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
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(fields.error(
                "env",
                &format!("`{}` is not the name of a variable", name.escape_debug()),
            ));
        }
        if executor != Executor::Wasm && OWN_VARIABLES.contains(&name.as_str()) {
            return Err(fields.error("env", &format!("`{name}` is always set by Kael itself")));
        }
    }
    Ok(names)
}

/// The path of a key that both hold.
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
mod tests {
    use super::*;
    use crate::units::ByteSize;

    fn parse(body: &str) -> Result<Definition, String> {
        let location = Location {
            file: "actions/a.lua".into(),
            line: 3,
        };
        Definition::parse(&RawDefinition {
            names: vec!["a.b".into()],
            location,
            body: body.into(),
            problem: None,
        })
        .map_err(|problems| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            all.join("\n")
        })
    }

    fn with(extra: &str) -> Result<Definition, String> {
        parse(&format!(
            r#"{{"source":"../impl","executor":"native"{extra}}}"#
        ))
    }

    #[test]
    fn a_definition_has_defaults() {
        let definition = with("").expect("valid");
        assert_eq!(definition.source, Source::Folder("../impl".into()));
        assert_eq!(definition.timeout, DEFAULT_TIMEOUT);
        assert!(
            definition.env.is_empty() && definition.defaults.is_empty() && definition.tag_is_none()
        );
    }

    impl Definition {
        fn tag_is_none(&self) -> bool {
            !matches!(self.source, Source::Git { tag: Some(_), .. })
        }
    }

    #[test]
    fn git_sources_are_told_from_folders() {
        for url in [
            "git@github.com:a/b.git",
            "https://x.org/a/b",
            "ssh://git@x.org/a/b.git",
            "git://x.org/a",
            "deploy@x.org:a/b",
        ] {
            let body = format!(r#"{{"source":"{url}","executor":"docker","tag":"v1"}}"#);
            let expected = Source::Git {
                url: url.into(),
                tag: Some("v1".into()),
            };
            assert_eq!(parse(&body).expect("valid").source, expected);
        }
        for path in ["git-tools", "./a:b", "/abs/a@b"] {
            let body = format!(r#"{{"source":"{path}","executor":"docker"}}"#);
            assert_eq!(
                parse(&body).expect("valid").source,
                Source::Folder(path.into())
            );
        }
    }

    #[test]
    fn each_field_is_checked() {
        let at = "actions/a.lua:3: define_action: ";
        for (body, problem) in [
            (r#"{"executor":"native"}"#, "field 'source' is missing"),
            (r#"{"source":"x"}"#, "field 'executor' is missing"),
            (
                r#"{"source":5,"executor":"native"}"#,
                "field 'source' must be a string, got a number",
            ),
            (
                r#"{"source":"-x","executor":"native"}"#,
                "field 'source' may not start with '-' or hold control characters",
            ),
            (
                r#"{"source":"ftp://x","executor":"native"}"#,
                "field 'source' `ftp://` is neither a folder nor a git repository",
            ),
            (
                r#"{"source":"x","executor":"lambda"}"#,
                "field 'executor' `lambda` is none of \"native\", \"docker\", \"wasm\"",
            ),
            (
                r#"{"source":"x","executor":"native","timeuot":5}"#,
                "unknown field 'timeuot' (did you mean 'timeout'?)",
            ),
            (
                r#"{"source":"x","executor":"native","zzz":5}"#,
                "unknown field 'zzz'",
            ),
            (
                r#"{"source":"x","executor":"native","tag":"v1"}"#,
                "field 'tag' is for git sources, and the source is a folder",
            ),
            (
                r#"{"source":"x","executor":"docker","limits":{"memory":"1GiB"}}"#,
                "field 'limits' is for native actions: a container is bounded by its engine",
            ),
            (
                r#"{"source":"x","executor":"docker","writable":["x"]}"#,
                "field 'writable' is for native actions: a container is bounded by its engine",
            ),
            (
                r#"{"source":"git@a:b","executor":"native","tag":"--x"}"#,
                "field 'tag' `--x` is not a tag, branch or commit",
            ),
        ] {
            assert_eq!(parse(body).expect_err(body), format!("{at}{problem}"));
        }
        for (extra, problem) in [
            (
                r#","timeout":"soon""#,
                "field 'timeout' `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)",
            ),
            (
                r#","timeout":-1"#,
                "field 'timeout' `-1` is out of range: a time is from 1 millisecond to 366 days",
            ),
            (
                r#","timeout":true"#,
                "field 'timeout' must be a number of seconds or a text such as \"5m\", got a boolean",
            ),
            (
                r#","defaults":[1]"#,
                "field 'defaults' must be a table with names, got a list",
            ),
            (
                r#","locked":"x""#,
                "field 'locked' must be a table with names, got a string",
            ),
            (
                r#","env":"HOME""#,
                "field 'env' must be a list of strings, got a string",
            ),
            (
                r#","env":["A B"]"#,
                "field 'env' `A B` is not the name of a variable",
            ),
            (
                r#","env":["A",5]"#,
                "field 'env' must be a list of strings, but element 2 is a number",
            ),
            (
                r#","env":["PATH"]"#,
                "field 'env' `PATH` is always set by Kael itself",
            ),
            (
                r#","limits":5"#,
                "field 'limits' must be a table with names, got a number",
            ),
            (
                r#","limits":{"memroy":"1GiB"}"#,
                "unknown field 'limits.memroy' (did you mean 'memory'?)",
            ),
            (
                r#","limits":{"memory":1073741824}"#,
                "field 'limits.memory' must be a text such as \"64MiB\", got a number",
            ),
            (
                r#","limits":{"memory":"1"}"#,
                "field 'limits.memory' `1` is not a size (write it like `64KiB`, `256MiB` or `1GiB`)",
            ),
            (
                r#","limits":{"memory":"1KiB"}"#,
                "field 'limits.memory' must be at least 16 MiB, got 1 KiB",
            ),
            (
                r#","limits":{"file_size":"9999TiB"}"#,
                "field 'limits.file_size' `9999TiB` is out of range: a size is from 1 byte to 1 TiB",
            ),
            (
                r#","limits":{"cpu":0}"#,
                "field 'limits.cpu' `0` is out of range: a time is from 1 millisecond to 366 days",
            ),
            (
                r#","limits":{"processes":-1}"#,
                "field 'limits.processes' must be a whole number from 4 to 100000, got -1",
            ),
            (
                r#","limits":{"processes":"many"}"#,
                "field 'limits.processes' must be a whole number from 4 to 100000, got a string",
            ),
            (
                r#","limits":{"open_files":1e9}"#,
                "field 'limits.open_files' must be a whole number from 16 to 1000000, got 1000000000.0",
            ),
            (
                r#","writable":"x""#,
                "field 'writable' must be a list of strings, got a string",
            ),
            (
                r#","writable":["a/../../x"]"#,
                "field 'writable' `a/../../x` may not hold '..': name what is outside of the actions folder by its whole path",
            ),
            (r#","writable":["/"]"#, "field 'writable' `/` is too much"),
            (r#","writable":[""]"#, "field 'writable' `` is not a path"),
            (
                r#","type":"perl""#,
                "field 'type' `perl` is none of \"python\", \"node\", \"shell\", \"other\"",
            ),
            (
                r#","interpreter":" ""#,
                "field 'interpreter' must be a command such as \"/usr/bin/env python3\"",
            ),
            (
                r#","subdir":"../x""#,
                "field 'subdir' `../x` must be a path inside the source: relative, without '..' or a leading '-'",
            ),
            (
                r#","entrypoint":"/bin/sh""#,
                "field 'entrypoint' `/bin/sh` must be a path inside the source: relative, without '..' or a leading '-'",
            ),
            (
                r#","defaults":{"a":{"b":1}},"locked":{"a":{"b":2}}"#,
                "field 'defaults': `a.b` is in 'locked', too: keep it in one of them",
            ),
            (
                r#","defaults":{"a":1},"locked":{"a":{"b":2}}"#,
                "field 'defaults': `a` is in 'locked', too: keep it in one of them",
            ),
        ] {
            assert_eq!(with(extra).expect_err(extra), format!("{at}{problem}"));
        }
    }

    #[test]
    fn a_wasm_action_is_given_what_its_fields_name() {
        let body = r#"{"source":"x","entrypoint":"a.wasm","executor":"wasm","env":["PATH"],
            "limits":{"memory":"64MiB","cpu":"5s"},"network":["Prometheus.internal:9090"],
            "dirs":{"/out":{"path":"/srv/out","mode":"read-write"},"/data":{"path":"./data"}},
            "sha256":"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"}"#;
        let definition = parse(body).expect("valid");
        assert_eq!(definition.limits.memory, Some(ByteSize::mib(64)));
        assert_eq!(definition.limits.cpu, Some(TimeLimit::from_secs(5)));
        let network: Vec<_> = definition
            .grants
            .network
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(network, ["prometheus.internal:9090"]);
        let dirs = definition.grants.dirs.iter();
        let dirs: Vec<_> = dirs
            .map(|dir| (dir.seen_as.as_str(), dir.writable))
            .collect();
        assert_eq!(dirs, [("/data", false), ("/out", true)]);
        assert!(
            definition
                .grants
                .sha256
                .is_some_and(|digest| digest.starts_with("e3b0"))
        );
    }

    #[test]
    fn each_field_of_a_wasm_action_is_checked() {
        let at = "actions/a.lua:3: define_action: ";
        let path = "must be named by an absolute path without '.' and '..', such as \"/data\"";
        for (extra, problem) in [
            (r#""dirs":["/data"]"#, "field 'dirs' must be a table with names, got a list".to_owned()),
            (r#""dirs":{"data":{"path":"x"}}"#, format!("field 'dirs[\"data\"]' {path}")),
            (r#""dirs":{"/a/../b":{"path":"x"}}"#, format!("field 'dirs[\"/a/../b\"]' {path}")),
            (r#""dirs":{"/a/":{"path":"x"}}"#, format!("field 'dirs[\"/a/\"]' {path}")),
            (
                r#""dirs":{"/a":"x"}"#,
                "field 'dirs[\"/a\"]' must be a table such as { path = \"./data\", mode = \"read\" }".to_owned(),
            ),
            (r#""dirs":{"/a":{"mode":"read"}}"#, "field 'dirs[\"/a\"].path' is missing".to_owned()),
            (
                r#""dirs":{"/a":{"path":"x","mode":"rw"}}"#,
                "field 'dirs[\"/a\"].mode' `rw` is none of \"read\", \"read-write\"".to_owned(),
            ),
            (
                r#""dirs":{"/a":{"path":"x","mod":"read"}}"#,
                "unknown field 'dirs[\"/a\"].mod' (did you mean 'mode'?)".to_owned(),
            ),
            (
                r#""network":["x"]"#,
                "field 'network' `x` is not a destination: it has no port (write it like `host:443`, `192.0.2.7:443`, \
                 `[2001:db8::7]:443` or `10.0.0.0/8:443`)"
                    .to_owned(),
            ),
            (r#""network":"x:1""#, "field 'network' must be a list of strings, got a string".to_owned()),
            (
                r#""sha256":"abc""#,
                "field 'sha256' must be 64 hexadecimal digits, as `sha256sum` prints them".to_owned(),
            ),
            (
                r#""limits":{"memory":64}"#,
                "field 'limits.memory' must be a text such as \"64MiB\", got a number".to_owned(),
            ),
            (
                r#""limits":{"memory":"64"}"#,
                "field 'limits.memory' `64` is not a size (write it like `64KiB`, `256MiB` or `1GiB`)".to_owned(),
            ),
            (
                r#""limits":{"processes":5}"#,
                "field 'limits.processes' is for native actions: with executor \"wasm\" there is `memory` and `cpu`".to_owned(),
            ),
            (r#""limits":{"mem":"64MiB"}"#, "unknown field 'limits.mem'".to_owned()),
            (r#""type":"other""#, "field 'type' is not for executor \"wasm\"".to_owned()),
        ] {
            let body = format!(r#"{{"source":"x","entrypoint":"a.wasm","executor":"wasm",{extra}}}"#);
            assert_eq!(parse(&body).expect_err(extra), format!("{at}{problem}"));
        }
        let problem = parse(r#"{"source":"x","executor":"wasm"}"#).expect_err("no file");
        assert_eq!(
            problem,
            format!("{at}field 'entrypoint' is missing: executor \"wasm\" wants the file named")
        );
        for field in [r#""dirs":{}"#, r#""network":[]"#, r#""sha256":"""#] {
            let name = field.split('"').nth(1).expect("a name");
            let problem = with(&format!(",{field}")).expect_err(field);
            assert_eq!(
                problem,
                format!("{at}field '{name}' is for executor \"wasm\" only")
            );
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_definition_comes_out_at_once() {
        let at = "actions/a.lua:3: define_action: ";
        let body = r#"{"source":5,"tag":"v1","executor":"native","timeout":"soon","input":5,"args_order":["a"],"cache":"x","retry":5,"zzz":1}"#;
        let fields: Vec<String> = parse(body)
            .expect_err("wrong")
            .lines()
            .map(|line| {
                let problem = line.strip_prefix(at).expect("a place");
                problem.split('\'').nth(1).expect("a field").to_owned()
            })
            .collect();
        assert_eq!(
            fields,
            ["source", "input", "cache", "retry", "timeout", "zzz"]
        );
        let body = r#"{"source":"x","executor":"wasm","entrypoint":"a.wasm","description":5,"params":5,"returns":"strng",
            "limits":{"memory":1,"cpu":"soon","mem":1,"processes":5},"network":["x","y"],"type":"other","interpreter":"x",
            "dirs":{"a":5,"/b":{"mode":"rw"}},"sha256":"x","one":1,"two":2}"#;
        let problems = parse(body).expect_err("wrong");
        let told: Vec<&str> = problems
            .lines()
            .map(|line| line.split('\'').nth(1).expect("a field"))
            .collect();
        let expected = "type interpreter limits.memory limits.cpu limits.processes limits.mem dirs[\"/b\"].path \
            dirs[\"/b\"].mode dirs[\"a\"] dirs[\"a\"] network network sha256 description params returns one two";
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn times_are_numbers_or_texts() {
        assert_eq!(
            with(r#","timeout":60"#).expect("valid").timeout,
            TimeLimit::from_secs(60)
        );
        assert_eq!(
            with(r#","timeout":"5m""#).expect("valid").timeout,
            TimeLimit::from_secs(300)
        );
    }

    #[test]
    fn lists_may_be_empty_tables() {
        assert!(
            with(r#","env":{},"defaults":{}"#)
                .expect("valid")
                .env
                .is_empty()
        );
    }
}
