//! Files of settings in YAML that a command is given: reads them within a bound, and shows what is wrong with them.

use std::path::Path;

use crate::report::Problem;
use crate::snippet::SourceMap;
use kael_engine::executor::unblocked;
use kael_engine::settings_file::SettingsError;

/// The text of a file.
pub(crate) fn read(path: &Path, most: u64) -> Result<String, String> {
    let text = unblocked::text(path, most + 1).map_err(|error| error.to_string())?;
    match text.len() as u64 > most {
        true => Err(format!("it has more than {} KiB", most >> 10)),
        false => Ok(text),
    }
}

/// All that is wrong with a file, with its lines.
pub(crate) fn problem(error: &SettingsError) -> Problem {
    let (name, text) = &error.text;
    Problem::usage(error.to_string()).quoting(SourceMap::default().with(name, text))
}
