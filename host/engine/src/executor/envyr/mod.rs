//! The program envyr: which one, how to install it, and its command lines.
//!
//! Other rooms decide what runs and how it is confined; this one knows how envyr is called.

mod arguments;
pub(crate) mod tool;

pub(crate) use arguments::{behind_dashes, native};
pub use tool::{InstallError, REMEDY, VERSION, find, install, is_current, tools_folder};
