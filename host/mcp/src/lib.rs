//! Speaks the Model Context Protocol for Kael, in both roles, by the crate `rmcp`.
//!
//! `server` lets a client of the protocol check, run and follow scripts, search and describe
//! actions: every call that a script makes passes the same gate as one of `kael-host run`, and the
//! model's word decides nothing there. `server::job` keeps what a request began, `server::ask` turns
//! an approval into an elicitation, and `server::transport` bounds what a client can make the host
//! hold. `client` makes the tools of other servers into actions, by the lock file that a person has
//! reviewed. `http` serves single requests for a program that keeps runs itself.
//!
//! This crate prints nothing and reads no variable of the process.

pub mod client;
pub mod http;
pub mod server;
