//! Compiles the guest to machine code, so that scripts never meet a compiler and a run starts in milliseconds.

use std::error::Error;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::{env, fs};

#[path = "src/executor/wasm/settings.rs"]
mod settings;
#[path = "src/sandbox/tuning.rs"]
mod tuning;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let guest = manifest.join("../guest/kael-guest.wasm");
    println!("cargo::rerun-if-changed={}", guest.display());
    println!("cargo::rerun-if-changed=src/sandbox/tuning.rs");
    println!("cargo::rerun-if-changed=src/executor/wasm/settings.rs");
    let mut config = tuning::config();
    config.target(&env::var("TARGET")?)?;
    let engine = wasmtime::Engine::new(&config)?;
    let compiled = engine.precompile_component(&fs::read(&guest)?)?;
    fs::write(
        PathBuf::from(env::var("OUT_DIR")?).join("kael-guest.cwasm"),
        compiled,
    )?;
    println!(
        "cargo::rustc-env=KAEL_WASM_SETTINGS={:016x}",
        settings_of_actions()?
    );
    Ok(())
}

/// A number that changes with the settings which actions are compiled with, and with wasmtime's version.
fn settings_of_actions() -> Result<u64, Box<dyn Error>> {
    let mut config = settings::config();
    config.target(&env::var("TARGET")?)?;
    let mut hasher = DefaultHasher::new();
    wasmtime::Engine::new(&config)?
        .precompile_compatibility_hash()
        .hash(&mut hasher);
    Ok(hasher.finish())
}
