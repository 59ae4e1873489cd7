//! The shared runner: scripts come in over HTTP, and run through the same gate for every tenant.
//!
//! A request submits a run; the answer comes when the run is durable in the store. One claim loop gives
//! slots to tenants by fair shares, and each claimed run is a run of the engine's [`Runtime`] with its
//! tenant's actions, policy and limits. What the run prints and calls is kept as events, which readers
//! follow without a gap or a repeat. Nothing here answers a call of a script: that is the gate's.
//!
//! `api` are the handlers of HTTP, `web` the pages, `runner` claims and runs, `triggers` begins runs by schedules and webhooks,
//! `tables` is the SQL, `auth` knows who may do what. [`serve`] starts all of it. This crate prints nothing and reads no environment variable.
//!
//! [`Runtime`]: kael_engine::runtime::Runtime
#![expect(
    clippy::result_large_err,
    reason = "a problem is the answer to a request: there is one of it, and it goes nowhere else"
)]

mod api;
mod app;
mod auth;
pub mod certificate;
mod checkout;
pub mod client;
mod compiled;
pub mod config;
mod deliveries;
mod dial;
mod event;
mod id;
mod keep;
mod listen;
mod looks;
pub mod maintenance;
mod metrics;
mod oidc;
mod opened;
mod origin;
mod otlp;
mod peers;
mod places;
mod private_files;
mod problem;
mod reach;
mod refreshes;
mod retention;
mod role;
mod roles;
mod router;
mod runner;
mod secret;
mod sender;
mod serve;
mod tables;
mod tenant;
mod tenant_environment;
mod tenant_settings;
mod time;
mod triggers;
mod walls;
mod web;

pub use config::ServeConfig;
pub use kael_store::{StoreError, free_room};
pub use serve::{ServeError, ServeOptions, Started, hidden, openapi, serve};
