//! Builds the Lua state: the standard library, the natives, and the runtime's own Lua files.

use mlua::prelude::*;

use crate::natives;

/// A Lua state that is ready for its one call, for a session, or for a rule.
pub(crate) struct Vm {
    pub(crate) lua: Lua,
    pub(crate) load_repo: LuaFunction,
    pub(crate) run_script: LuaFunction,
    pub(crate) open_session: LuaFunction,
    pub(crate) evaluate: LuaFunction,
    pub(crate) complete: LuaFunction,
    pub(crate) open_rule: LuaFunction,
    pub(crate) evaluate_batch: LuaFunction,
    pub(crate) save_rule: LuaFunction,
    pub(crate) restore_rule: LuaFunction,
}

/// The runtime's Lua files. Later files use earlier ones.
const RUNTIME: [&str; 16] = [
    include_str!("lua/sandbox.lua"),
    include_str!("lua/failure.lua"),
    include_str!("lua/secret.lua"),
    include_str!("lua/scheduler.lua"),
    include_str!("lua/durable.lua"),
    include_str!("lua/actions.lua"),
    include_str!("lua/require.lua"),
    include_str!("lua/helpers.lua"),
    include_str!("lua/jq.lua"),
    include_str!("lua/report.lua"),
    include_str!("lua/stdlib.lua"),
    include_str!("lua/image.lua"),
    include_str!("lua/run.lua"),
    include_str!("lua/session.lua"),
    include_str!("lua/look.lua"),
    include_str!("lua/rules.lua"),
];

impl Vm {
    pub(crate) fn build() -> LuaResult<Self> {
        let lua = new_state()?;
        let natives = natives::table(&lua)?;
        natives.raw_set("debug", debug_library(&lua)?)?;
        for source in RUNTIME {
            lua.load(source).set_name("=[kael]").call::<()>(&natives)?;
        }
        natives
            .raw_get::<LuaFunction>("note_world")?
            .call::<()>(())?;
        // Garbage would otherwise be in every snapshot.
        lua.gc_collect()?;
        Ok(Self {
            load_repo: natives.get("load_repo")?,
            run_script: natives.get("run_script")?,
            open_session: natives.get("open_session")?,
            evaluate: natives.get("evaluate")?,
            complete: natives.get("complete")?,
            open_rule: natives.get("open_rule")?,
            evaluate_batch: natives.get("evaluate_batch")?,
            save_rule: natives.get("save_rule")?,
            restore_rule: natives.get("restore_rule")?,
            lua,
        })
    }
}

fn new_state() -> LuaResult<Lua> {
    let libs = LuaStdLib::COROUTINE
        | LuaStdLib::TABLE
        | LuaStdLib::STRING
        | LuaStdLib::UTF8
        | LuaStdLib::MATH
        | LuaStdLib::OS;
    // With default options `pcall` and `xpcall` are Lua's own, which a coroutine can yield through.
    let lua = Lua::new_with(libs, LuaOptions::new())?;
    // With the step of 3,200 bytes that Lua has by itself, `s = s .. x` leaves up to seven copies of a large text before the
    // collector comes round; with this one, three.
    let steps = LuaGcIncParams::default().step_size(8000);
    lua.gc_set_mode(LuaGcMode::Incremental(steps));
    #[cfg(target_arch = "wasm32")]
    {
        crate::alloc::adopt(&lua);
        crate::running_thread::adopt(&lua);
    }
    Ok(lua)
}

/// Lua's debug library. It is not a global: the runtime's own files use it, and scripts get only
/// `traceback`.
#[expect(unsafe_code, reason = "mlua does not load the library in a safe state")]
fn debug_library(lua: &Lua) -> LuaResult<LuaTable> {
    // SAFETY: `luaopen_debug` is Lua's own function that returns a table.
    let open = unsafe { lua.create_c_function(mlua::ffi::luaopen_debug)? };
    open.call(())
}
