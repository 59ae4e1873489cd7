//! Packages together with the schema that they share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::package::{Package, Packages, brief};
use crate::problem::Problem;
use crate::schema::Schema;

/// The name of a schema's file beside packages.
const SCHEMA: &str = "schema.json";

/// Packages that are sound, their schema, and what is wrong.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// By their ids.
    pub packages: Vec<Package>,
    /// None where it cannot be read or found.
    pub schema: Option<Arc<Schema>>,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
}

impl RuleSet {
    /// Reads packages in and below some folders. Without a file of a schema, each package has
    /// `schema.json` in its folder or in one above it, and all have the same.
    #[must_use]
    pub fn read(folders: &[PathBuf], schema: Option<Arc<Schema>>) -> Self {
        let Packages {
            packages,
            mut problems,
        } = Packages::read(folders);
        let schema = schema.or_else(|| find(&packages, &mut problems));
        if let Some(schema) = &schema {
            for package in &packages {
                schema.check(package, &mut problems);
            }
        }
        Self {
            packages,
            schema,
            problems,
        }
    }

    /// Whether anything is wrong beyond warnings.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.schema.is_none() || self.problems.iter().any(|problem| !problem.warning)
    }
}

fn find(packages: &[Package], problems: &mut Vec<Problem>) -> Option<Arc<Schema>> {
    let mut found: Option<(PathBuf, &Package)> = None;
    for package in packages {
        let file = package.folder.display().to_string();
        let Some(path) = beside(&package.folder) else {
            let message = "there is no schema.json in the package or in a folder above it";
            problems.push(Problem::error(file, message).hinted("name one with --schema FILE"));
            return None;
        };
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) => {
                let message = format!("cannot be read: {}", brief(&error));
                problems.push(Problem::error(path.display().to_string(), message));
                return None;
            }
        };
        match &found {
            None => found = Some((real, package)),
            Some((first, other)) if *first != real => {
                let message = format!(
                    "has another schema.json than {}: {} and {}",
                    other.folder.display(),
                    real.display(),
                    first.display()
                );
                problems.push(
                    Problem::error(file, message).hinted("name the one to use with --schema FILE"),
                );
                return None;
            }
            Some(_) => {}
        }
    }
    let (_, package) = found?;
    Schema::read_file(&beside(&package.folder)?, problems).map(Arc::new)
}

/// The nearest schema of a package: at most three folders up.
fn beside(folder: &Path) -> Option<PathBuf> {
    // As the user named the folder first, so that messages do.
    let named = folder.ancestors().filter(|folder| *folder != Path::new(""));
    let absolute = std::path::absolute(folder).ok()?;
    let above = absolute.ancestors().take(4);
    named
        .take(4)
        .chain(above)
        .map(|folder| folder.join(SCHEMA))
        .find(|path| path.exists())
}
