//! What is wrong with what the definitions of a repo give for writing: to each other, to what they run, and to the policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Places, Refused, Use, judge_program, plain, real};
use crate::catalog::{Catalog, Definition, DefinitionError, Executor, McpServer, Source};
use crate::environment::Environment;

/// One thing that a definition gives for writing.
struct Given<'a> {
    definition: &'a Definition,
    /// How an error begins.
    field: String,
    path: PathBuf,
}

/// What is wrong with what the definitions of a repo give for writing and reading, as far as it is there already: looked
/// at when the repo loads, and again when an action runs. `hidden` says what is hidden from actions beside Kael's own.
pub(crate) fn problems(
    catalog: &Catalog,
    repo: &Path,
    environment: &Environment,
    hidden: impl FnOnce() -> Vec<PathBuf>,
) -> Vec<DefinitionError> {
    let places = Places::new(repo, environment);
    let gives =
        |definition: &Definition| definition.reads.is_some() || !definition.grants.dirs.is_empty();
    // To say what is hidden takes a look at files of the operator's. What is hidden in a `writable` folder, a native action
    // does not see.
    let judging = match catalog.iter().any(|(_, definition)| gives(definition)) {
        true => Places::new(repo, environment).hiding(hidden()),
        false => Places::new(repo, environment),
    };
    let mut problems = Vec::new();
    let mut wrong = |definition: &Definition, error: String| {
        let location = definition.location.clone();
        problems.push(DefinitionError { location, error });
    };
    let mut given: Vec<Given<'_>> = Vec::new();
    for (_, definition) in catalog.iter() {
        let writable = writable(definition).map(|given| (given, &places));
        let dirs = dirs(definition, true).map(|given| (given, &judging));
        for ((field, path), places) in writable.chain(dirs) {
            let path = match places.open(&path, Use::Write) {
                Ok(opened) => opened.path,
                Err(Refused::For(why)) => {
                    wrong(definition, format!("{field} {why}"));
                    continue;
                }
                Err(Refused::Missing) => match places.path_of(&path) {
                    Ok(path) => plain(&path),
                    Err(_) => continue,
                },
            };
            given.push(Given {
                definition,
                field,
                path,
            });
        }
    }
    for (definition, error) in wrong_reads(catalog, &judging) {
        wrong(definition, error);
    }
    // What holds others comes right before them.
    given.sort_by(|a, b| a.path.cmp(&b.path));
    let mut outer: Option<&Given<'_>> = None;
    for inner in &given {
        match outer {
            Some(outer) if inner.path == outer.path => {}
            Some(outer) if inner.path.starts_with(&outer.path) => {
                let (field, whose) = (&inner.field, &outer.definition.location);
                let path = outer.path.display();
                wrong(
                    inner.definition,
                    format!(
                        "{field} lies in {path}, which is given for writing at {whose}: give one of the two, or move it out"
                    ),
                );
            }
            _ => outer = Some(inner),
        }
    }
    // Looking up every source takes its time, and most repos give nothing for writing.
    let sources = match given.is_empty() {
        true => BTreeMap::new(),
        false => sources(catalog, repo),
    };
    let state = places.state();
    for (_, definition) in catalog.iter().filter(|_| !given.is_empty()) {
        for (field, path) in trusted(definition, repo, &sources) {
            if let Err(why) = judge_program(&places.repo, &path) {
                wrong(definition, format!("{field} {why}"));
            }
            let meeting = |given: &&Given<'_>| {
                let inside = given.path.starts_with(&path) && !given.path.starts_with(&state);
                path.starts_with(&given.path) || inside
            };
            if let Some(given) = given.iter().find(meeting) {
                let (name, path) = (&given.field, path.display());
                let at = &definition.location;
                wrong(
                    given.definition,
                    format!(
                        "{name} meets {path}, which an action runs (defined at {at}): give a folder outside of it"
                    ),
                );
            }
        }
    }
    problems
}

/// What is wrong with what the definitions of a repo give for reading.
fn wrong_reads<'a>(catalog: &'a Catalog, places: &Places) -> Vec<(&'a Definition, String)> {
    let given = catalog.iter().flat_map(|(_, definition)| {
        let given = for_reading(definition).into_iter();
        given.map(move |(field, path)| (definition, field, path))
    });
    let wrong = given.filter_map(|(definition, field, path)| {
        let judged = match places.open(&path, Use::Read) {
            Err(Refused::Missing) => places
                .path_of(&path)
                .and_then(|path| places.judge_path(&real(&plain(&path)), Use::Read)),
            Err(Refused::For(why)) => Err(why),
            Ok(_) => Ok(()),
        };
        let why = judged.err()?;
        Some((definition, format!("{field} {why}")))
    });
    wrong.collect()
}

