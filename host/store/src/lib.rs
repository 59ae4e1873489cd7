//! Keeps what Kael must not lose: runs, their journals, and what they wait for.
//!
//! A [`Store`] is one SQLite file in WAL mode. One thread owns the connection that writes: it takes
//! all the work that is queued, runs it in one transaction, commits with `synchronous=FULL`, and then
//! answers every caller, so that many writers share one fsync. Readers have connections of their own.
//!
//! Work is a closure over a [`Tx`], which takes SQL with `?1`, `?2` as placeholders and [`Value`]s.
//! SQL is written in what SQLite and PostgreSQL have in common; the numbered migrations are kept for
//! each engine in a folder of its own. Tables of the engine's runs are V1 to V9, those of a server V10
//! and up, counts V40. Times are microseconds since 1970 by the clock of the database ([`Tx::now`]).
//!
//! This crate knows no journal format, prints nothing and depends on no other crate of Kael.

mod backup;
pub mod counts;
mod error;
mod file;
mod migrations;
mod pending;
mod reader;
mod room;
mod store;
mod tx;
mod value;
mod writer;

pub use backup::{Copied, Integrity, backup, check, peek, restore, vacuum};
pub use error::StoreError;
pub use file::{Mode, RunLock};
pub use pending::Pending;
pub use room::free_room;
pub use store::Store;
pub use tx::{Row, Tx};
pub use value::{Column, Value};
