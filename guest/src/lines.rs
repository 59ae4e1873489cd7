//! Which line of a team's code ran last, while a repo loads for its definitions: a tail call (`return define_action { … }`)
//! leaves no frame of its caller to ask.
//!
//! A hook in Lua would cost twenty times this for every line, the runtime's own ones included.
#![expect(unsafe_code, reason = "the C interface of Lua's hooks")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int};

use mlua::ffi;
use mlua::prelude::*;

thread_local! {
    /// The display name of the chunk, as far as Lua keeps it, and the line.
    static LAST: RefCell<Option<(CString, c_int)>> = const { RefCell::new(None) };
}

/// Begins to note lines of the main thread, or ends it and forgets the last one.
pub(crate) fn watch(lua: &Lua, on: bool) {
    LAST.take();
    let (hook, mask): (Option<ffi::lua_Hook>, _) = match on {
        true => (Some(note), ffi::LUA_MASKLINE),
        false => (None, 0),
    };
    // SAFETY: the state is alive, and any hook may be set at any time.
    lua.exec_raw_lua(|raw| unsafe { ffi::lua_sethook(raw.state(), hook, mask, 0) });
}

/// The last line that was noted.
pub(crate) fn last() -> Option<(String, c_int)> {
    LAST.with_borrow(|last| {
        let (file, line) = last.as_ref()?;
        Some((file.to_string_lossy().into_owned(), *line))
    })
}

unsafe extern "C-unwind" fn note(state: *mut ffi::lua_State, record: *mut ffi::lua_Debug) {
    // SAFETY: Lua gives a hook the record of the function that runs, with its line in it; `S` fills in the name of its
    // chunk, which ends with a zero. It raises no error.
    let (file, line) = unsafe {
        ffi::lua_getinfo(state, c"S".as_ptr(), record);
        (
            CStr::from_ptr((*record).short_src.as_ptr()),
            (*record).currentline,
        )
    };
    if file == c"[kael]" {
        return;
    }
    LAST.with_borrow_mut(|last| match last {
        Some((noted, at)) if noted.as_c_str() == file => *at = line,
        _ => *last = Some((file.to_owned(), line)),
    });
}
