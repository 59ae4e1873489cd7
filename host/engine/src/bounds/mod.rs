//! What bounds an instance of WebAssembly, a script's or an action's: its memory, its computing time, and the ticks at
//! which it is made to look.

mod limiter;
mod meter;
mod store;
mod ticker;

pub use limiter::Limiter;
pub use meter::Meter;
pub use store::{Tick, bound_store};
pub use ticker::Ticker;
