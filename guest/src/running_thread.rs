//! Records which Lua thread runs. The host reads it after it has ended a run, when the guest cannot
//! answer any more.
#![expect(
    unsafe_code,
    reason = "takes the place of a function of Lua's C interface"
)]

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

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
