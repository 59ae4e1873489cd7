//! The WASI context of one instance: its streams, and the variables, folders and network that its
//! definition names.

use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, WasiCtx};

use super::network_policy::NetworkPolicy;
use super::pipes::Pipe;
use kael_engine::catalog::Definition;
use kael_engine::environment::Environment;
use kael_engine::executor::adapters::ProgramInput;
use kael_engine::executor::granted::{self, Places, Refused, Use};
use kael_engine::executor::source::brief;
use kael_engine::failure::ActionError;

/// The streams of one call.
pub(super) struct Streams {
    /// Its stdin, arguments and variables.
    pub(super) given: ProgramInput,
    pub(super) stdout: Pipe,
    pub(super) stderr: Pipe,
}

/// Makes the context. Folders are opened here, so a later change of their paths has no effect.
pub(super) fn make(
    definition: &Definition,
    environment: &Environment,
    repo: &std::path::Path,
    streams: Streams,
    network: &NetworkPolicy,
) -> Result<WasiP1Ctx, ActionError> {
    let mut wasi = WasiCtx::builder();
    let given = streams.given;
    if !given.args.is_empty() {
        // The first argument is the program's name.
        wasi.arg(definition.entrypoint.as_deref().unwrap_or_default())
            .args(&given.args);
    }
    wasi.envs(&given.env);
    wasi.stdin(MemoryInputPipe::new(given.stdin))
        .stdout(streams.stdout)
        .stderr(streams.stderr);
    for name in &definition.env {
        let Some(value) = environment.get(name) else {
            continue;
        };
        let Some(value) = value.to_str() else {
            let message =
                format!("the variable `{name}` is not UTF-8 text, and WebAssembly takes no other");
            return Err(ActionError::unavailable(message, None));
        };
        wasi.env(name, value);
    }
    let places = Places::new(repo, environment);
    for dir in &definition.grants.dirs {
        let perms = if dir.writable {
            FsPerms::ReadWrite
        } else {
            FsPerms::ReadOnly
        };
        let path = repo.join(&dir.path);
        let refuse = |why: &str| {
            let message = format!("`dirs[\"{}\"]`: {} {why}", dir.seen_as, path.display());
            ActionError::unavailable(message, None)
        };
        let purpose = match dir.writable {
            true => Use::Write,
            false => Use::Read,
        };
        let opened = places
            .open(&dir.path.to_string_lossy(), purpose)
            .map_err(|refused| match refused {
                Refused::Missing => refuse("cannot be opened: no such file or directory"),
                Refused::For(why) => refuse(&why),
            })?;
        // Uses the folder that was checked, even if its path leads elsewhere now.
        wasi.preopened_dir(granted::by_descriptor(&opened), &dir.seen_as, perms)
            .map_err(|error| {
                let why = error.downcast_ref::<std::io::Error>().map(brief);
                refuse(&format!("cannot be opened: {}", why.unwrap_or_default()))
            })?;
    }
    if !definition.grants.network.is_empty() {
        let network = network.clone();
        wasi.allow_tcp(true)
            .allow_udp(true)
            .allow_ip_name_lookup(true)
            .socket_addr_check(move |address, how| {
                let allowed = network.allows(address, how);
                Box::pin(std::future::ready(allowed))
            });
    }
    Ok(wasi.build_p1())
}
