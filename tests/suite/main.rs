//! kael-host from outside: each test is a session that a user could have.

mod actions;
mod adapters;
mod architecture;
mod cli;
mod config;
mod definitions;
mod docker;
mod examples;
mod guest;
mod limits;
mod rehearsal;
mod reuse;
mod schemas;
mod sources;
mod tools;
mod wasm;
