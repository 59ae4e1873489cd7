//! Which packages a source wants: by its manifests, the head of its entry point, and its definition.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::SourceError;
use super::command_line::is_python;
use super::entry::Entry;
use super::files::digest;
use super::manifest::{included, manifest, reading, start};
use crate::catalog::Language;

/// Bytes that are looked at of what Kael itself reads as TOML: a project, the head of a script.
const TOML_CAP: u64 = 1 << 20;

/// What is to be installed before an entry point runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packages {
    /// Nothing.
    None,
    /// By pip, into a virtual environment.
    Python(Python),
    /// By npm, into `node_modules` beside `package.json`.
    Node,
}

/// Packages of Python.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Python {
    /// What `requirements.txt` says, where it names any, and the files that it includes.
    pub(super) requirements: Option<String>,
    /// Of `pyproject.toml`, the head of the entry point, and the definition.
    pub(super) specs: Vec<String>,
    /// Some of them are wanted by this entry point, and not by the whole folder.
    pub(super) is_of_entry: bool,
}

impl Python {
    /// Another for other packages.
    pub(super) fn digest(&self, interpreter: &str) -> String {
        let requirements = self.requirements.as_deref().unwrap_or_default();
        let mut parts = vec![interpreter, requirements];
        parts.extend(self.specs.iter().map(String::as_str));
        digest(&parts)
    }

    fn is_empty(&self) -> bool {
        self.requirements.is_none() && self.specs.is_empty()
    }
}

impl Packages {
    /// As a person reads them.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Node => vec!["package.json".to_owned()],
            Self::Python(wanted) => {
                let file = wanted
                    .requirements
                    .as_ref()
                    .map(|_| "requirements.txt".to_owned());
                file.into_iter()
                    .chain(wanted.specs.iter().cloned())
                    .collect()
            }
        }
    }

    /// Reads what an entry point wants.
    ///
    /// # Errors
    /// When a manifest is not what it should be.
    pub(crate) fn of(entry: &Entry, deps: &[String]) -> Result<Self, SourceError> {
        let python = entry.language == Language::Python && is_python(&entry.interpreter);
        if !deps.is_empty() && !python {
            return Err(SourceError::DepsWithoutPython(entry.file.clone()));
        }
        Ok(match entry.language {
            Language::Python if python => match of_python(entry, deps)? {
                none if none.is_empty() => Self::None,
                wanted => Self::Python(wanted),
            },
            Language::Node if wants_npm(&manifest(&entry.folder.join("package.json"))) => {
                Self::Node
            }
            _ => Self::None,
        })
    }

    /// The same, where other calls wait for this thread.
    ///
    /// # Errors
    /// When a manifest is not what it should be.
    pub(super) async fn looked_up(entry: &Entry, deps: &[String]) -> Result<Self, SourceError> {
        let at = |name: &str| entry.folder.join(name);
        let files: Vec<PathBuf> = match entry.language {
            Language::Python => vec![
                at("requirements.txt"),
                at("pyproject.toml"),
                at(&entry.file),
            ],
            Language::Node => vec![at("package.json")],
            Language::Shell | Language::Other => Vec::new(),
        };
        let (entry, deps) = (entry.clone(), deps.to_vec());
        reading(&files, move || Self::of(&entry, &deps)).await?
    }
}

fn of_python(entry: &Entry, deps: &[String]) -> Result<Python, SourceError> {
    let list = entry.folder.join("requirements.txt");
    let requirements = manifest(&list);
    let names_any = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let requirements = requirements
        .lines()
        .any(names_any)
        .then(|| format!("{requirements}\n{}", included(&list, &requirements)));
    let project = start(&entry.folder.join("pyproject.toml"), TOML_CAP);
    let mut specs = project_dependencies(&project)
        .map_err(|why| SourceError::Manifest("pyproject.toml".to_owned(), why))?;
    let head = script_dependencies(&start(&entry.folder.join(&entry.file), TOML_CAP))
        .map_err(|why| SourceError::Manifest(entry.file.clone(), why))?;
    let is_of_entry = !head.is_empty() || !deps.is_empty();
    specs.extend(head);
    specs.extend(deps.iter().cloned());
    Ok(Python {
        requirements,
        specs,
        is_of_entry,
    })
}

/// `[project].dependencies` of a `pyproject.toml`.
fn project_dependencies(text: &str) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        project: Names,
    }
    let manifest: Manifest = toml::from_str(text).map_err(|error| described(text, 0, &error))?;
    checked(manifest.project)
}

