//! Modules beside a script of Assay's: `./modules`, then `$ASSAY_MODULES_PATH` or `~/.assay/modules`.
//!
//! Their text is given to the run as inputs; they are as confined as the script.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use kael_engine::environment::Environment;
use kael_engine::executor::unblocked;

/// All modules together may have this many bytes.
const MAX_BYTES: u64 = 16 << 20;
/// So many modules.
const MAX_FILES: usize = 1000;
/// Folders lie in one another at most so deep.
const MAX_DEPTH: usize = 8;

/// Lua that makes `require("assay.NAME")` find the inputs, before the modules of Kael.
pub(crate) const PRELUDE: &str = "do local load=load for k,v in next,inputs do local n,p=k:match('^module:([^:]+):(.*)$') \
if n then package.preload[n]=function(...) local f,e=load((v:gsub('^#[^\\n]*','')),'@'..p,'t') if not f then error(e,0) end return f(...) end end end end ";

/// The modules, as inputs by the names `module:assay.NAME:FILE`.
pub(crate) fn inputs(environment: &Environment) -> Result<Vec<(String, Vec<u8>)>, String> {
    let home = || Some(Path::new(environment.get("HOME")?).join(".assay/modules"));
    let shared = environment
        .get("ASSAY_MODULES_PATH")
        .map(PathBuf::from)
        .or_else(home);
    let mut found = BTreeMap::new();
    for folder in [Some(PathBuf::from("modules")), shared]
        .into_iter()
        .flatten()
    {
        collect(&folder, "assay", 0, &mut found)?;
    }
    let mut bytes = 0;
    let mut inputs = Vec::new();
    for (name, path) in found {
        // What has become a link or a FIFO meanwhile is neither followed nor waited for.
        let mut text = Vec::new();
        unblocked::open_plain(&path)
            .and_then(|file| file.take(MAX_BYTES - bytes + 1).read_to_end(&mut text))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        bytes += text.len() as u64;
        if bytes > MAX_BYTES {
            return Err(format!(
                "the modules beside the script have more than {} MiB",
                MAX_BYTES >> 20
            ));
        }
        inputs.push((format!("module:{name}:{}", path.display()), text));
    }
    Ok(inputs)
}

/// Adds the Lua files of a folder whose names are still free. Links are passed over: they could
/// lead to any file of this machine.
fn collect(
    folder: &Path,
    name: &str,
    depth: usize,
    found: &mut BTreeMap<String, PathBuf>,
) -> Result<(), String> {
    let is_folder = fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir());
    if !is_folder || depth > MAX_DEPTH {
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries.flatten() {
        let (path, kind) = (entry.path(), entry.file_type());
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let kind = kind.map_err(|error| format!("{}: {error}", path.display()))?;
        if kind.is_dir() {
            collect(&path, &format!("{name}.{stem}"), depth + 1, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "lua") {
            let module = match stem {
                "init" => name.to_owned(),
                stem => format!("{name}.{stem}"),
            };
            found.entry(module).or_insert(path);
            if found.len() > MAX_FILES {
                return Err(format!(
                    "there are more than {MAX_FILES} modules in {}",
                    folder.display()
                ));
            }
        }
    }
    Ok(())
}
