//! Lua's stack as the natives see it: the raw C interface behind methods that keep its rules.
//!
//! mlua pins every value that it hands out, which costs more than the work of the natives themselves. They speak to the
//! stack instead. What this rests on:
//!
//! - No method raises a Lua error, so none jumps over the frames of Rust. The accesses are raw, which leaves one error:
//!   no more memory. The guest's allocator ends the run then, and mlua's, in unit tests, aborts.
//! - Pushing may run the finalisers of a script. They cannot reach the stack of another function, and what they do to a
//!   table matters only to `next`, between whose calls nothing may be pushed but what `Stack` itself says.
#![expect(
    unsafe_code,
    reason = "the C interface of Lua, here and in `raw` and nowhere else among the natives"
)]

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

use mlua::ffi;
use mlua::prelude::*;

use super::raw::{self, Raw};

/// A native function: takes its arguments from the stack and says how many results it left on top.
pub(crate) trait Native {
    fn call(stack: &mut Stack<'_>) -> c_int;
}

/// The stack of one call of a native function.
pub(crate) struct Stack<'a> {
    state: *mut ffi::lua_State,
    _call: PhantomData<&'a mut ffi::lua_State>,
}

/// What stands in a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Slot<'a> {
    Nil,
    /// `json.null`.
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    /// Its bytes.
    String(&'a [u8]),
    /// What tells it apart from others.
    Table(*const c_void),
    /// Something else, by the name of its type.
    Other(&'static str),
}

impl Slot<'_> {
    /// What Lua's `type` says of it.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Slot::Nil => "nil",
            Slot::Null => "userdata",
            Slot::Boolean(_) => "boolean",
            Slot::Integer(_) | Slot::Number(_) => "number",
            Slot::String(_) => "string",
            Slot::Table(_) => "table",
            Slot::Other(name) => name,
        }
    }
}

/// A function of Lua's that runs `N`. The metatable that marks arrays is its upvalue.
pub(crate) fn function<N: Native>(lua: &Lua, array_mt: &LuaTable) -> LuaResult<LuaFunction> {
    // SAFETY: the closure is called with the metatable as its one argument on the stack, in protected mode, and leaves
    // the function in its place.
    unsafe {
        lua.exec_raw(array_mt, |state| {
            ffi::lua_pushcclosure(state, enter::<N>, 1);
        })
    }
}

unsafe extern "C-unwind" fn enter<N: Native>(state: *mut ffi::lua_State) -> c_int {
    N::call(&mut Stack {
        state,
        _call: PhantomData,
    })
}

/// The upvalue of every native: the metatable that marks a table as an array even when it is empty.
const ARRAY_MT: c_int = ffi::lua_upvalueindex(1);

