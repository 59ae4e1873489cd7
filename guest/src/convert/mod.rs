//! Converts JSON to Lua and back without loss.

mod decode;
mod encode;
pub(crate) mod explain;
mod raw;
pub(crate) mod stack;

pub(crate) use decode::{Nulls, decode, decode_result, decode_text};
pub(crate) use encode::{encode, encode_handles, encode_params};

/// How deep arrays and objects may nest, in both directions.
pub(crate) const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests;
