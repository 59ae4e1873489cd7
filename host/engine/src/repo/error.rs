//! Why an actions repo cannot be read.

use std::io;

use thiserror::Error;

use super::{POLICY, STATE};

/// Why an actions repo cannot be read.
#[derive(Debug, Error)]
pub enum RepoError {
    /// There is no such folder, or it cannot be opened.
    #[error("cannot open the actions repo `{path}`")]
    Open {
        /// As the user wrote it.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file or folder in it cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Starts with the repo's path as the user wrote it.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is no `init.lua`.
    #[error("the actions repo `{path}` has no init.lua")]
    NoInit {
        /// As the user wrote it.
        path: String,
    },
    /// A symbolic link leads out of the repo.
    #[error("`{path}` is a symbolic link that leads out of the actions repo")]
    Escape {
        /// Starts with the repo's path as the user wrote it.
        path: String,
    },
    /// A symbolic link leads into the folder that actions may write to.
    #[error(
        "`{path}` is a symbolic link into `{STATE}/`, which actions may write: no Lua is loaded from there"
    )]
    Written {
        /// Starts with the repo's path as the user wrote it.
        path: String,
    },
    /// A file would be taken for the repo's policy, and is not.
    #[error("`{path}` is not read as the policy of the actions repo: call it `{POLICY}`")]
    Misnamed {
        /// With the repo as the user wrote it.
        path: String,
    },
    /// Two files have the same module name.
    #[error("`{first}` and `{second}` are both the module `{name}`: remove one")]
    Ambiguous {
        /// The module's name.
        name: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// A file is not UTF-8.
    #[error("`{path}` is not UTF-8 text (byte {at})")]
    NotText {
        /// Starts with the repo's path as the user wrote it.
        path: String,
        /// The offset of the first bad byte.
        at: usize,
    },
    /// The repo exceeds a bound.
    #[error("the actions repo is too large at `{path}`: {what}")]
    TooLarge {
        /// Where it exceeds the bound.
        path: String,
        /// The bound.
        what: String,
    },
}
