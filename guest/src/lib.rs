//! The Lua runtime of Kael: a Lua interpreter in a component whose only import is `run-action`.
//!
//! `guest/builder` compiles it to wasm. Its unit tests compile it natively.

mod convert;
mod digests;
mod documents;
mod exports;
mod gate;
mod jq;
mod last_line_hook;
mod natives;
mod repo;
mod report;
mod rules;
mod run;
mod session;
mod suggest;
mod vm;

#[cfg(target_arch = "wasm32")]
mod alloc;
#[cfg(target_arch = "wasm32")]
mod running_thread;
#[cfg(any(target_arch = "wasm32", test))]
mod slabs;
#[cfg(target_arch = "wasm32")]
mod wasi_stubs;

#[allow(
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    reason = "generated from wit/ by wit-bindgen"
)]
mod bindings {
    wit_bindgen::generate!({ world: "guest", path: "../wit", pub_export_macro: true });
    use super::exports::Component;
    export!(Component);
}

/// For the fuzz targets: converts JSON to Lua and back.
#[cfg(fuzzing)]
pub mod fuzzing {
    use mlua::Value;
    use mlua::prelude::*;

    /// The deepest nesting of a document.
    pub const MAX_DEPTH: usize = crate::convert::MAX_DEPTH;

    /// A Lua state for conversions.
    pub struct Converter {
        lua: Lua,
        natives: LuaTable,
    }

    impl Converter {
        /// A new state.
        #[must_use]
        pub fn new() -> Self {
            let lua = Lua::new();
            let natives = crate::natives::table(&lua).expect("the natives");
            Self { lua, natives }
        }

        /// Converts a document to Lua and back, compact and pretty.
        pub fn there_and_back(&self, text: &[u8]) -> Result<(String, String), String> {
            let run = || -> LuaResult<Result<(String, String), String>> {
                let decode: LuaFunction = self.natives.get("decode")?;
                let encode: LuaFunction = self.natives.get("encode")?;
                let text = self.lua.create_string(text)?;
                let (ok, value): (bool, Value) = decode.call((text, true))?;
                if !ok {
                    return Ok(Err(value.to_string()?));
                }
                let compact: (Option<String>, Option<String>) = encode.call((&value, false))?;
                let pretty: (Option<String>, Option<String>) = encode.call((&value, true))?;
                Ok(match (compact, pretty) {
                    ((Some(compact), _), (Some(pretty), _)) => Ok((compact, pretty)),
                    ((_, error), _) => Err(error.unwrap_or_default()),
                })
            };
            run().expect("Lua raises nothing")
        }
    }
}

#[cfg(test)]
mod tests;
