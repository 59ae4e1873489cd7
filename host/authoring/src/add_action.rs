//! Writes the definition of an action from its implementation, and adds it to the repo's tree.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{ChangeError, Undo, load_valid, lua, tree, verify_change};
use kael_engine::catalog::{Catalog, Definition, Location, RawDefinition};
use kael_engine::executor::source::Implementation;
use kael_engine::executor::unblocked;
use kael_engine::limits::Limits;
use kael_engine::names::ActionName;
use kael_engine::runtime::{Repo, Runtime};

/// Bytes of a team's file that are read for what a definition says.
const MAX_READ: u64 = 1 << 20;

/// The action to add.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// A folder, a file, or a git repository.
    pub source: String,
    /// The namespace in the tree, such as `ops.reports`. Empty for the root.
    pub namespace: String,
    /// The action's name. None: the name of the entry point.
    pub name: Option<String>,
    /// The file to run, if there are several.
    pub entrypoint: Option<String>,
    /// A folder within the source.
    pub subdir: Option<String>,
    /// The tag, branch or commit of a git source.
    pub tag: Option<String>,
    /// `native` or `docker`.
    pub executor: String,
}

/// The added action.
#[derive(Debug)]
pub struct Added {
    /// The name by which scripts call it.
    pub name: ActionName,
    /// The new file.
    pub file: PathBuf,
    /// Existing files that were changed.
    pub changed: Vec<PathBuf>,
    /// The entry point that was found in the source.
    pub found: Implementation,
    /// The file that lists its requirements, and the list.
    pub needs: Option<(String, Vec<String>)>,
}

/// Adds an action to the repo in `folder`.
///
/// # Errors
/// When the source has no entry point, the name is taken, or the repo would not be valid. Then
/// nothing is changed.
pub async fn add(
    runtime: &Runtime,
    limits: &Limits,
    folder: &Path,
    wanted: &Wanted,
) -> Result<Added, ChangeError> {
    let repo = load_valid(runtime, folder, limits).await?;
    let (source, entrypoint) = located(&repo.bundle.root, wanted);
    let found = implementation(&repo, wanted, &source, entrypoint.as_deref()).await?;
    let own = wanted
        .name
        .clone()
        .unwrap_or_else(|| name_of(&found, &source));
    let dotted = match wanted.namespace.trim_matches('.') {
        "" => own.clone(),
        namespace => format!("{namespace}.{own}"),
    };
    let name = ActionName::new(&dotted)?;
    if let Some(definition) = repo.catalog.get(name.as_str()) {
        let at = &definition.location;
        return Err(ChangeError::Taken(format!(
            "`{name}` is defined at {at} already (--name gives it another)"
        )));
    }
    let needs = requirements(&found.folder);
    let text = definition_text(wanted, &source, &found, needs.as_ref());
    let mut undo = Undo::default();
    let written = write(&repo, &name, &text, &mut undo);
    let (file, changed) = match written {
        Ok(written) => written,
        Err(error) => {
            undo.undo();
            return Err(error);
        }
    };
    let verified = verify_change(runtime, folder, limits, &repo, Some(name.as_str()), &[]).await;
    if let Err(why) = verified {
        undo.undo();
        return Err(ChangeError::ByHand(format!(
            "the repo's tree is written in a way of its own ({why}); nothing was changed. The definition would be:\n{text}"
        )));
    }
    Ok(Added {
        name,
        file,
        changed,
        found,
        needs,
    })
}

/// The source as the definition writes it, and the entry point if the source names a file.
fn located(root: &Path, wanted: &Wanted) -> (String, Option<String>) {
    let entrypoint = wanted.entrypoint.clone();
    let Ok(path) = Path::new(&wanted.source).canonicalize() else {
        // A git repository, or a text that the check of the definition will refuse.
        return (wanted.source.clone(), entrypoint);
    };
    let (folder, entrypoint) = match (path.is_file(), path.parent(), path.file_name()) {
        (true, Some(folder), Some(file)) => {
            (folder.to_owned(), Some(file.to_string_lossy().into_owned()))
        }
        _ => (path, entrypoint),
    };
    (relative(root, &folder), entrypoint)
}

