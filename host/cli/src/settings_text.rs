//! Files of settings in YAML that a command is given: reads them within a bound, and shows what is wrong with them.

use std::fs;
use std::path::Path;

use crate::report::Problem;
use crate::snippet::SourceMap;
use kael_engine::settings_file::SettingsError;

/// The text of a file.
pub(crate) fn read(path: &Path, most: u64) -> Result<String, String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err("it is not a file".to_owned());
    }
    if meta.len() > most {
        return Err(format!("it has more than {} KiB", most >> 10));
    }
    fs::read_to_string(path).map_err(|error| error.to_string())
}

/// All that is wrong with a file, with its lines.
pub(crate) fn problem(error: &SettingsError) -> Problem {
    let (name, text) = &error.text;
    Problem::usage(error.to_string()).quoting(SourceMap::default().with(name, text))
}
