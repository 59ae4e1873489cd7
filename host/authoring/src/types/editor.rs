//! Points language servers to the annotations: writes their settings, or adds to existing ones.

use std::fs;
use std::io;
use std::path::Path;

use kael_engine::executor::unblocked;
use serde_json::{Map, Value, json};

/// The folder of the annotations, relative to the settings.
pub(super) const LIBRARY: &str = ".kael/types";

/// The settings of lua-language-server and of emmylua_ls.
pub(super) const FILES: [&str; 2] = [".luarc.json", ".emmyrc.json"];

/// What was done with a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Written,
    /// It named the annotations before.
    AsItWas,
    /// It is not JSON, for example because it has comments.
    ByHand,
}

/// Makes a settings file name the annotations. Keeps its other content.
pub(super) fn settle(path: &Path) -> io::Result<Outcome> {
    let luarc = path.file_name().is_some_and(|name| name == FILES[0]);
    let before = match unblocked::text(path, u64::MAX) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let settings = match before.as_deref().map(str::trim) {
        None | Some("") => Map::new(),
        Some(text) if text.contains(LIBRARY) => return Ok(Outcome::AsItWas),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(settings)) => settings,
            _ => return Ok(Outcome::ByHand),
        },
    };
    let Some(settings) = added(settings, luarc) else {
        return Ok(Outcome::ByHand);
    };
    fs::write(path, format!("{settings:#}\n"))?;
    Ok(Outcome::Written)
}

/// None if a section that is needed has another type.
fn added(mut settings: Map<String, Value>, luarc: bool) -> Option<Value> {
    let version = if luarc { "Lua 5.5" } else { "Lua5.5" };
    // Both servers read sections as tables. lua-language-server also reads dotted keys, which are
    // common.
    if luarc && !settings.contains_key("workspace") {
        if !settings.contains_key("runtime") {
            settings
                .entry("runtime.version")
                .or_insert_with(|| version.into());
            settings
                .entry("runtime.builtin")
                .or_insert_with(|| json!({ "io": "disable" }));
        }
        let library = settings
            .entry("workspace.library")
            .or_insert_with(|| json!([]));
        library.as_array_mut()?.push(LIBRARY.into());
    } else {
        let runtime = settings.entry("runtime").or_insert_with(|| json!({}));
        runtime
            .as_object_mut()?
            .entry("version")
            .or_insert_with(|| version.into());
        let workspace = settings.entry("workspace").or_insert_with(|| json!({}));
        let library = workspace
            .as_object_mut()?
            .entry("library")
            .or_insert_with(|| json!([]));
        library.as_array_mut()?.push(LIBRARY.into());
    }
    Some(Value::Object(settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let luarc = folder.path().join(".luarc.json");
        let emmyrc = folder.path().join(".emmyrc.json");
        assert_eq!(settle(&luarc).expect("written"), Outcome::Written);
        assert_eq!(settle(&luarc).expect("read"), Outcome::AsItWas);
        fs::write(
            &luarc,
            r#"{ "workspace.library": ["x"], "hint.enable": true }"#,
        )
        .expect("written");
        assert_eq!(settle(&luarc).expect("written"), Outcome::Written);
        let settings: Value =
            serde_json::from_str(&fs::read_to_string(&luarc).expect("text")).expect("JSON");
        assert_eq!(settings["workspace.library"], json!(["x", ".kael/types"]));
        assert_eq!(settings["hint.enable"], true);
        fs::write(&emmyrc, r#"{ "runtime": { "version": "Lua5.4" } }"#).expect("written");
        assert_eq!(settle(&emmyrc).expect("written"), Outcome::Written);
        let settings: Value =
            serde_json::from_str(&fs::read_to_string(&emmyrc).expect("text")).expect("JSON");
        assert_eq!(settings["runtime"]["version"], "Lua5.4");
        assert_eq!(settings["workspace"]["library"], json!([".kael/types"]));
        for text in ["{ // mine\n}", "[]", r#"{ "workspace": 5 }"#] {
            fs::write(&emmyrc, text).expect("written");
            assert_eq!(settle(&emmyrc).expect("read"), Outcome::ByHand);
            assert_eq!(fs::read_to_string(&emmyrc).expect("text"), text);
        }
    }
}
