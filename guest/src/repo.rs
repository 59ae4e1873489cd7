//! The repo as the runtime's Lua files are given it: a table with `find`, and with `image` and `names` where it is not to be
//! evaluated.

use std::cell::OnceCell;

use mlua::prelude::*;

use crate::bindings::exports::kael::engine::runtime::{Module, Repo};

/// Bytes of all texts of a repo that has an image: they are a part of it.
const MAX_TEXTS: usize = 1 << 20;

/// A module as an image holds it: its name, its path, its display name, its text.
type Packed = (String, String, String, String);

/// The table for `repo`.
pub(crate) fn table(lua: &Lua, repo: Repo) -> LuaResult<LuaTable> {
    let table = lua.create_table()?;
    match repo {
        Repo::Modules(modules) => {
            let packed = modules
                .into_iter()
                .map(|module| (module.name, module.path, module.display, module.source));
            let modules = sorted(packed.collect());
            table.raw_set(
                "find",
                lua.create_function(move |_, name| Ok(found(&modules, &name)))?,
            )?;
        }
        Repo::Image(image) => {
            let mut lines = image.splitn(3, '\n');
            table.raw_set("image", lines.next())?;
            table.raw_set("names", lines.next())?;
            // Most scripts need none of the modules that are not loaded.
            let modules = OnceCell::new();
            let find = move |_: &Lua, name| {
                let modules = modules.get_or_init(|| unpack(&image));
                Ok(found(modules, &name))
            };
            table.raw_set("find", lua.create_function(find)?)?;
        }
    }
    Ok(table)
}

/// The text of an image: three lines of JSON for the tree, for all names, and for the modules.
pub(crate) fn image((tree_and_names, modules): (String, String)) -> String {
    tree_and_names + "\n" + &modules
}

/// The modules for an image; none where they are too large for one.
pub(crate) fn pack(modules: &[Module]) -> Option<String> {
    let texts = modules.iter().map(|module| module.source.len());
    if texts.sum::<usize>() > MAX_TEXTS {
        return None;
    }
    let packed: Vec<_> = modules
        .iter()
        .map(|module| (&module.name, &module.path, &module.display, &module.source))
        .collect();
    serde_json::to_string(&packed).ok()
}

fn unpack(image: &str) -> Vec<Packed> {
    let modules = image.splitn(3, '\n').nth(2).unwrap_or_default();
    sorted(serde_json::from_str(modules).unwrap_or_default())
}

fn sorted(mut modules: Vec<Packed>) -> Vec<Packed> {
    modules.sort_by(|one, other| one.0.cmp(&other.0));
    modules
}

/// The path, the display name and the text of the module of a name, or nothing.
fn found(modules: &[Packed], name: &LuaString) -> (Option<String>, Option<String>, Option<String>) {
    let at = modules.binary_search_by(|module| module.0.as_bytes().cmp(&*name.as_bytes()));
    let found = at.ok().map(|at| modules[at].clone());
    match found {
        Some((_, path, display, source)) => (Some(path), Some(display), Some(source)),
        None => (None, None, None),
    }
}
