//! The engine of Kael: runs Lua scripts in a sandbox whose only way out is a gate to actions.
//!
//! `sandbox` holds instances of the guest, the Lua runtime; its host side answers `run-action`
//! through `gate`, which looks an action up in `catalog`, merges and checks parameters, asks the
//! policy, and hands the call to an executor. `executor` starts processes, through envyr, within
//! their limits and confinement; other crates add executors of their own (`kael-wasm`). `runtime` puts
//! these parts together, and is where a program starts: [`runtime::Runtime`]. `repo` reads the Lua
//! files that define actions.
//!
//! Modules depend on each other in one direction: `runtime`, `sandbox`, `gate`, `executor`, then
//! `catalog` and the small ones below it. Nothing in this crate prints or reads the environment of
//! the process.

#[cfg(panic = "abort")]
compile_error!(
    "the host is built to unwind: a panic ends one run, and with `panic = \"abort\"` it would end all of them"
);

pub mod activity;
pub mod bounds;
pub mod catalog;
pub mod confinement;
pub mod environment;
pub mod executor;
pub mod failure;
pub mod gate;
pub mod journal;
pub mod json;
pub mod limits;
pub mod names;
pub mod permit;
pub mod policy;
pub mod private_file;
pub mod repo;
pub mod report_item;
mod run_id;
pub mod run_info;
pub mod runtime;
pub mod sandbox;
pub mod secrets;
pub mod settings_file;
pub mod text;
pub mod trace_context;
pub mod units;
