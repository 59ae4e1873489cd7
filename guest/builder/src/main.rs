//! Turns the compiled core module into `guest/kael-guest.wasm`.
//!
//! `kael-guest-builder CORE.wasm OUT.wasm` wraps the module into a component, runs its export
//! `init`, which builds the Lua state, keeps the memory in that state, and adds the digest of the
//! inputs.

mod inputs;

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};
use wasmtime_wizer::Wizer;

/// The only interface that the component may import.
const IMPORT: &str = "kael:engine/actions@0.1.0";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, core, out] = &arguments[..] else {
        bail!("usage: kael-guest-builder CORE.wasm OUT.wasm");
    };
    let core = std::fs::read(core).with_context(|| format!("reading {core}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut component = runtime.block_on(snapshot(&componentize(&core)?))?;
    check_imports(&component)?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    let digest = inputs::digest(&workspace)?;
    CustomSection {
        name: Cow::Borrowed(inputs::SECTION),
        data: Cow::Borrowed(digest.as_bytes()),
    }
    .append_to_component(&mut component);
    std::fs::write(out, &component).with_context(|| format!("writing {out}"))?;
    println!("{out}: {} KiB, inputs {digest}", component.len() / 1024);
    Ok(())
}

fn componentize(core: &[u8]) -> Result<Vec<u8>> {
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(core)?
        .encode()
}

async fn snapshot(component: &[u8]) -> Result<Vec<u8>> {
    let mut config = Config::new();
    config.wasm_exceptions(true);
    let engine = Engine::new(&config)?;
    let mut store = Store::new(&engine, ());
    // Without `keep_init_func` wizer removes the export that it ran, and the component does not fit
    // its world.
    let mut wizer = Wizer::new();
    wizer.init_func("init").keep_init_func(true);
    let (snapshot, _) = wizer
        .run_component(&mut store, component, async |store, component| {
            let mut linker = Linker::<()>::new(store.engine());
            linker.define_unknown_imports_as_traps(component)?;
            linker.instantiate_async(store, component).await
        })
        .await?;
    Ok(snapshot)
}

fn check_imports(component: &[u8]) -> Result<()> {
    let mut config = Config::new();
    config.wasm_exceptions(true);
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, component)?;
    let imports: Vec<String> = component
        .component_type()
        .imports(&engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    if imports != [IMPORT] {
        bail!("the component must import {IMPORT} and nothing else, but imports {imports:?}");
    }
    Ok(())
}
