//! Bounds a WebAssembly instance of a script or an action: its memory, its computing time, and the
//! ticks at which it checks its limits.

mod limiter;
mod meter;
mod store;
mod ticker;

pub use limiter::Limiter;
pub use meter::Meter;
pub use store::{Tick, bound_store};
pub use ticker::Ticker;
