//! Answers `open-session`, `evaluate` and `complete`: passes the request to `session.lua`, and
//! reads its report.

use mlua::prelude::*;

use crate::bindings::exports::kael::engine::runtime::{
    Chunk, ChunkEnd, ChunkUse, Repo, ScriptError, Stage,
};
use crate::repo;
use crate::run::{script_error, unexpected};
use crate::vm::Vm;

pub(crate) fn open(vm: &Vm, repo: Option<Repo>, interruptible: bool) -> Result<(), ScriptError> {
    let answer = (|| {
        let repo = repo.map(|repo| repo::table(&vm.lua, repo)).transpose()?;
        match vm
            .open_session
            .call::<(Option<bool>, Option<LuaTable>)>((repo, interruptible))?
        {
            (Some(_), _) => Ok(Ok(())),
            (None, report) => script_error(report).map(Err),
        }
    })();
    answer.unwrap_or_else(|error| Err(unexpected(Stage::Repo, &error)))
}

pub(crate) fn evaluate(vm: &Vm, chunk: &Chunk) -> Result<ChunkEnd, ScriptError> {
    let answer = (|| {
        let request = vm.lua.create_table()?;
        request.raw_set("name", chunk.name.as_str())?;
        request.raw_set("line", chunk.line)?;
        request.raw_set("source", chunk.source.as_str())?;
        let use_as = match chunk.use_as {
            ChunkUse::Check => "check",
            ChunkUse::Input => "input",
            ChunkUse::File => "file",
        };
        request.raw_set("use_as", use_as)?;
        match vm
            .evaluate
            .call::<(Option<String>, Option<LuaTable>)>(request)?
        {
            (Some(end), _) if end == "incomplete" => Ok(Ok(ChunkEnd::Incomplete)),
            (Some(_), _) => Ok(Ok(ChunkEnd::Done)),
            (None, report) => script_error(report).map(Err),
        }
    })();
    answer.unwrap_or_else(|error| Err(unexpected(Stage::Script, &error)))
}

pub(crate) fn complete(vm: &Vm, line: &str) -> Vec<String> {
    // Without memory for it there are no completions.
    vm.complete.call(line).unwrap_or_default()
}
