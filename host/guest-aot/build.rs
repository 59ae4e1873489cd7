//! Compiles the guest to machine code, so that scripts never meet a compiler and a run starts in milliseconds.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use sha2::{Digest as _, Sha256};

#[path = "src/engine_config.rs"]
#[expect(
    unreachable_pub,
    reason = "public in the library, private in this script"
)]
mod engine_config;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let guest = manifest.join("../../guest/kael-guest.wasm");
    println!("cargo::rerun-if-changed={}", guest.display());
    println!("cargo::rerun-if-changed=src/engine_config.rs");
    let mut config = engine_config::engine_config();
    // The bits of a NaN depend on the processor otherwise, and `string.pack` shows them: a run that is
    // replayed must compute the same. Only a compiler knows the setting.
    config.cranelift_nan_canonicalization(true);
    config.target(&env::var("TARGET")?)?;
    let engine = wasmtime::Engine::new(&config)?;
    let guest = fs::read(&guest)?;
    let compiled = engine.precompile_component(&guest)?;
    let digest = Sha256::digest(&guest);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env=KAEL_GUEST_SHA256={digest}");
    let out = PathBuf::from(env::var("OUT_DIR")?).join("kael-guest.cwasm");
    fs::write(out, compiled)?;
    Ok(())
}
