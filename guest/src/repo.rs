//! The repo as a table for the runtime's Lua files: with `find`, and with `image` and `names` if it
//! has an image.

use std::cell::OnceCell;
use std::rc::Rc;

use mlua::prelude::*;

use crate::bindings::exports::kael::engine::runtime::{Module, Repo};

/// Bytes of a repo's modules for which an image is made. The image contains them.
const MAX_MODULES: usize = 1 << 20;

/// Modules in an image, sorted by name: name, path, display name, text.
pub(crate) type Modules = Rc<Vec<(String, String, String, String)>>;

/// The modules that came from the host, in that form.
pub(crate) fn modules(modules: Vec<Module>) -> Modules {
    let each = modules
        .into_iter()
        .map(|module| (module.name, module.path, module.display, module.source));
    sorted(each.collect())
}

fn sorted(mut modules: Vec<(String, String, String, String)>) -> Modules {
    modules.sort_by(|one, other| one.0.cmp(&other.0));
    Rc::new(modules)
}

/// Makes the table for `repo`.
pub(crate) fn table(lua: &Lua, repo: Repo) -> LuaResult<LuaTable> {
    let image = match repo {
        Repo::Modules(all) => return evaluated(lua, modules(all)),
        Repo::Image(image) => image,
    };
    let table = lua.create_table()?;
    let mut lines = image.splitn(3, '\n');
    table.raw_set("image", lines.next())?;
    table.raw_set("names", lines.next())?;
    // Most scripts need no further modules, so they are unpacked on demand.
    let modules = OnceCell::new();
    let find = move |_: &Lua, name| {
        let modules = modules.get_or_init(|| unpack(&image));
        Ok(found(modules, &name))
    };
    table.raw_set("find", lua.create_function(find)?)?;
    Ok(table)
}

/// Makes the table for a repo that must be evaluated.
pub(crate) fn evaluated(lua: &Lua, modules: Modules) -> LuaResult<LuaTable> {
    let table = lua.create_table()?;
    let find = move |_: &Lua, name| Ok(found(&modules, &name));
    table.raw_set("find", lua.create_function(find)?)?;
    Ok(table)
}

/// The text of an image: one line of JSON each for the tree, all names, and the modules. None if
/// the modules are too large.
pub(crate) fn image(tree_and_names: String, modules: &Modules) -> Option<String> {
    let sizes = modules
        .iter()
        .map(|(name, path, display, text)| name.len() + path.len() + display.len() + text.len());
    if sizes.sum::<usize>() > MAX_MODULES {
        return None;
    }
    let modules = serde_json::to_string(&**modules).ok()?;
    Some(tree_and_names + "\n" + &modules)
}

fn unpack(image: &str) -> Modules {
    let modules = image.splitn(3, '\n').nth(2).unwrap_or_default();
    sorted(serde_json::from_str(modules).unwrap_or_default())
}

/// The path, display name and text of a module, or three nils.
fn found(modules: &Modules, name: &LuaString) -> (Option<String>, Option<String>, Option<String>) {
    let at = modules.binary_search_by(|module| module.0.as_bytes().cmp(&*name.as_bytes()));
    match at.ok().map(|at| modules[at].clone()) {
        Some((_, path, display, source)) => (Some(path), Some(display), Some(source)),
        None => (None, None, None),
    }
}
