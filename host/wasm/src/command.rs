//! A file that can be run: what it is, that it is a command, and what it needs of the world.

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::{ExternType, InstancePre, Module};
use wasmtime_wasi::p2::bindings::CommandPre;

use super::engine::Engine;
use super::instance::State;
use kael_engine::catalog::Grants;

/// A command, linked and ready to be instantiated.
pub(super) struct Command {
    /// The SHA-256 of the file, in hexadecimal.
    pub(super) digest: String,
    pub(super) kind: Kind,
    /// All that it imports, as it spells it.
    pub(super) imports: Vec<String>,
}

/// The two forms of a command.
pub(super) enum Kind {
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

/// What the first bytes of a file say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Component,
    Module,
}

/// What a file imports that it is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    /// The imports, as the file spells them.
    pub(super) imports: Vec<String>,
    /// The field of the definition that gives them.
    pub(super) field: &'static str,
}

/// The packages of WASI that every command has, without a field of the definition.
const GIVEN: [&str; 5] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
];
/// What `network` gives: connections, and requests. Nothing comes in, so there is no `wasi:http/incoming-handler`.
const NETWORK: [&str; 3] = [
    "wasi:sockets/",
    "wasi:http/types@",
    "wasi:http/outgoing-handler@",
];
/// The one module that a core module may import from.
const PREVIEW1: &str = "wasi_snapshot_preview1";

impl Format {
    /// How a program that compiles is told of it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Module => "module",
        }
    }

    /// The other way.
    pub(super) fn by_word(word: &str) -> Option<Self> {
        let both = [Self::Component, Self::Module];
        both.into_iter().find(|format| format.word() == word)
    }

    /// None for what is no WebAssembly, or of a version that is not known.
    pub(super) fn of(file: &[u8]) -> Option<Self> {
        match file.get(..8)? {
            b"\0asm\x01\0\0\0" => Some(Self::Module),
            b"\0asm\x0d\0\x01\0" => Some(Self::Component),
            _ => None,
        }
    }
}

/// The SHA-256 of a file in hexadecimal.
pub(super) fn digest(file: &[u8]) -> String {
    let digest = Sha256::digest(file);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Command {
    /// Links a compiled file, or says why it cannot be.
    pub(super) fn link(
        engine: &Engine,
        compiled: &Compiled,
        digest: String,
    ) -> Result<Self, String> {
        let imports = imports(engine, compiled);
        let strange: Vec<_> = imports
            .iter()
            .filter(|name| !is_known(compiled, name))
            .cloned()
            .collect();
        if !strange.is_empty() {
            return Err(format!(
                "imports what Kael does not have: {}",
                strange.join(", ")
            ));
        }
        let cannot = |error: wasmtime::Error| format!("cannot be linked: {}", one_line(&error));
        let kind = match compiled {
            Compiled::Component(component) => {
                let runs = |name: &str| name.starts_with("wasi:cli/run@0.2.");
                if !component
                    .component_type()
                    .exports(&engine.engine)
                    .any(|(name, _)| runs(name))
                {
                    return Err("exports no `wasi:cli/run@0.2`: it is not a command".to_owned());
                }
                let http = imports.iter().any(|name| name.starts_with("wasi:http/"));
                let linked = engine
                    .components(http)
                    .and_then(|linker| linker.instantiate_pre(component))
                    .map_err(cannot)?;
                Kind::Component(CommandPre::new(linked).map_err(cannot)?)
            }
            Compiled::Module(module) => {
                let plain =
                    |ty: &wasmtime::FuncType| ty.params().len() == 0 && ty.results().len() == 0;
                if !matches!(module.get_export("_start"), Some(ExternType::Func(ty)) if plain(&ty))
                {
                    return Err("exports no function `_start`: it is not a command".to_owned());
                }
                Kind::Module(engine.modules.instantiate_pre(module).map_err(cannot)?)
            }
        };
        Ok(Self {
            digest,
            kind,
            imports,
        })
    }

    /// What the file imports, against what a definition gives.
    pub(super) fn missing(&self, grants: &Grants) -> Option<Missing> {
        let needs = |name: &&String| is_of(&NETWORK, name);
        let imports: Vec<String> = self.imports.iter().filter(needs).cloned().collect();
        (grants.network.is_empty() && !imports.is_empty()).then_some(Missing {
            imports,
            field: "network",
        })
    }
}

/// Every import, once, in the file's order.
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

/// An error and its causes in one line of bounded length.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(500).collect()
}
