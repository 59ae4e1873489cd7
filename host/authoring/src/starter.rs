//! Makes a new actions repo with a working example.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The files of the new repo.
const FILES: [(&str, &str); 5] = [
    ("AGENTS.md", include_str!("agents.md")),
    (
        "init.lua",
        "-- The tree that scripts see as `actions`.\nreturn {\n  text = require(\"text\"),\n}\n",
    ),
    (
        "text/init.lua",
        "return {\n  wordcount = require(\"text.wordcount\"),\n}\n",
    ),
    (
        "text/wordcount.lua",
        r#"return define_action({
  description = "Counts the lines, words and bytes of a text.",
  source = "impl", -- relative to the actions repo
  entrypoint = "wordcount.py",
  executor = "native",
  effects = "none", -- it changes nothing
  reads = {}, -- nothing but what it needs to run
  params = { text = "string" },
  returns = { lines = "integer", words = "integer", bytes = "integer" },
  example = { lines = 1, words = 2, bytes = 8 },
  timeout = "10s",
})
"#,
    ),
    (
        "impl/wordcount.py",
        r#"#!/usr/bin/env python3
"""Reads JSON parameters on stdin, writes a JSON result to stdout."""
import json
import sys

text = json.load(sys.stdin)["text"]
print(json.dumps({"lines": text.count("\n"), "words": len(text.split()), "bytes": len(text.encode())}))
"#,
    ),
];

/// Why the repo was not made.
#[derive(Debug, Error)]
pub enum StarterError {
    /// The folder is not empty.
    #[error("{} exists and is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Writes the files into an empty or new folder, and returns their paths.
///
/// # Errors
/// When the folder is not empty, or a file cannot be written.
pub fn write(folder: &Path) -> Result<Vec<PathBuf>, StarterError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| StarterError::File { path, source }
    };
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(StarterError::NotEmpty(folder.to_owned()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail(folder)(error)),
    }
    let mut written = Vec::new();
    for (name, text) in FILES {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(fail(parent))?;
        fs::write(&path, text).map_err(fail(&path))?;
        written.push(path);
    }
    Ok(written)
}
