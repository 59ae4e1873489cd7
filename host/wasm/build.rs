//! Passes a digest of the compile settings to the crate, so that it never loads code compiled with
//! others.

use std::env;
use std::error::Error;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

#[path = "src/engine_config.rs"]
mod engine_config;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=src/engine_config.rs");
    let mut config = engine_config::engine_config();
    config.target(&env::var("TARGET")?)?;
    // The number changes with the settings and with wasmtime's version.
    let mut hasher = DefaultHasher::new();
    wasmtime::Engine::new(&config)?
        .precompile_compatibility_hash()
        .hash(&mut hasher);
    println!(
        "cargo::rustc-env=KAEL_WASM_SETTINGS={:016x}",
        hasher.finish()
    );
    Ok(())
}
