//! The file with the server and the token of the last sign-in.

use std::io::Write as _;
use std::path::PathBuf;

use kael_engine::environment::Environment;
use kael_engine::private_file;
use serde::{Deserialize, Serialize};

/// The last sign-in.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    /// The address of the server.
    pub(super) server: String,
    /// The token.
    pub(super) token: String,
}

fn path(environment: &Environment) -> PathBuf {
    environment.config_folder().join("server.json")
}

/// The last sign-in, if there was one.
pub(super) fn read(environment: &Environment) -> Result<Option<Kept>, String> {
    let path = path(environment);
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| format!("{} is none of kael-host login: {error}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// Keeps a sign-in. Returns the file.
pub(super) fn write(environment: &Environment, kept: &Kept) -> Result<PathBuf, String> {
    let path = path(environment);
    let fail = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    let text = serde_json::to_string_pretty(kept).map_err(|error| error.to_string())?;
    let mut file = private_file::create(&path).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    Ok(path)
}