/// The dependencies of a script's own head, as PEP 723 defines it: comments between `# /// script`
/// and `# ///` that are TOML.
fn script_dependencies(script: &str) -> Result<Vec<String>, String> {
    let begins = |line: &str| line.trim_end() == "# /// script";
    let mut heads = script.lines().enumerate().filter(|(_, line)| begins(line));
    let Some((first, _)) = heads.next() else {
        return Ok(Vec::new());
    };
    let comments: Vec<&str> = script
        .lines()
        .skip(first + 1)
        .take_while(|line| *line == "#" || line.starts_with("# "))
        .collect();
    // The last such line ends it: a `# ///` may stand within. Without one it is no head.
    let Some(end) = comments.iter().rposition(|line| *line == "# ///") else {
        return Ok(Vec::new());
    };
    if let Some((second, _)) = heads.find(|(line, _)| *line > first + 1 + end) {
        return Err(format!(
            "line {}: a script has one `# /// script`, and the first is on line {}",
            second + 1,
            first + 1
        ));
    }
    let content = comments[..end].iter();
    let content = content.map(|line| line.strip_prefix("# ").unwrap_or_default());
    let text = content.collect::<Vec<_>>().join("\n");
    let names = toml::from_str(&text).map_err(|error| described(&text, first + 1, &error))?;
    checked(names)
}

#[derive(Default, Deserialize)]
struct Names {
    #[serde(default)]
    dependencies: Vec<String>,
}

fn checked(names: Names) -> Result<Vec<String>, String> {
    for name in &names.dependencies {
        if !crate::catalog::is_requirement(name) {
            let shown = name.escape_debug();
            return Err(format!(
                "dependencies: `{shown}` is not a requirement such as `requests>=2`"
            ));
        }
    }
    Ok(names.dependencies)
}

/// What is wrong, with its line in the file that has `above` lines above the text.
fn described(text: &str, above: usize, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.get(..start).unwrap_or_default().matches('\n').count();
    let message = error.message().lines().next().unwrap_or_default();
    format!("line {}: {message}", above + line + 1)
}

/// Whether npm has something to do for a `package.json`. What is no object is for npm to refuse.
fn wants_npm(text: &str) -> bool {
    if text.is_empty() {
        return false;
    }
    let Ok(manifest) = serde_json::from_str::<Map<String, Value>>(text) else {
        return true;
    };
    let lists = [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
        "workspaces",
    ];
    let is_empty = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    let scripts = ["preinstall", "install", "postinstall", "prepare"];
    let own = manifest.get("scripts");
    lists
        .iter()
        .any(|list| manifest.get(*list).is_some_and(|value| !is_empty(value)))
        || scripts
            .iter()
            .any(|name| own.is_some_and(|own| own.get(name).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projects_dependencies_are_read() {
        let read = |text: &str| project_dependencies(text);
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read("[tool.black]\nline-length = 9\n"), Ok(vec![]));
        let text =
            "[project]\nname = \"x\"\ndependencies = [\"a>=1\", 'b[c] ; python_version > \"3\"']\n";
        let expected = ["a>=1", "b[c] ; python_version > \"3\""].map(str::to_owned);
        assert_eq!(read(text), Ok(expected.to_vec()));
        for (text, expected) in [
            ("[project\n", "line 1: "),
            (
                "[project]\n\ndependencies = 5\n",
                "line 3: invalid type: integer `5`",
            ),
            (
                "[project]\ndependencies = ['-r x']\n",
                "dependencies: `-r x` is not a requirement",
            ),
        ] {
            let error = read(text).expect_err("it is wrong");
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn the_head_of_a_script_is_read() {
        let head = "#!/usr/bin/env python3\n# /// script\n# requires-python = \">=3.9\"\n#\n# dependencies = [\n#   \"a<3\",\n# ]\n# ///\nimport a\n";
        assert_eq!(script_dependencies(head), Ok(vec!["a<3".to_owned()]));
        for none in [
            "import a\n",
            "# /// script\n# dependencies = ['a']\nimport a\n# ///\n",
            "# /// other\n# dependencies = ['a']\n# ///\n",
        ] {
            assert_eq!(script_dependencies(none), Ok(vec![]), "{none}");
        }
        let twice = format!("{head}\n# /// script\n# ///\n");
        assert_eq!(
            script_dependencies(&twice),
            Err("line 11: a script has one `# /// script`, and the first is on line 2".to_owned())
        );
        let wrong = script_dependencies("# /// script\n#\n# dependencies = 'a'\n# ///\n");
        assert!(wrong.is_err_and(|why| why.starts_with("line 3: invalid type")));
    }

    #[test]
    fn npm_is_asked_where_it_has_something_to_do() {
        for (text, expected) in [
            ("", false),
            (r#"{"name":"x","dependencies":{}}"#, false),
            (r#"{"type":"module","scripts":{"test":"x"}}"#, false),
            (r#"{"dependencies":{"a":"1"}}"#, true),
            (r#"{"workspaces":["a"]}"#, true),
            (r#"{"scripts":{"postinstall":"x"}}"#, true),
            ("{", true),
        ] {
            assert_eq!(wants_npm(text), expected, "{text}");
        }
    }
}
