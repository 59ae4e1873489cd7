//! Functions that `guest/core.c` adds to Lua's API. Unit tests run with unchanged Lua, so here they
//! are written with that API.
//!
//! Each function takes the state of the running native, and counts slots from its first argument,
//! which is 1. None raises an error, except for memory, and `next` for a key that is not in the
//! table.
#![expect(unsafe_code, reason = "the C interface of Lua, for `stack` alone")]

use std::ffi::{c_int, c_void};

/// A stack slot, like `KaelSlot` in `guest/core.c`.
#[repr(C)]
pub(super) struct Raw {
    /// `LUA_T*`, or `INTEGER`.
    pub(super) kind: c_int,
    /// Bytes of a string.
    pub(super) length: usize,
    pub(super) is: Is,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) union Is {
    pub(super) integer: i64,
    pub(super) number: f64,
    /// The bytes of a string, the identity of a table, or the value of a light userdata. For a
    /// boolean, null is false.
    pub(super) at: *const c_void,
}

/// The kind of a number that is an integer.
pub(super) const INTEGER: c_int = 102;

impl Raw {
    pub(super) const fn new() -> Self {
        Self {
            kind: mlua::ffi::LUA_TNIL,
            length: 0,
            is: Is { integer: 0 },
        }
    }
}

#[cfg(target_arch = "wasm32")]
unsafe extern "C-unwind" {
    /// Reads a slot. Nil if it does not exist.
    #[link_name = "kael_slot"]
    pub(super) fn slot(state: *mut mlua::ffi::lua_State, at: c_int, slot: *mut Raw);
    /// Like `lua_next`. -1 if there is no table below the key.
    #[link_name = "kael_next"]
    pub(super) fn next(state: *mut mlua::ffi::lua_State, at: c_int) -> c_int;
    /// Cuts the stack. 0 if it would grow.
    #[link_name = "kael_cut"]
    pub(super) fn cut(state: *mut mlua::ffi::lua_State, top: c_int) -> c_int;
    /// Makes a table at `at` from the values above it (or pairs of a string and a value), and pops
    /// them. 0 if the values have other types.
    #[link_name = "kael_fill"]
    pub(super) fn fill(
        state: *mut mlua::ffi::lua_State,
        at: c_int,
        count: c_int,
        pairs: c_int,
    ) -> c_int;
    /// Whether a table has a finaliser that has not run.
    #[link_name = "kael_finalizers"]
    pub(super) fn finalizers(state: *mut mlua::ffi::lua_State) -> c_int;
    /// Runs the finalisers of all tables. Afterwards no object can get one.
    #[link_name = "kael_finalize"]
    pub(super) fn finalize(state: *mut mlua::ffi::lua_State);
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) use plain::{cut, fill, finalize, finalizers, next, slot};

#[cfg(not(target_arch = "wasm32"))]
mod plain {
    use std::ffi::c_int;

    use mlua::ffi;

    use super::{INTEGER, Raw};

    pub(in crate::convert) unsafe fn slot(state: *mut ffi::lua_State, at: c_int, slot: *mut Raw) {
        // SAFETY: any slot may be read. Numbers and strings are read as they are, so nothing is
        // converted.
        unsafe {
            let slot = &mut *slot;
            slot.kind = match at {
                1.. => ffi::lua_type(state, at).max(ffi::LUA_TNIL),
                _ => ffi::LUA_TNIL,
            };
            match slot.kind {
                ffi::LUA_TBOOLEAN if ffi::lua_toboolean(state, at) != 0 => {
                    slot.is.at = state.cast()
                }
                ffi::LUA_TBOOLEAN => slot.is.at = std::ptr::null(),
                ffi::LUA_TNUMBER if ffi::lua_isinteger(state, at) != 0 => {
                    slot.kind = INTEGER;
                    slot.is.integer = ffi::lua_tointegerx(state, at, std::ptr::null_mut());
                }
                ffi::LUA_TNUMBER => {
                    slot.is.number = ffi::lua_tonumberx(state, at, std::ptr::null_mut());
                }
                ffi::LUA_TSTRING => {
                    slot.is.at = ffi::lua_tolstring(state, at, &raw mut slot.length).cast();
                }
                _ => slot.is.at = ffi::lua_topointer(state, at),
            }
        }
    }

    pub(in crate::convert) unsafe fn next(state: *mut ffi::lua_State, at: c_int) -> c_int {
        // SAFETY: the slot holds a table. The caller guarantees the key.
        unsafe {
            let below = (1..ffi::lua_gettop(state)).contains(&at);
            if below && ffi::lua_type(state, at) == ffi::LUA_TTABLE {
                ffi::lua_next(state, at)
            } else {
                -1
            }
        }
    }

    pub(in crate::convert) unsafe fn cut(state: *mut ffi::lua_State, top: c_int) -> c_int {
        // SAFETY: a lower top needs no room.
        unsafe {
            let shrinks = (0..=ffi::lua_gettop(state)).contains(&top);
            if shrinks {
                ffi::lua_settop(state, top);
            }
            shrinks.into()
        }
    }

    pub(in crate::convert) unsafe fn fill(
        state: *mut ffi::lua_State,
        at: c_int,
        count: c_int,
        pairs: c_int,
    ) -> c_int {
        // SAFETY: there is room for a table and a pair, the slots are there, and keys are strings.
        unsafe {
            let each = if pairs != 0 { 2 } else { 1 };
            if at < 1 || count < 0 || ffi::lua_gettop(state) != at + each * count {
                return 0;
            }
            let is_key = |n: c_int| ffi::lua_type(state, at + 1 + 2 * n) == ffi::LUA_TSTRING;
            if pairs != 0 && !(0..count).all(is_key) {
                return 0;
            }
            ffi::lua_createtable(state, 0, 0);
            ffi::lua_copy(state, -1, at);
            ffi::lua_settop(state, -2);
            for n in 0..count {
                if pairs != 0 {
                    ffi::lua_pushvalue(state, at + 1 + 2 * n);
                    ffi::lua_pushvalue(state, at + 2 + 2 * n);
                    ffi::lua_rawset(state, at);
                } else {
                    ffi::lua_pushvalue(state, at + 1 + n);
                    ffi::lua_rawseti(state, at, (n + 1).into());
                }
            }
            ffi::lua_settop(state, at);
            1
        }
    }

    /// Lua's API has no such function. This collects garbage instead, which runs the finalisers of
    /// unreachable tables.
    pub(in crate::convert) unsafe fn finalizers(state: *mut ffi::lua_State) -> c_int {
        // SAFETY: a collection may run wherever Lua allocates.
        unsafe {
            ffi::lua_gc(state, ffi::LUA_GCCOLLECT);
            ffi::lua_gc(state, ffi::LUA_GCCOLLECT);
        }
        0
    }
    /// As above.
    pub(in crate::convert) unsafe fn finalize(state: *mut ffi::lua_State) {
        // SAFETY: as above.
        unsafe { finalizers(state) };
    }
}
