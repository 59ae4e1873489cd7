//! A WASI command: its format, its entry point, and what it imports.

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::{ExternType, InstancePre, Module};
use wasmtime_wasi::p2::bindings::CommandPre;

use super::engine::Engine;
use super::file_error::FileError;
use super::state::State;
use kael_engine::catalog::Grants;
use kael_engine::text::hex;

/// A command, linked and ready to be instantiated.
pub(super) struct WasiCommand {
    /// The SHA-256 of the file, in hexadecimal.
    pub(super) digest: String,
    pub(super) linked: Linked,
    /// All its imports, as the file spells them.
    pub(super) imports: Vec<String>,
}

/// The two formats of a command.
pub(super) enum Linked {
    /// A component of WASI 0.2.
    Component(CommandPre<State>),
    /// A core module of WASI 0.1.
    Module(InstancePre<State>),
}

/// A compiled file.
pub(super) enum Compiled {
    Component(Component),
    Module(Module),
}

/// The format of a file, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Component,
    Module,
}

/// Imports that the definition does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    /// The imports, as the file spells them.
    pub(super) imports: Vec<String>,
    /// The field of the definition that allows them.
    pub(super) field: &'static str,
}

/// WASI packages that every command may import.
const GIVEN: [&str; 5] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
];
/// What `network` allows: connections and outgoing requests. No instance receives requests, so
/// there is no `wasi:http/incoming-handler`.
const NETWORK: [&str; 3] = [
    "wasi:sockets/",
    "wasi:http/types@",
    "wasi:http/outgoing-handler@",
];
/// The only module that a core module may import from.
const PREVIEW1: &str = "wasi_snapshot_preview1";

impl Format {
    /// The name of the format on the compiler's command line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Module => "module",
        }
    }

    /// The format with this name.
    pub(super) fn by_word(word: &str) -> Option<Self> {
        let both = [Self::Component, Self::Module];
        both.into_iter().find(|format| format.word() == word)
    }

    /// The format of a file. None if it is not WebAssembly, or of an unknown version.
    pub(super) fn of(file: &[u8]) -> Option<Self> {
        match file.get(..8)? {
            b"\0asm\x01\0\0\0" => Some(Self::Module),
            b"\0asm\x0d\0\x01\0" => Some(Self::Component),
            _ => None,
        }
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn digest(file: &[u8]) -> String {
    hex(&Sha256::digest(file))
}

impl WasiCommand {
    /// Links a compiled file. The error says why it cannot be linked.
    pub(super) fn link(
        engine: &Engine,
        compiled: &Compiled,
        digest: String,
    ) -> Result<Self, FileError> {
        let imports = imports(engine, compiled);
        let strange: Vec<_> = imports
            .iter()
            .filter(|name| !is_known(compiled, name))
            .cloned()
            .collect();
        if !strange.is_empty() {
            return Err(FileError::Imports(strange));
        }
        let linked = match compiled {
            Compiled::Component(component) => {
                let runs = |name: &str| name.starts_with("wasi:cli/run@0.2.");
                if !component
                    .component_type()
                    .exports(&engine.engine)
                    .any(|(name, _)| runs(name))
                {
                    return Err(FileError::NoRun);
                }
                let http = imports.iter().any(|name| name.starts_with("wasi:http/"));
                let linked = engine
                    .components(http)
                    .and_then(|linker| linker.instantiate_pre(component))
                    .map_err(FileError::Link)?;
                Linked::Component(CommandPre::new(linked).map_err(FileError::Link)?)
            }
            Compiled::Module(module) => {
                let plain =
                    |ty: &wasmtime::FuncType| ty.params().len() == 0 && ty.results().len() == 0;
                if !matches!(module.get_export("_start"), Some(ExternType::Func(ty)) if plain(&ty))
                {
                    return Err(FileError::NoStart);
                }
                Linked::Module(
                    engine
                        .modules
                        .instantiate_pre(module)
                        .map_err(FileError::Link)?,
                )
            }
        };
        Ok(Self {
            digest,
            linked,
            imports,
        })
    }

    /// The imports that the definition's grants do not allow.
    pub(super) fn missing(&self, grants: &Grants) -> Option<Missing> {
        let needs = |name: &&String| is_of(&NETWORK, name);
        let imports: Vec<String> = self.imports.iter().filter(needs).cloned().collect();
        (grants.network.is_empty() && !imports.is_empty()).then_some(Missing {
            imports,
            field: "network",
        })
    }
}

/// Every import once, in the file's order.
fn imports(engine: &Engine, compiled: &Compiled) -> Vec<String> {
    match compiled {
        Compiled::Component(component) => {
            let names = component.component_type();
            names
                .imports(&engine.engine)
                .map(|(name, _)| name.to_owned())
                .collect()
        }
        Compiled::Module(module) => module
            .imports()
            .map(|import| format!("{}.{}", import.module(), import.name()))
            .collect(),
    }
}

fn is_known(compiled: &Compiled, import: &str) -> bool {
    match compiled {
        Compiled::Component(_) => is_of(&NETWORK, import) || is_of(&GIVEN, import),
        Compiled::Module(_) => import
            .strip_prefix(PREVIEW1)
            .is_some_and(|rest| rest.starts_with('.')),
    }
}

fn is_of(interfaces: &[&str], import: &str) -> bool {
    interfaces.iter().any(|start| import.starts_with(start))
}
