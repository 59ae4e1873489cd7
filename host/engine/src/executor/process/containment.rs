//! How Kael keeps the processes of a call together, so that it can end them all.

use std::fmt;

/// The ways, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containment {
    /// The first process is pid 1 of a PID namespace, and has a mount namespace.
    Namespace {
        /// Whether it also has a user namespace, because Kael is not root.
        user: bool,
        /// Whether paths that a confined process may not write can be mounted read-only.
        read_only: bool,
    },
    /// The processes are in a control group, which Kael kills as a whole.
    Group,
    /// Orphans become children of the first process, and then of the host, which kills them.
    Subreaper,
    /// The first process leads a session. Kael finds processes that left the session by their
    /// environment.
    Session,
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace { user: false, .. } => "a PID namespace",
            Self::Namespace { user: true, .. } => "a PID namespace in a user namespace",
            Self::Group => "a control group",
            Self::Subreaper => "a sweep of what comes back to Kael",
            Self::Session => "a search by their environment",
        })
    }
}
