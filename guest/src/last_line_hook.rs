//! Records the last line of the team's code that ran while a repo loads. A tail call (`return
//! define_action { … }`) leaves no frame of its caller, so the line must be recorded before.
//!
//! A hook in Lua would cost twenty times as much for every line, including the runtime's own.
#![expect(unsafe_code, reason = "the C interface of Lua's hooks")]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};

use mlua::ffi;
use mlua::prelude::*;

/// A chunk's display name as Lua keeps it (`LUA_IDSIZE`), with a zero at the end.
type Name = [c_char; 60];

thread_local! {
    /// The last line that ran.
    static LAST: Cell<Option<(Name, c_int)>> = const { Cell::new(None) };
}

/// Starts recording lines of the main thread and of coroutines made from now on. Or stops it for
/// the main thread, and forgets the last line.
pub(crate) fn watch(lua: &Lua, on: bool) {
    LAST.take();
    let (hook, mask): (Option<ffi::lua_Hook>, _) = match on {
        true => (Some(note), ffi::LUA_MASKLINE),
        false => (None, 0),
    };
    // SAFETY: the state is alive. A hook may be set at any time.
    lua.exec_raw_lua(|raw| unsafe { ffi::lua_sethook(raw.state(), hook, mask, 0) });
}

/// The last line.
pub(crate) fn last() -> Option<(String, c_int)> {
    let (name, line) = LAST.get()?;
    // SAFETY: Lua ended the name with a zero.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    Some((name.to_string_lossy().into_owned(), line))
}

unsafe extern "C-unwind" fn note(state: *mut ffi::lua_State, record: *mut ffi::lua_Debug) {
    // SAFETY: Lua passes the record of the running function, with its line. `S` adds the name of
    // its chunk, which ends with a zero. It raises no error.
    let (name, line, own) = unsafe {
        ffi::lua_getinfo(state, c"S".as_ptr(), record);
        let name = (*record).short_src;
        let own = CStr::from_ptr(name.as_ptr()) == c"[kael]";
        (name, (*record).currentline, own)
    };
    if !own {
        LAST.set(Some((name, line)));
    }
}
