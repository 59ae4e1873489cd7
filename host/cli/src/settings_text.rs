//! Files of settings in YAML that a command is given: reads them within a bound, and shows what is wrong with them.

use std::io::Read as _;
use std::path::Path;

use crate::report::Problem;
use crate::snippet::SourceMap;
use kael_engine::executor::unblocked;
use kael_engine::settings_file::SettingsError;

/// The text of a file.
pub(crate) fn read(path: &Path, most: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    unblocked::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("it has more than {} KiB", most >> 10));
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

/// All that is wrong with a file, with its lines.
pub(crate) fn problem(error: &SettingsError) -> Problem {
    let (name, text) = &error.text;
    Problem::usage(error.to_string()).quoting(SourceMap::default().with(name, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_large_is_called_that_wherever_it_is_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.yaml");
        for text in ["é".repeat(600), format!("x{}", "é".repeat(600))] {
            std::fs::write(&path, text).expect("a file");
            let told = read(&path, 1024).expect_err("too large");
            assert_eq!(told, "it has more than 1 KiB");
        }
        std::fs::write(&path, "é".repeat(512)).expect("a file");
        assert!(read(&path, 1024).is_ok());
    }
}
