//! Rules: predicates over streams of events.
//!
//! A rule is a package: a folder with a manifest and a predicate in Lua or WebAssembly. Each rule in
//! Lua runs in an instance of the sandbox of its own, which imports nothing but `run-action` and is
//! given nothing that could answer it; events come in as arguments. One in WebAssembly runs in an
//! instance that imports what reads the event. `package` reads packages, `schema` says
//! which numbers are which fields, `event` turns lines into events, `engine` hands them to the
//! rules in batches and merges what they say, `after` throttles, counts and orders matches, and
//! `alert` writes what goes out.
//!
//! The result depends on neither the size of a batch nor the number of threads. Nothing here
//! prints: what a person should read goes through [`engine::Messages`].

pub mod after;
pub mod alert;
pub mod engine;
pub mod event;
pub mod format;
#[path = "../../../guest/src/rules/glob.rs"]
mod glob;
pub mod lint;
pub mod metrics;
pub mod on_match;
pub mod package;
#[path = "../../../guest/src/rules/pattern.rs"]
mod pattern;
pub mod problem;
pub mod rule_set;
pub mod sample;
pub mod schema;
pub mod sigma;
pub mod stream;
pub mod test_run;
pub mod timestamp;
