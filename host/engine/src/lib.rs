//! Runs Lua scripts that you did not write: a sandbox whose only way out is the actions that a team defined.
//!
//! Modules build on each other in one direction: `cli`, `authoring`, `app`, `sandbox`, `dispatch`, then `executor` and `catalog`,
//! then `repo`, then the small ones below them.

#[cfg(panic = "abort")]
compile_error!(
    "the host is built to unwind: a panic ends one run, and with `panic = \"abort\"` it would end all of them"
);

pub mod activity;
pub mod app;
pub mod authoring;
mod bounds;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod doctor;
pub mod environment;
pub mod executor;
pub mod report_item;
pub mod failure;
mod json;
pub mod limits;
pub mod names;
mod private;
pub mod repo;
pub mod sandbox;
pub mod units;
