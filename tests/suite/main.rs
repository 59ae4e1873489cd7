//! kael-host from outside: each test is a session that a user could have.

mod actions;
mod adapters;
mod architecture;
mod check;
mod cli;
mod config;
mod confinement;
mod definitions;
mod docker;
mod doctor;
mod ended;
mod examples;
mod guest;
mod html;
mod jq;
mod limits;
mod orphans;
mod rehearsal;
mod result_file;
mod reuse;
mod schemas;
mod sources;
mod tools;
mod types;
mod wasm;
