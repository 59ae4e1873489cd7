//! Compiles the guest to machine code, so that scripts never meet a compiler and a run starts in milliseconds.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

#[path = "src/sandbox/tuning.rs"]
mod tuning;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let guest = manifest.join("../guest/kael-guest.wasm");
    println!("cargo::rerun-if-changed={}", guest.display());
    println!("cargo::rerun-if-changed=src/sandbox/tuning.rs");
    let mut config = tuning::config();
    config.target(&env::var("TARGET")?)?;
    let engine = wasmtime::Engine::new(&config)?;
    let compiled = engine.precompile_component(&fs::read(&guest)?)?;
    fs::write(
        PathBuf::from(env::var("OUT_DIR")?).join("kael-guest.cwasm"),
        compiled,
    )?;
    Ok(())
}
