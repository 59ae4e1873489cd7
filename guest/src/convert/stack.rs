//! Lua's stack for natives: the raw C interface behind safe methods.
//!
//! mlua pins every value that it returns, which costs more than most natives. So they use the stack
//! directly. This is sound for two reasons:
//!
//! - No method raises a Lua error, which would jump over Rust's frames: `raise` only asks for one,
//!   and `enter` raises it when the native has returned. All accesses are raw, so
//!   only running out of memory could raise one. Then the guest's allocator ends the run; in unit
//!   tests, mlua's aborts.
//! - Pushing a value may run a script's finaliser. It cannot reach the stack of another function. A
//!   change of a table matters only to `next`, between whose calls only the allowed pushes may
//!   happen.
#![expect(
    unsafe_code,
    reason = "the C interface of Lua, here and in `raw` and nowhere else among the natives"
)]

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

use mlua::ffi;
use mlua::prelude::*;

use super::raw::{self, Raw};

/// A native function. It takes its arguments from the stack, and returns the number of its results.
pub(crate) trait Native {
    fn call(stack: &mut Stack<'_>) -> c_int;
}

/// What a native returns to raise the error on top of the stack, see [`Stack::raise`].
const RAISE: c_int = -1;

/// The stack of one native call.
pub(crate) struct Stack<'a> {
    state: *mut ffi::lua_State,
    _call: PhantomData<&'a mut ffi::lua_State>,
}

/// The value in a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Slot<'a> {
    Nil,
    /// `json.null`.
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    /// The bytes.
    String(&'a [u8]),
    /// The table's identity.
    Table(*const c_void),
    /// Any other value, by the name of its type.
    Other(&'static str),
}

impl Slot<'_> {
    /// The name from Lua's `type`.
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

/// A Lua function that runs `N`. Its upvalue is the metatable of arrays.
pub(crate) fn function<N: Native>(lua: &Lua, array_mt: &LuaTable) -> LuaResult<LuaFunction> {
    // SAFETY: Lua calls the closure in protected mode, with the metatable as the only argument. It
    // leaves the function in its place.
    unsafe {
        lua.exec_raw(array_mt, |state| {
            ffi::lua_pushcclosure(state, enter::<N>, 1);
        })
    }
}

unsafe extern "C-unwind" fn enter<N: Native>(state: *mut ffi::lua_State) -> c_int {
    let results = N::call(&mut Stack {
        state,
        _call: PhantomData,
    });
    if results != RAISE {
        return results;
    }
    // SAFETY: the native has returned, so no frame of Rust's but this one is jumped over, and this
    // one holds nothing. The message is on top of the stack, which has room for two more values.
    unsafe {
        ffi::luaL_where(state, 1);
        ffi::lua_insert(state, -2);
        ffi::lua_concat(state, 2);
        ffi::lua_error(state)
    }
}

/// The key of a handle's only entry: the name of the secret.
pub(crate) const HANDLE: &str = "$secret";

/// What a table is, by its metatable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mark {
    Array,
    /// The handle of a secret.
    Secret,
    None,
}

/// The place of the metatable of handles in the registry.
fn secret_key() -> *const c_void {
    static KEY: u8 = 0;
    (&raw const KEY).cast()
}

/// Makes a table the metatable of the handles of secrets.
pub(crate) fn set_secret_mt(lua: &Lua, secret_mt: &LuaTable) -> LuaResult<()> {
    // SAFETY: the metatable is the only argument, and is popped.
    unsafe {
        lua.exec_raw(secret_mt, |state| {
            ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, secret_key());
        })
    }
}

/// The upvalue of every native: the metatable that marks a table as an array.
const ARRAY_MT: c_int = ffi::lua_upvalueindex(1);