/// The folder relative to the repo if it is close, so that both can be moved together.
fn relative(root: &Path, folder: &Path) -> String {
    let absolute = folder.to_string_lossy().into_owned();
    for (ups, base) in root.ancestors().enumerate().take(3) {
        if base.parent().is_none() {
            break;
        }
        if let Ok(below) = folder.strip_prefix(base) {
            let below = below.to_string_lossy();
            return match (ups, below.is_empty()) {
                (0, true) => ".".to_owned(),
                (_, true) => vec![".."; ups].join("/"),
                (_, false) => format!("{}{below}", "../".repeat(ups)),
            };
        }
    }
    absolute
}

/// Finds the entry point in the source, by the rules for definitions.
async fn implementation(
    repo: &Repo,
    wanted: &Wanted,
    source: &str,
    entrypoint: Option<&str>,
) -> Result<Implementation, ChangeError> {
    let mut body = json!({ "source": source, "executor": wanted.executor });
    for (field, value) in [
        ("entrypoint", entrypoint),
        ("subdir", wanted.subdir.as_deref()),
        ("tag", wanted.tag.as_deref()),
    ] {
        if let Some(value) = value {
            body[field] = json!(value);
        }
    }
    let raw = RawDefinition {
        names: vec!["new".to_owned()],
        location: Location {
            file: String::new(),
            line: 0,
        },
        body: body.to_string(),
        error: None,
    };
    let catalog = Catalog::new(&[raw]).map_err(|problems| {
        let all: Vec<String> = problems.into_iter().map(|error| error.error).collect();
        ChangeError::Unfit(all.join("; "))
    })?;
    let unfit = |why: String| ChangeError::Unfit(why);
    let definition: &Definition = catalog
        .get("new")
        .ok_or_else(|| unfit("the definition was lost".to_owned()))?;
    let looked = repo.executors().look(definition, true).await;
    let found = looked.map_err(|error| {
        unfit(
            error
                .message
                .replace("set `entrypoint`", "choose with --entrypoint"),
        )
    })?;
    found.ok_or_else(|| unfit(format!("`{source}` could not be fetched")))
}

/// The name of the entry point, or of the folder if the entry point has a generic name.
fn name_of(found: &Implementation, source: &str) -> String {
    let stem = Path::new(&found.file)
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let general = ["main", "index", "run", "app", "__main__", "cli", "start"];
    let chosen = if general.contains(&stem.as_str()) {
        let last = source.trim_end_matches('/').rsplit(['/', ':']).next();
        let folder = last.unwrap_or_default().trim_end_matches(".git");
        if folder.is_empty() || folder.starts_with('.') {
            found
                .folder
                .file_name()
                .map_or(stem, |name| name.to_string_lossy().into_owned())
        } else {
            folder.to_owned()
        }
    } else {
        stem
    };
    let word = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    chosen.chars().map(word).collect()
}

/// The requirements that a source lists.
fn requirements(folder: &Path) -> Option<(String, Vec<String>)> {
    let read = |name: &str| unblocked::text(&folder.join(name), MAX_READ);
    if let Ok(text) = read("requirements.txt") {
        let names = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty() && !line.starts_with('-'))
            .map(str::to_owned)
            .collect();
        return Some(("requirements.txt".to_owned(), names));
    }
    let text = read("package.json").ok()?;
    let manifest: serde_json::Value = serde_json::from_str(&text).ok()?;
    let names = manifest
        .get("dependencies")
        .and_then(|all| all.as_object())
        .map(|all| all.keys().cloned().collect())
        .unwrap_or_default();
    Some(("package.json".to_owned(), names))
}

