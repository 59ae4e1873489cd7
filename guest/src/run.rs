//! Answers `load-repo` and `run-script`: passes the request to `run.lua` as tables, and reads its
//! report.

use mlua::prelude::*;

use crate::bindings::exports::kael::engine::runtime::{
    Definition, LoadedRepo, Module, Repo, Script, ScriptError, Stage,
};
use crate::natives::kind_of;
use crate::repo;
use crate::vm::Vm;

pub(crate) fn load_repo(vm: &Vm, modules: Vec<Module>) -> Result<LoadedRepo, ScriptError> {
    let answer = (|| {
        let modules = repo::modules(modules);
        let repo = repo::evaluated(&vm.lua, modules.clone())?;
        match vm.load_repo.call::<(Option<LuaTable>, LuaValue)>(repo)? {
            (Some(definitions), image) => {
                let definitions = definitions
                    .sequence_values()
                    .map(|d| definition(&d?))
                    .collect::<LuaResult<_>>()?;
                let image = Option::<String>::from_lua(image, &vm.lua)?;
                Ok(Ok(LoadedRepo {
                    definitions,
                    image: image.and_then(|image| repo::image(image, &modules)),
                }))
            }
            (None, report) => script_error(FromLua::from_lua(report, &vm.lua)?).map(Err),
        }
    })();
    answer.unwrap_or_else(|error| Err(unexpected(Stage::Repo, &error)))
}

pub(crate) fn run_script(
    vm: &Vm,
    repo: Option<Repo>,
    script: &Script,
) -> Result<Option<String>, ScriptError> {
    let answer = (|| {
        let repo = repo.map(|repo| repo::table(&vm.lua, repo)).transpose()?;
        let request = vm.lua.create_table()?;
        request.raw_set("name", script.name.as_str())?;
        request.raw_set("source", vm.lua.create_string(&script.source)?)?;
        request.raw_set("args", script.args.as_slice())?;
        let inputs = vm.lua.create_table()?;
        for (name, bytes) in &script.inputs {
            inputs.raw_set(name.as_str(), vm.lua.create_string(bytes)?)?;
        }
        request.raw_set("inputs", inputs)?;
        request.raw_set("want_result", script.want_result)?;
        match vm
            .run_script
            .call::<(Option<String>, Option<LuaTable>)>((repo, request))?
        {
            (Some(result), _) => Ok(Ok(script.want_result.then_some(result))),
            (None, report) => script_error(report).map(Err),
        }
    })();
    answer.unwrap_or_else(|error| Err(unexpected(Stage::Script, &error)))
}

fn definition(table: &LuaTable) -> LuaResult<Definition> {
    Ok(Definition {
        names: table.raw_get("names")?,
        file: text(table, "file")?,
        line: table.raw_get("line")?,
        body: table.raw_get("body")?,
        error: table
            .raw_get::<Option<LuaString>>("error")?
            .map(|error| error.to_string_lossy()),
    })
}

pub(crate) fn script_error(report: Option<LuaTable>) -> LuaResult<ScriptError> {
    let report = report.ok_or_else(|| LuaError::runtime("the runtime reported nothing"))?;
    let stage = match text(&report, "stage")?.as_str() {
        "repo" => Stage::Repo,
        "syntax" => Stage::Syntax,
        "output" => Stage::Output,
        _ => Stage::Script,
    };
    let frames: LuaTable = report.raw_get("traceback")?;
    let frame = |frame: LuaResult<LuaString>| frame.map(|frame| frame.to_string_lossy());
    let action = match report.raw_get::<Option<LuaString>>("action")? {
        Some(name) => Some((name.to_string_lossy(), kind_of(&text(&report, "kind")?))),
        None => None,
    };
    Ok(ScriptError {
        stage,
        message: text(&report, "message")?,
        traceback: frames
            .sequence_values()
            .map(frame)
            .collect::<LuaResult<_>>()?,
        action,
    })
}

/// A text from a script, which may have any bytes.
fn text(table: &LuaTable, key: &str) -> LuaResult<String> {
    Ok(table.raw_get::<LuaString>(key)?.to_string_lossy())
}

/// An error that the runtime did not report itself, such as one in the error handler.
pub(crate) fn unexpected(stage: Stage, error: &LuaError) -> ScriptError {
    ScriptError {
        stage,
        message: error.to_string(),
        traceback: Vec::new(),
        action: None,
    }
}
