//! JSON to Lua and back, exactly: what goes out and comes in again is the same value.

mod decode;
mod encode;

use mlua::prelude::*;

pub(crate) use decode::{Nulls, decode};
pub(crate) use encode::{encode, encode_params};

/// Levels of arrays and objects that a document may nest, both ways.
pub(crate) const MAX_DEPTH: usize = 128;

/// Tells arrays from objects: the metatable that marks a table as an array even when it is empty.
#[derive(Clone)]
pub(crate) struct Arrays {
    metatable: LuaTable,
    pointer: *const std::ffi::c_void,
}

impl Arrays {
    pub(crate) fn new(metatable: LuaTable) -> Self {
        let pointer = metatable.to_pointer();
        Self { metatable, pointer }
    }

    fn mark(&self, table: &LuaTable) -> LuaResult<()> {
        table.set_metatable(Some(self.metatable.clone()))
    }

    fn is_marked(&self, table: &LuaTable) -> bool {
        table
            .metatable()
            .is_some_and(|metatable| metatable.to_pointer() == self.pointer)
    }
}

#[cfg(test)]
mod tests;
