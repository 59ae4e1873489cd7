//! The Lua runtime of Kael: a Lua interpreter in a component that can do one thing to the world, call `run-action`.
//!
//! It is compiled to wasm by `guest/builder` and natively for its unit tests.

mod convert;
mod exported;
mod gate;
mod jq;
mod lines;
mod natives;
mod repo;
mod report;
mod run;
mod session;
mod suggest;
mod vm;

#[cfg(target_arch = "wasm32")]
mod alloc;
#[cfg(target_arch = "wasm32")]
mod nowasi;
#[cfg(target_arch = "wasm32")]
mod position;
#[cfg(any(target_arch = "wasm32", test))]
mod slabs;

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
    use super::exported::Component;
    export!(Component);
}

/// For the fuzz targets: JSON to Lua and back.
#[cfg(fuzzing)]
pub mod fuzzing {
    use mlua::Value;
    use mlua::prelude::*;

    /// Levels that a document may nest.
    pub const MAX_DEPTH: usize = crate::convert::MAX_DEPTH;

    /// A Lua state for values to pass through.
    pub struct Converter {
        lua: Lua,
        natives: LuaTable,
    }

    impl Converter {
        /// A fresh state.
        #[must_use]
        pub fn new() -> Self {
            let lua = Lua::new();
            let natives = crate::natives::table(&lua).expect("the natives");
            Self { lua, natives }
        }

        /// The document as Lua would write it, compact and pretty.
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