impl Stack<'_> {
    /// Pushes an error, which is raised at the line of the caller when the native has returned the
    /// value of this.
    pub(crate) fn raise(&mut self, message: &str) -> c_int {
        self.push_string(message);
        RAISE
    }

    /// The slot of the value on top.
    pub(crate) fn top(&self) -> c_int {
        // SAFETY: `state` belongs to the running function, here and below.
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// Whether a table has a finaliser that has not run.
    pub(crate) fn has_finalizers(&mut self) -> bool {
        // SAFETY: no precondition.
        unsafe { raw::finalizers(self.state) != 0 }
    }

    /// Runs the finalisers of all tables, the newest first. No garbage is collected afterwards.
    pub(crate) fn finalize(&mut self) {
        // SAFETY: a native is running, and errors of finalisers are only warnings.
        unsafe { raw::finalize(self.state) };
    }

    /// Cuts the stack to `top` slots.
    pub(crate) fn cut(&mut self, top: c_int) {
        // SAFETY: no precondition; growing is refused.
        let shrinks = unsafe { raw::cut(self.state, top) != 0 };
        assert!(shrinks, "the stack shrinks");
    }

    /// Reserves slots for more values. Returns false if that is impossible.
    pub(crate) fn reserve(&mut self, slots: c_int) -> bool {
        // SAFETY: no precondition; a refusal is a return value.
        unsafe { ffi::lua_checkstack(self.state, slots) != 0 }
    }

    /// The value in a slot. Nil if the slot does not exist.
    pub(crate) fn slot(&self, at: c_int) -> Slot<'_> {
        let mut slot = Raw::new();
        // SAFETY: any slot may be read, and the kind says which field is set. A string's bytes stay
        // in place while the string lives. Changing the stack needs `&mut self`, which ends this
        // borrow.
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
        // SAFETY: any slot may be read, here and below.
        unsafe { ffi::lua_type(self.state, at) == ffi::LUA_TTABLE }
    }

    fn is_string(&self, at: c_int) -> bool {
        // SAFETY: as above.
        unsafe { ffi::lua_type(self.state, at) == ffi::LUA_TSTRING }
    }

    /// The bytes of a string. Empty if the slot holds no string.
    pub(crate) fn bytes(&self, at: c_int) -> &[u8] {
        match self.slot(at) {
            Slot::String(bytes) => bytes,
            _ => &[],
        }
    }

    /// A string's text, with U+FFFD for bytes that are not UTF-8.
    pub(crate) fn text(&self, at: c_int) -> String {
        String::from_utf8_lossy(self.bytes(at)).into_owned()
    }

    /// The length of a table without metamethods.
    pub(crate) fn length(&self, table: c_int) -> i64 {
        assert!(self.is_table(table));
        // SAFETY: the slot holds a table.
        unsafe { ffi::lua_rawlen(self.state, table) as i64 }
    }

    /// What the metatable of a table says that it is. Needs two free slots.
    pub(crate) fn mark(&mut self, table: c_int) -> Mark {
        // SAFETY: the pushed values are popped again. Every native has the upvalue.
        unsafe {
            if ffi::lua_getmetatable(self.state, table) == 0 {
                return Mark::None;
            }
            let own = ffi::lua_topointer(self.state, -1);
            ffi::lua_rawgetp(self.state, ffi::LUA_REGISTRYINDEX, secret_key());
            let secret = ffi::lua_topointer(self.state, -1);
            ffi::lua_settop(self.state, -3);
            if own == ffi::lua_topointer(self.state, ARRAY_MT) {
                Mark::Array
            } else if own == secret {
                Mark::Secret
            } else {
                Mark::None
            }
        }
    }

    /// Whether a key and the value above it are those of a handle. There are no others.
    pub(crate) fn is_handle_entry(&self, key: c_int) -> bool {
        self.bytes(key) == HANDLE.as_bytes() && self.is_string(key + 1)
    }

    /// Makes a table the handle of a secret.
    pub(crate) fn mark_handle(&mut self, table: c_int) {
        assert!(self.is_table(table));
        // SAFETY: a table or nil is pushed and popped; room was made.
        unsafe {
            ffi::lua_rawgetp(self.state, ffi::LUA_REGISTRYINDEX, secret_key());
            ffi::lua_setmetatable(self.state, table);
        }
    }

    /// The name in the handle of a secret. Needs two free slots.
    pub(crate) fn handle_name(&mut self, table: c_int) -> Option<String> {
        let top = self.top();
        let mut name = None;
        self.push_nil();
        while self.next(table) {
            if self.is_handle_entry(top + 1) {
                name = Some(self.text(top + 2));
            }
            self.cut(top + 1);
        }
        name
    }

    /// Pops a key, and pushes the next pair of the table. Pushes nothing after the last pair.
    ///
    /// Start with nil as the key. Between two calls, push no string or table: that may collect
    /// garbage, and so run a finaliser that changes the table.
    pub(crate) fn next(&mut self, table: c_int) -> bool {
        // SAFETY: a value that is not a table is refused. A key that is not in the table would
        // raise an error; this key came from the last call, and the table has not changed.
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

    /// Puts a new table into the slot below the top `count` values, and moves them into it as a
    /// list.
    pub(crate) fn fill_list(&mut self, at: c_int, count: c_int) {
        // SAFETY: three slots were reserved; other values are refused.
        let filled = unsafe { raw::fill(self.state, at, count, 0) != 0 };
        assert!(filled, "the slots are there");
    }

    /// Puts a new table below the top `count` pairs of a string and a value, and moves them into
    /// it. The last of equal keys wins.
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
        // SAFETY: the slot holds a table below the pair, and a string is a valid key.
        unsafe { ffi::lua_rawset(self.state, table) }
    }

    /// Collects all garbage.
    pub(crate) fn collect(&mut self) {
        // SAFETY: a native is running, so the state can collect. Errors of finalisers are only
        // warnings.
        unsafe { ffi::lua_gc(self.state, ffi::LUA_GCCOLLECT) };
    }
}