impl Stack<'_> {
    /// The slot that was pushed last.
    pub(crate) fn top(&self) -> c_int {
        // SAFETY: `state` is the running function's, here and in all that follows.
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// Whether a table has a finaliser that has not run.
    pub(crate) fn has_finalizers(&mut self) -> bool {
        // SAFETY: no precondition.
        unsafe { raw::finalizers(self.state) != 0 }
    }

    /// Calls the finalisers of all tables, the last made first. Nothing is collected afterwards.
    pub(crate) fn finalize(&mut self) {
        // SAFETY: a native runs, and a finaliser's errors are warnings; no precondition otherwise.
        unsafe { raw::finalize(self.state) };
    }

    /// Cuts the stack to `top` slots.
    pub(crate) fn cut(&mut self, top: c_int) {
        // SAFETY: no precondition; what would grow is refused.
        let shrinks = unsafe { raw::cut(self.state, top) != 0 };
        assert!(shrinks, "the stack shrinks");
    }

    /// Makes room for so many more values; false when there cannot be.
    pub(crate) fn reserve(&mut self, slots: c_int) -> bool {
        // SAFETY: no precondition; a refusal is an answer and no error.
        unsafe { ffi::lua_checkstack(self.state, slots) != 0 }
    }

    /// What stands in a slot; nil where there is none.
    pub(crate) fn slot(&self, at: c_int) -> Slot<'_> {
        let mut slot = Raw::new();
        // SAFETY: any slot may be asked, and what was asked says which field holds. The bytes of a string stay where they
        // are as long as it does; whatever changes the stack needs `&mut self`, which ends this borrow.
        unsafe {
            raw::slot(self.state, at, &raw mut slot);
            match slot.kind {
                ffi::LUA_TNIL => Slot::Nil,
                ffi::LUA_TBOOLEAN => Slot::Boolean(!slot.is.at.is_null()),
                raw::INTEGER => Slot::Integer(slot.is.integer),
                ffi::LUA_TNUMBER => Slot::Number(slot.is.number),
                ffi::LUA_TSTRING => {
                    let start = slot.is.at.cast();
                    Slot::String(std::slice::from_raw_parts(start, slot.length))
                }
                ffi::LUA_TTABLE => Slot::Table(slot.is.at),
                ffi::LUA_TFUNCTION => Slot::Other("function"),
                ffi::LUA_TTHREAD => Slot::Other("thread"),
                ffi::LUA_TLIGHTUSERDATA if slot.is.at.is_null() => Slot::Null,
                _ => Slot::Other("userdata"),
            }
        }
    }

    fn is_table(&self, at: c_int) -> bool {
        // SAFETY: any slot may be asked, here and below.
        unsafe { ffi::lua_type(self.state, at) == ffi::LUA_TTABLE }
    }

    fn is_string(&self, at: c_int) -> bool {
        // SAFETY: as above.
        unsafe { ffi::lua_type(self.state, at) == ffi::LUA_TSTRING }
    }

    /// The bytes of a string; empty when there is none in the slot.
    pub(crate) fn bytes(&self, at: c_int) -> &[u8] {
        match self.slot(at) {
            Slot::String(bytes) => bytes,
            _ => &[],
        }
    }

    /// The text of a string, with U+FFFD for what is not UTF-8.
    pub(crate) fn text(&self, at: c_int) -> String {
        String::from_utf8_lossy(self.bytes(at)).into_owned()
    }

    /// A border of a table: the length that `#` gives without metamethods.
    pub(crate) fn length(&self, table: c_int) -> i64 {
        assert!(self.is_table(table));
        // SAFETY: the slot holds a table.
        unsafe { ffi::lua_rawlen(self.state, table) as i64 }
    }

    /// Whether a table is marked as an array. Needs room for one value.
    pub(crate) fn is_array(&mut self, table: c_int) -> bool {
        // SAFETY: what is pushed is popped again; the upvalue is there for every native.
        unsafe {
            if ffi::lua_getmetatable(self.state, table) == 0 {
                return false;
            }
            let own = ffi::lua_topointer(self.state, -1);
            ffi::lua_settop(self.state, -2);
            own == ffi::lua_topointer(self.state, ARRAY_MT)
        }
    }

    /// Pops a key and pushes the pair that follows it in the table; pushes nothing after the last.
    ///
    /// Begins with nil for a key. Between two calls nothing may run that could change the table: no push of a string or
    /// table, which may collect garbage and so run a script's finaliser.
    pub(crate) fn next(&mut self, table: c_int) -> bool {
        // SAFETY: what is no table is refused. A key that the table does not hold would raise an error; it was the last
        // call's, and the table is as it was then.
        let more = unsafe { raw::next(self.state, table) };
        assert!(more >= 0, "a table is walked");
        more != 0
    }

    /// Pushes an element of a list.
    pub(crate) fn push_element(&mut self, table: c_int, index: i64) {
        assert!(self.is_table(table));
        // SAFETY: the slot holds a table; the access is raw. The caller made room, here and below.
        unsafe { ffi::lua_rawgeti(self.state, table, index) };
    }

    pub(crate) fn push_nil(&mut self) {
        // SAFETY: room was made.
        unsafe { ffi::lua_pushnil(self.state) }
    }

    /// Pushes `json.null`.
    pub(crate) fn push_null(&mut self) {
        // SAFETY: room was made.
        unsafe { ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut()) }
    }

    pub(crate) fn push_boolean(&mut self, value: bool) {
        // SAFETY: room was made.
        unsafe { ffi::lua_pushboolean(self.state, value.into()) }
    }

    pub(crate) fn push_integer(&mut self, value: i64) {
        // SAFETY: room was made.
        unsafe { ffi::lua_pushinteger(self.state, value) }
    }

    pub(crate) fn push_number(&mut self, value: f64) {
        // SAFETY: room was made.
        unsafe { ffi::lua_pushnumber(self.state, value) }
    }

    pub(crate) fn push_string(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        // SAFETY: room was made; Lua copies the bytes.
        unsafe { ffi::lua_pushlstring(self.state, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// Puts a new table into the slot below the top `count` values, and moves them into it as a list.
    pub(crate) fn fill_list(&mut self, at: c_int, count: c_int) {
        // SAFETY: room was made for three values; what stands elsewhere is refused.
        let filled = unsafe { raw::fill(self.state, at, count, 0) != 0 };
        assert!(filled, "the slots are there");
    }

    /// Puts a new table into the slot below the top `count` pairs of a string and a value, and moves them into it: the last
    /// of two equal keys holds.
    pub(crate) fn fill_object(&mut self, at: c_int, count: c_int) {
        // SAFETY: as above.
        let filled = unsafe { raw::fill(self.state, at, count, 1) != 0 };
        assert!(filled, "the slots are there, and keys are strings");
    }

    /// Marks a table as an array.
    pub(crate) fn mark_array(&mut self, table: c_int) {
        assert!(self.is_table(table));
        // SAFETY: the upvalue is a table; room was made.
        unsafe {
            ffi::lua_pushvalue(self.state, ARRAY_MT);
            ffi::lua_setmetatable(self.state, table);
        }
    }

    /// Pops a value into a list.
    pub(crate) fn set_element(&mut self, table: c_int, index: i64) {
        assert!(self.is_table(table) && self.top() > table);
        // SAFETY: the slot holds a table below the value.
        unsafe { ffi::lua_rawseti(self.state, table, index) }
    }

    /// Pops a key, a string, and above it its value into a table.
    pub(crate) fn set_pair(&mut self, table: c_int) {
        assert!(self.is_table(table) && self.top() > table + 1);
        assert!(self.is_string(-2));
        // SAFETY: the slot holds a table below the pair, and a string can be a key.
        unsafe { ffi::lua_rawset(self.state, table) }
    }

    /// Collects all garbage.
    pub(crate) fn collect(&mut self) {
        // SAFETY: a native runs, so the state can collect; errors of finalisers are warnings.
        unsafe { ffi::lua_gc(self.state, ffi::LUA_GCCOLLECT) };
    }
}
