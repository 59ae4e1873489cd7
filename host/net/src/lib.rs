//! Connections that a policy allows, for every part of Kael that a script can make connect.
//!
//! `target` reads the server of a request from its URL. `network_policy` decides which names and
//! addresses a call may use. `connect` looks a name up once, checks each address, and connects to
//! one that passed, and `http` speaks HTTP/1.1 over that; `trust` holds the certificate authorities.
//! Nothing here sends a request: `kael-wasm`, `kael-stdlib` and `kael-mcp` do.

mod connect;
mod error;
mod http;
mod network_policy;
mod target;
mod trust;

pub use connect::{Stream, encrypt, open, tcp};
pub use error::ConnectError;
pub use http::{HeadBounds, connect as connect_http};
pub use network_policy::{NetworkPolicy, address};
pub use target::Target;
pub use trust::{Known, Trust, trusting};