/// What a definition gives for reading alone: how errors name it, and its path.
fn for_reading(definition: &Definition) -> Vec<(String, String)> {
    let reads = definition.reads.iter().flatten();
    let reads = reads.map(|path| (format!("field 'reads' `{path}`"), path.clone()));
    reads.chain(dirs(definition, false)).collect()
}

/// What the definitions of a repo give for writing that holds one of these files: those of the policy, and the audit log.
pub(crate) fn holding(
    files: &[PathBuf],
    catalog: &Catalog,
    repo: &Path,
    environment: &Environment,
) -> Vec<DefinitionError> {
    let places = Places::new(repo, environment);
    // A link is replaced where it lies, and what it leads to where that is.
    let by_link = |file: &PathBuf| {
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => real(folder),
            _ => real(Path::new(".")),
        };
        folder.join(file.file_name().unwrap_or_default())
    };
    let guarded: Vec<PathBuf> = files
        .iter()
        .flat_map(|file| [real(file), by_link(file)])
        .collect();
    let mut problems = Vec::new();
    for (_, definition) in catalog.iter() {
        for (field, path) in for_writing(definition) {
            let path = match places.open(&path, Use::Write) {
                Ok(opened) => opened.path,
                Err(_) => match places.path_of(&path) {
                    Ok(path) => plain(&path),
                    Err(_) => continue,
                },
            };
            if let Some(file) = guarded.iter().find(|file| file.starts_with(&path)) {
                problems.push(DefinitionError {
                    location: definition.location.clone(),
                    error: format!(
                        "{field} holds {}, which no action may rewrite: keep policies and audit logs elsewhere",
                        file.display()
                    ),
                });
            }
        }
    }
    problems
}

/// What a definition gives for writing: how errors name it, and its path.
fn for_writing(definition: &Definition) -> Vec<(String, String)> {
    writable(definition).chain(dirs(definition, true)).collect()
}

/// What a native action may write.
fn writable(definition: &Definition) -> impl Iterator<Item = (String, String)> {
    let writable = definition.writable.iter();
    writable.map(|path| (format!("field 'writable' `{path}`"), path.clone()))
}

/// The folders of WebAssembly that are given for writing, or those for reading alone.
fn dirs(definition: &Definition, writable: bool) -> impl Iterator<Item = (String, String)> {
    let dirs = definition.grants.dirs.iter();
    let dirs = dirs.filter(move |dir| dir.writable == writable);
    dirs.map(|dir| {
        let path = dir.path.to_string_lossy().into_owned();
        (format!("field 'dirs[\"{}\"]' `{path}`", dir.seen_as), path)
    })
}

/// The folders of a catalog's sources by their real paths, as far as they are on this machine.
fn sources<'a>(catalog: &'a Catalog, repo: &Path) -> BTreeMap<&'a Path, PathBuf> {
    let mut sources = BTreeMap::new();
    for (_, definition) in catalog.iter() {
        if let Source::Folder(path) = &definition.source
            && definition.mcp.is_none()
        {
            let place = || real(&repo.join(path));
            sources.entry(path.as_path()).or_insert_with(place);
        }
    }
    sources
}

/// What a definition runs, as far as that is known before it runs, outside of Kael's own folders.
fn trusted(
    definition: &Definition,
    repo: &Path,
    sources: &BTreeMap<&Path, PathBuf>,
) -> Vec<(&'static str, PathBuf)> {
    let mut trusted = Vec::new();
    if let Source::Folder(path) = &definition.source
        && definition.mcp.is_none()
        && let Some(source) = sources.get(path.as_path())
    {
        let mut file = source.join(definition.subdir.as_deref().unwrap_or_default());
        file.push(definition.entrypoint.as_deref().unwrap_or_default());
        trusted.push(("field 'source'", source.clone()));
        trusted.push(("field 'entrypoint'", plain(&file)));
    }
    let server = match definition.mcp.as_ref().map(|tool| &tool.server) {
        Some(McpServer::Command(words)) => words.first(),
        _ => None,
    };
    // One without a slash is looked for on `PATH`.
    if let Some(program) = server.filter(|program| program.contains('/')) {
        trusted.push(("field 'command'", real(&repo.join(program))));
    }
    if definition.executor == Executor::Native {
        let interpreter = definition.interpreter.as_deref().unwrap_or_default();
        let program = interpreter.split_whitespace().next().unwrap_or_default();
        if program.starts_with('/') {
            trusted.push(("field 'interpreter'", real(Path::new(program))));
        }
    }
    trusted
}