/// The first line of the comment or docstring at the top of the entry point.
fn summary(found: &Implementation) -> Option<String> {
    let text = unblocked::text(&found.folder.join(&found.file), MAX_READ).ok()?;
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with("#!"))?;
    let said = ["#", "//", "\"\"\"", "'''", "--"]
        .iter()
        .find_map(|mark| first.strip_prefix(mark))?;
    let said = said
        .trim_start_matches(['#', '/', '*', ' '])
        .trim_end_matches(['"', '\'', ' ']);
    (said.len() > 3).then(|| said.chars().take(120).collect())
}

fn definition_text(
    wanted: &Wanted,
    source: &str,
    found: &Implementation,
    needs: Option<&(String, Vec<String>)>,
) -> String {
    let file = found.file.trim_start_matches("./");
    let mut out = String::new();
    if let Some((manifest, names)) = needs {
        let list = match names.is_empty() {
            true => "nothing".to_owned(),
            false => names.join(", "),
        };
        out += &format!(
            "-- {manifest} asks for: {}\n",
            list.replace(['\n', '\r'], " ")
        );
    }
    let description = summary(found).unwrap_or_else(|| format!("Runs {file}."));
    out += "return define_action({\n";
    out += &format!("  description = {},\n", lua::quote(&description));
    out += &format!("  source = {},\n", lua::quote(source));
    if let Some(tag) = &wanted.tag {
        out += &format!("  tag = {},\n", lua::quote(tag));
    }
    if let Some(subdir) = &wanted.subdir {
        out += &format!("  subdir = {},\n", lua::quote(subdir));
    }
    out += &format!(
        "  entrypoint = {}, -- {}, run by {}\n",
        lua::quote(file),
        found.language.name(),
        found.interpreter.replace(['\n', '\r'], " ")
    );
    out += &format!("  executor = {},\n", lua::quote(&wanted.executor));
    out += "  params = {\n    type = \"object\",\n    properties = {\n      -- limit = { type = \"integer\", minimum = 1, description = \"How many at most.\" },\n    },\n    required = {},\n  },\n";
    out += "  -- returns = { rows = { { name = \"string\", value = \"number\" } } },\n  timeout = \"60s\",\n})\n";
    out
}

/// Writes the file, and the files of the tree that lead to it.
fn write(
    repo: &Repo,
    name: &ActionName,
    text: &str,
    undo: &mut Undo,
) -> Result<(PathBuf, Vec<PathBuf>), ChangeError> {
    let root = &repo.bundle.root;
    let module = |name: &str| {
        repo.bundle
            .modules
            .iter()
            .find(|module| module.name == name)
    };
    let parts: Vec<&str> = name.as_str().split('.').collect();
    if module(name.as_str()).is_some() {
        return Err(ChangeError::Taken(format!(
            "the repo has a file for `{name}` that defines no such action"
        )));
    }
    let mut changed = Vec::new();
    let (mut file, mut known) = ("init".to_owned(), true);
    for (depth, part) in parts.iter().enumerate() {
        // The file of the namespace so far. It must require the next part.
        let path = match module(&file) {
            Some(module) => root.join(&module.path),
            None => root.join(file.replace('.', "/")).join("init.lua"),
        };
        let source = match module(&file) {
            Some(module) => module.source.clone(),
            None => "return {}\n".to_owned(),
        };
        let next = parts[..=depth].join(".");
        let required = known && tree::requires(&source, &next) > 0;
        if !required {
            let text = tree::register(&source, part, &next).ok_or_else(|| {
                ChangeError::ByHand(format!(
                    "{} returns its table in a way of its own: add {part} = require({}) to it",
                    path.display(),
                    lua::quote(&next)
                ))
            })?;
            undo.write(&path, &text)?;
            changed.push(path);
        }
        known = module(&next).is_some();
        file = next;
    }
    let path = root
        .join(name.as_str().replace('.', "/"))
        .with_extension("lua");
    undo.write(&path, text)?;
    Ok((path, changed))
}
