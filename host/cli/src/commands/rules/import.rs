//! `kael-host rules import`: translates Sigma rules into packages.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::Import;
use super::load::{refuse, unusable, usage, warn};
use crate::args::Shared;
use crate::exit;
use crate::terminal::{say, say_json};
use kael_rules::format::Format;
use kael_rules::problem::Problem;
use kael_rules::schema::Schema;
use kael_rules::sigma::{self, Translated};

/// Bytes that a rule may have.
const MAX_RULE: u64 = 256 << 10;

pub(super) fn run(shared: &Shared, import: &Import) -> u8 {
    evaluate(shared, import).unwrap_or_else(|code| code)
}

fn evaluate(shared: &Shared, import: &Import) -> Result<u8, u8> {
    let mut problems = Vec::new();
    let text = match (&import.schema, Format::of(&import.format)) {
        (Some(path), _) => {
            fs::read_to_string(path).map_err(|error| unusable(shared, path, &error))?
        }
        (None, Some(format)) => format.schema().to_owned(),
        (None, None) => {
            let all = Format::ALL.map(|(name, _)| name).join(", ");
            let message = format!(
                "--format: there is no format \"{}\" (there are: {all})",
                import.format
            );
            return Err(usage(shared, message));
        }
    };
    let name = import
        .schema
        .as_ref()
        .map_or("schema".to_owned(), |path| path.display().to_string());
    let Some(schema) = Schema::read(&name, text.as_bytes(), &mut problems) else {
        return Err(refuse(shared, &problems));
    };
    let (mut rules, mut ids) = (Vec::new(), HashSet::new());
    for path in &import.rules {
        let text = match fs::metadata(path) {
            Ok(kind) if kind.len() <= MAX_RULE => fs::read_to_string(path),
            Ok(_) => Err(io::Error::other("more than 256 KiB")),
            Err(error) => Err(error),
        };
        let text = text.map_err(|error| unusable(shared, path, &error))?;
        match sigma::translate(&text, &schema) {
            Ok(rule) if ids.insert(rule.id.clone()) => {
                problems.extend(rule.warnings.iter().map(|warning| {
                    let place = format!("{}:{}", path.display(), warning.line);
                    Problem::warning(place, warning.message.clone())
                }));
                rules.push(rule);
            }
            Ok(rule) => {
                let message = format!("the id \"{}\" is that of another rule, too", rule.id);
                problems.push(Problem::error(path.display().to_string(), message));
            }
            Err(mistake) => {
                let place = format!("{}:{}", path.display(), mistake.line);
                problems.push(Problem::error(place, mistake.message));
            }
        }
    }
    if problems.iter().any(|problem| !problem.warning) {
        return Err(refuse(shared, &problems));
    }
    problems.iter().for_each(warn);
    let out = &import.output;
    fs::create_dir_all(out).map_err(|error| unusable(shared, out, &error))?;
    let path = out.join("schema.json");
    fs::write(&path, &text).map_err(|error| unusable(shared, &path, &error))?;
    for rule in &rules {
        let folder = out.join(&rule.id);
        write(&folder, rule).map_err(|error| unusable(shared, &folder, &error))?;
    }
    if import.json {
        let written: Vec<PathBuf> = rules.iter().map(|rule| out.join(&rule.id)).collect();
        return Ok(say_json(&json!({ "written": written }), exit::SUCCESS));
    }
    let written = rules
        .iter()
        .map(|rule| format!("written: {}\n", out.join(&rule.id).display()));
    Ok(say(&written.collect::<String>(), exit::SUCCESS))
}

fn write(folder: &Path, rule: &Translated) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("manifest.json"), &rule.manifest)?;
    fs::write(folder.join("predicate.lua"), &rule.predicate)?;
    if let Some(regexes) = &rule.regexes {
        fs::create_dir_all(folder.join("resources"))?;
        fs::write(folder.join("resources/regexes.txt"), regexes)?;
    }
    Ok(())
}
