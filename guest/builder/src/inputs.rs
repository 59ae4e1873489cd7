//! The digest of the guest's inputs. A test uses it to find out whether the built guest is stale.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_lock::Lockfile;
use sha2::{Digest, Sha256};

/// The custom section of the component with the digest, as lower-case hexadecimal text.
pub(crate) const SECTION: &str = "kael-inputs";

/// The inputs, relative to the workspace: files, and whole folders.
const SOURCES: [&str; 9] = [
    "guest/Cargo.toml",
    "guest/build.sh",
    "guest/cc.sh",
    "guest/core.c",
    "guest/patches",
    "guest/profile/lua.profdata",
    "guest/src",
    "guest/toolchain.sh",
    "wit",
];

/// The SHA-256 of the guest's sources, the WIT package, and its dependencies' versions in the lock
/// file.
pub(crate) fn digest(workspace: &Path) -> Result<String> {
    let mut files = BTreeMap::new();
    for source in SOURCES {
        collect(workspace, &workspace.join(source), &mut files)?;
    }
    let mut hash = Sha256::new();
    for (name, content) in &files {
        // The lengths make sure that different sets of files never give the same bytes.
        hash.update(format!("{} {name} {}\n", name.len(), content.len()));
        hash.update(content);
    }
    hash.update(locked(workspace)?);
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn collect(workspace: &Path, path: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(workspace, &entry?.path(), files)?;
        }
        return Ok(());
    }
    let name = path.strip_prefix(workspace)?.to_string_lossy().into_owned();
    files.insert(
        name,
        fs::read(path).with_context(|| format!("reading {}", path.display()))?,
    );
    Ok(())
}

/// The guest's dependencies in the lock file, one line per package.
fn locked(workspace: &Path) -> Result<String> {
    let lock = Lockfile::load(workspace.join("Cargo.lock"))?;
    let mut wanted = vec!["kael-guest".to_owned()];
    let mut lines = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        for package in lock
            .packages
            .iter()
            .filter(|package| package.name.as_str() == name)
        {
            let sum = package
                .checksum
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let line = format!("{} {} {sum}\n", package.name, package.version);
            if lines.insert(line, ()).is_none() {
                wanted.extend(package.dependencies.iter().map(|d| d.name.to_string()));
            }
        }
    }
    Ok(lines.into_keys().collect())
}
