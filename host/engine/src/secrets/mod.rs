//! Secrets: values that programs get and scripts never see.
//!
//! A script holds handles, objects with nothing but a name (`{"$secret": "deploy/token"}`). The gate puts the value in
//! place of a handle where the definition declares a secret, right before the program starts, and takes values out of all
//! that comes back: [`Masks`] finds them in every form in which programs commonly print them. Where values come from is a
//! [`SecretSource`]'s to say; this module does no I/O.

mod encodings;
mod handles;
mod masks;
mod run_secrets;
mod value;

pub use handles::{HANDLE, Misplaced, handle, named, names_in, replaced};
pub use masks::Masks;
pub use run_secrets::{KEPT, RunSecrets};
pub use value::{BadValue, Getting, SecretError, SecretSource, SecretValue, check_name};

#[cfg(test)]
mod tests;
