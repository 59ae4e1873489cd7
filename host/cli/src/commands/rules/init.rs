//! `kael-host rules init`: makes a package with a test that passes.

use super::args::Init;
use super::load::{unusable, usage};
use crate::args::Shared;
use crate::exit;
use crate::terminal::{say, say_json};
use kael_rules::sample;

pub(super) fn run(shared: &Shared, init: &Init) -> u8 {
    let name = init
        .folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let sound = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(sound) {
        let message = format!(
            "the name \"{name}\" is no rule id: 1 to 128 of the characters A-Z, a-z, 0-9, `.`, `_`, `:` and `-`"
        );
        return usage(shared, message);
    }
    match sample::write(&init.folder, &name) {
        Ok(()) => {
            if init.json {
                let document = serde_json::json!({ "folder": init.folder, "rule_id": name });
                return say_json(&document, exit::SUCCESS);
            }
            let folder = init.folder.display();
            let text = format!("{folder} is a package. Try it:\n  kael-host rules test {folder}\n");
            say(&text, exit::SUCCESS)
        }
        Err(error) => unusable(shared, &init.folder, &error),
    }
}
