//! Records which Lua thread runs. The host reads it after it has ended a run, when the guest cannot
//! answer any more; and a run that is looked at is opened in that thread.
#![expect(
    unsafe_code,
    reason = "takes the place of a function of Lua's C interface"
)]

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use mlua::prelude::{LuaFunction, LuaResult};
use mlua::{Lua, ffi};

/// The host looks this name up.
#[unsafe(no_mangle)]
static kael_running: AtomicPtr<ffi::lua_State> = AtomicPtr::new(ptr::null_mut());

/// The main thread runs first.
pub(crate) fn adopt(lua: &Lua) {
    lua.exec_raw_lua(|raw| kael_running.store(raw.state(), Relaxed));
}

unsafe extern "C-unwind" {
    fn __real_lua_resume(
        thread: *mut ffi::lua_State,
        from: *mut ffi::lua_State,
        arguments: c_int,
        results: *mut c_int,
    ) -> c_int;
}

/// The builder links every use of `lua_resume` to this (`--wrap`).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __wrap_lua_resume(
    thread: *mut ffi::lua_State,
    from: *mut ffi::lua_State,
    arguments: c_int,
    results: *mut c_int,
) -> c_int {
    let before = kael_running.swap(thread, Relaxed);
    // SAFETY: the arguments come from the caller. Errors of the thread are in its status; none
    // jumps over this frame.
    let status = unsafe { __real_lua_resume(thread, from, arguments, results) };
    kael_running.store(before, Relaxed);
    status
}

/// The place in the registry of the function that opens a run that is looked at.
fn look_key() -> *const c_void {
    static KEY: u8 = 0;
    (&raw const KEY).cast()
}

/// Keeps the function that opens a run that is looked at.
pub(crate) fn on_look(lua: &Lua, look: &LuaFunction) -> LuaResult<()> {
    // SAFETY: the function is the only argument, and is popped.
    unsafe {
        lua.exec_raw(look, |state| {
            ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, look_key());
        })
    }
}

/// Calls that function in the thread that runs, so that it sees the frames there.
pub(crate) fn look() {
    let state = kael_running.load(Relaxed);
    // SAFETY: a native of this thread is running. Errors of the function are caught here, and the stack is as before.
    unsafe {
        if ffi::lua_checkstack(state, 4) == 0 {
            return;
        }
        ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, look_key());
        if ffi::lua_pcall(state, 0, 0, 0) != ffi::LUA_OK {
            ffi::lua_pop(state, 1);
        }
    }
}
