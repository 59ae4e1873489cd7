//! JSON to Lua and back, exactly: what goes out and comes in again is the same value.

mod decode;
mod encode;
pub(crate) mod explain;
mod raw;
pub(crate) mod stack;

pub(crate) use decode::{Nulls, decode, decode_text};
pub(crate) use encode::{encode, encode_params};

/// Levels of arrays and objects that a document may nest, both ways.
pub(crate) const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests;
