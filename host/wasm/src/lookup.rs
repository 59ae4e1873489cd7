//! `wasi:sockets/ip-name-lookup`, with the network policy checked before the query and after each
//! answer.

use std::collections::HashMap;

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    self, Host, HostResolveAddressStream, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{
    self, ErrorCode, HostNetwork, IpAddress, Network,
};
use wasmtime_wasi::p2::{DynPollable, IoError, SocketError};
use wasmtime_wasi::sockets::{WasiSocketsCtxView, WasiSocketsView as _};

use super::state::State;
use kael_net::NetworkPolicy;

struct Guarded<'a> {
    inner: WasiSocketsCtxView<'a>,
    network: NetworkPolicy,
    lookups: &'a mut HashMap<u32, String>,
}

struct Own;

impl HasData for Own {
    type Data<'a> = Guarded<'a>;
}

/// Replaces wasmtime's implementation, which allows all names or none.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    ip_name_lookup::add_to_linker::<State, Own>(linker, |state| Guarded {
        inner: state.wasi.sockets(),
        network: state.network.clone(),
        lookups: &mut state.lookups,
    })
}

impl network::Host for Guarded<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.inner.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<IoError>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.network_error_code(error)
    }
}

impl HostNetwork for Guarded<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        HostNetwork::drop(&mut self.inner, network)
    }
}

impl Host for Guarded<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> Result<Resource<ResolveAddressStream>, SocketError> {
        let Some(known) = self.network.may_resolve(&name) else {
            return Err(ErrorCode::AccessDenied.into());
        };
        let stream = self.inner.resolve_addresses(network, name)?;
        self.lookups.insert(stream.rep(), known);
        Ok(stream)
    }
}

impl HostResolveAddressStream for Guarded<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        let Some(name) = self.lookups.get(&stream.rep()) else {
            return Err(ErrorCode::AccessDenied.into());
        };
        loop {
            let again = Resource::new_borrow(stream.rep());
            let Some(address) = self.inner.resolve_next_address(again)? else {
                return Ok(None);
            };
            if self.network.accept_dns_answer(name, to_ip(&address)) {
                return Ok(Some(address));
            }
        }
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        self.inner.subscribe(stream)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        self.lookups.remove(&stream.rep());
        HostResolveAddressStream::drop(&mut self.inner, stream)
    }
}

fn to_ip(address: &IpAddress) -> std::net::IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => std::net::Ipv4Addr::new(*a, *b, *c, *d).into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => {
            std::net::Ipv6Addr::new(*a, *b, *c, *d, *e, *f, *g, *h).into()
        }
    }
}
