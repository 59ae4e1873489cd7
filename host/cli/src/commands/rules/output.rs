//! Where alerts go: stdout or a file, each line written whole.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::exit;
use crate::sanitize::escape_control_json;
use crate::terminal::say;
use kael_rules::alert::Alert;
use kael_rules::package::Severity;

pub(super) struct Alerts {
    file: Option<File>,
    fail_on: Option<Severity>,
    /// Whether an alert was as bad as `fail_on`.
    pub(super) failed: bool,
}

impl Alerts {
    pub(super) fn new(path: Option<&Path>, fail_on: Option<Severity>) -> io::Result<Self> {
        let open = |path: &Path| File::options().create(true).append(true).open(path);
        Ok(Self {
            file: path.map(open).transpose()?,
            fail_on,
            failed: false,
        })
    }

    /// Writes alerts. Gives the exit code where they cannot be written.
    pub(super) fn write(&mut self, alerts: &[Alert]) -> Result<(), u8> {
        if alerts.is_empty() {
            return Ok(());
        }
        let fail_on = self.fail_on;
        self.failed |= alerts
            .iter()
            .any(|alert| fail_on.is_some_and(|least| alert.severity >= least));
        let mut text = String::new();
        for alert in alerts {
            text += &escape_control_json(&alert.line);
            text.push('\n');
        }
        match &mut self.file {
            Some(file) => file
                .write_all(text.as_bytes())
                .map_err(|_| exit::OUTPUT_FAILED),
            None => match say(&text, exit::SUCCESS) {
                exit::SUCCESS => Ok(()),
                code => Err(code),
            },
        }
    }
}
