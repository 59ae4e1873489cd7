//! Reads the fields that bound what an action's processes may use and write.

use std::ops::RangeInclusive;

use super::error::DefinitionError;
use super::executor::Executor;
use super::fields::{Fields, collect_error};
use crate::limits::ProcessLimits;
use crate::units::ByteSize;

/// With less than these, envyr or an interpreter does not start.
const LEAST_MEMORY: ByteSize = ByteSize::mib(16);
const LEAST_FILE: ByteSize = ByteSize::new(64 << 10);
const PROCESSES: RangeInclusive<u32> = 4..=100_000;
const OPEN_FILES: RangeInclusive<u32> = 16..=1_000_000;

/// Reads `limits`.
pub(super) fn limits(
    fields: &mut Fields<'_>,
    executor: Executor,
    wrong: &mut Vec<DefinitionError>,
) -> ProcessLimits {
    let mut limits = ProcessLimits::default();
    let Some(mut inner) = collect_error(wrong, fields.inner("limits")).flatten() else {
        return limits;
    };
    if collect_error(wrong, native_only(fields, "limits", executor)).is_none() {
        return limits;
    }
    let mut set = |wrong: &mut Vec<DefinitionError>, field: &str, least, limit: &mut ByteSize| {
        if let Some(Some(size)) = collect_error(wrong, size(&mut inner, field, least)) {
            *limit = size;
        }
    };
    set(wrong, "memory", LEAST_MEMORY, &mut limits.memory);
    set(wrong, "file_size", LEAST_FILE, &mut limits.file_size);
    if let Some(Some(time)) = collect_error(wrong, inner.time("cpu")) {
        limits.cpu = time;
    }
    if let Some(Some(most)) = collect_error(wrong, inner.whole("processes", PROCESSES)) {
        limits.processes = most;
    }
    if let Some(Some(most)) = collect_error(wrong, inner.whole("open_files", OPEN_FILES)) {
        limits.open_files = most;
    }
    wrong.extend(inner.finish());
    limits
}

fn size(
    fields: &mut Fields<'_>,
    field: &str,
    least: ByteSize,
) -> Result<Option<ByteSize>, DefinitionError> {
    match fields.size(field)? {
        Some(size) if size < least => {
            Err(fields.error(field, &format!("must be at least {least}, got {size}")))
        }
        size => Ok(size),
    }
}

/// Reads `writable`. The executor checks where the paths lead when the action runs.
pub(super) fn writable(
    fields: &mut Fields<'_>,
    executor: Executor,
) -> Result<Vec<String>, DefinitionError> {
    let paths = fields.strings("writable")?;
    if !paths.is_empty() {
        native_only(fields, "writable", executor)?;
    }
    check_paths(fields, "writable", &paths)?;
    for path in &paths {
        if path.split('/').any(|part| part == "..") {
            let shown = path.escape_debug();
            let error = format!(
                "`{shown}` may not hold '..': name what is outside of the actions folder by its whole path"
            );
            return Err(fields.error("writable", &error));
        }
    }
    Ok(paths)
}

/// Reads `reads`: without the field an action reads what its user may, and with an empty list nothing
/// beside what it needs to run.
pub(super) fn reads(
    fields: &mut Fields<'_>,
    executor: Executor,
) -> Result<Option<Vec<String>>, DefinitionError> {
    let Some(paths) = fields.optional_strings("reads")? else {
        return Ok(None);
    };
    match executor {
        // A server of the protocol is a program of its own, and not the action's.
        Executor::Mcp | Executor::Builtin => {
            let name = executor.name();
            let error = format!("is for executor \"native\", and this is \"{name}\"");
            return Err(fields.error("reads", &error));
        }
        _ => native_only(fields, "reads", executor)?,
    }
    check_paths(fields, "reads", &paths)?;
    Ok(Some(paths))
}

/// Whether a list may name these paths, as far as their text says so. The executor looks at the rest.
fn check_paths(fields: &Fields<'_>, field: &str, paths: &[String]) -> Result<(), DefinitionError> {
    for path in paths {
        let shown = path.escape_debug();
        if path.is_empty() || path.contains(|c: char| c.is_control()) {
            return Err(fields.error(field, &format!("`{shown}` is not a path")));
        }
        let plain = plain(path);
        if plain == "/" || plain == "~" {
            let error =
                format!("`{shown}` is too much: name the files and folders that the action needs");
            return Err(fields.error(field, &error));
        }
        let mut parts = plain.split('/').skip(1);
        let (first, more) = (parts.next(), parts.next());
        if field == "reads"
            && plain.starts_with('/')
            && (matches!(first, Some("proc" | "sys")) || first == Some("dev") && more.is_none())
        {
            let error = format!("`{shown}` belongs to the kernel: name nothing there");
            return Err(fields.error(field, &error));
        }
    }
    Ok(())
}

/// A path without `.`, `..` and empty parts, by its text alone.
fn plain(path: &str) -> String {
    let start = match path.split('/').next() {
        Some("") => "/",
        Some("~") => "~",
        _ => "",
    };
    let mut plain: Vec<&str> = Vec::new();
    for part in path[start.len()..].split('/') {
        match part {
            "" | "." => {}
            ".." => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    match (start, plain.is_empty()) {
        ("~", false) => format!("~/{}", plain.join("/")),
        _ => format!("{start}{}", plain.join("/")),
    }
}

fn native_only(
    fields: &Fields<'_>,
    field: &str,
    executor: Executor,
) -> Result<(), DefinitionError> {
    match executor {
        Executor::Native | Executor::Builtin | Executor::Mcp => Ok(()),
        Executor::Docker => {
            let error = "is for native actions: a container is bounded by its engine";
            Err(fields.error(field, error))
        }
        Executor::Wasm => {
            let error = "is for native actions: with executor \"wasm\" there is `dirs`";
            Err(fields.error(field, error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_path_is_told_by_its_text() {
        for (path, expected) in [
            ("/", "/"),
            ("//.", "/"),
            ("/usr/..", "/"),
            ("/../..", "/"),
            ("~", "~"),
            ("~/", "~"),
            ("~/./x/..", "~"),
            ("~/.kube/", "~/.kube"),
            ("~x", "~x"),
            ("./data", "data"),
            ("/srv//x/./y", "/srv/x/y"),
        ] {
            assert_eq!(plain(path), expected, "{path}");
        }
    }
}
