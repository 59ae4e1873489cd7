//! The WASI context of one instance: its streams, and the variables, folders and network that its
//! definition names.

use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, WasiCtx};

use std::net::SocketAddr;

use super::pipes::Pipe;
use kael_engine::catalog::Definition;
use kael_engine::environment::Environment;
use kael_engine::executor::adapters::ProgramInput;
use kael_engine::executor::granted::{self, Places, Refused, Use};
use kael_engine::executor::source::brief;
use kael_engine::failure::ActionError;
use kael_net::NetworkPolicy;
use wasmtime_wasi::sockets::SocketAddrUse;

/// The streams of one call.
pub(super) struct Streams {
    /// Its stdin, arguments and variables.
    pub(super) given: ProgramInput,
    pub(super) stdout: Pipe,
    pub(super) stderr: Pipe,
}

/// Makes the context. Folders are opened here, so a later change of their paths has no effect.
/// `hidden` says what is hidden from actions beside Kael's own.
pub(super) fn make(
    definition: &Definition,
    environment: &Environment,
    repo: &std::path::Path,
    streams: Streams,
    network: &NetworkPolicy,
    hidden: impl FnOnce() -> Vec<std::path::PathBuf>,
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
    // What was given stands already, and no program should see a name twice.
    let is_given = |name: &&String| given.env.iter().any(|(known, _)| known == *name);
    for name in definition.env.iter().filter(|name| !is_given(name)) {
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
    let mut places = Places::new(repo, environment);
    if !definition.grants.dirs.is_empty() {
        places = places.hiding(hidden());
    }
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
                let allowed = allows(&network, address, how);
                Box::pin(std::future::ready(allowed))
            });
    }
    Ok(wasi.build_p1())
}

/// Whether an instance may use an address in this way.
fn allows(network: &NetworkPolicy, address: SocketAddr, how: SocketAddrUse) -> bool {
    match how {
        // The system binds before it connects. Listening is a separate permission.
        SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
            address.ip().is_unspecified() && address.port() == 0
        }
        SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
        SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
            network.may_connect(address)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(named: &[&str]) -> NetworkPolicy {
        let named: Vec<_> = named.iter().map(|text| text.parse().expect(text)).collect();
        NetworkPolicy::new(&named, "the definition's `network`")
    }

    #[test]
    fn nothing_is_listened_at() {
        let policy = policy(&["0.0.0.0:80", "127.0.0.1:80"]);
        let address: SocketAddr = "127.0.0.1:80".parse().expect("an address");
        for how in [
            SocketAddrUse::TcpListen,
            SocketAddrUse::TcpAccept,
            SocketAddrUse::TcpBind,
            SocketAddrUse::UdpBind,
        ] {
            assert!(!allows(&policy, address, how), "{how:?}");
        }
        assert!(allows(
            &policy,
            "0.0.0.0:0".parse().expect("an address"),
            SocketAddrUse::TcpBind
        ));
    }
}
