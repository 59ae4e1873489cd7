//! kael-host from outside: each test is a session that a user could have.

mod actions;
mod architecture;
mod cli;
mod confinement;
mod definitions;
mod docker;
mod doctor;
mod examples;
mod guest;
mod limits;
mod orphans;
mod result_file;
mod sources;
mod wasm;
