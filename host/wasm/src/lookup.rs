//! `wasi:sockets/ip-name-lookup` with a look at the allow-list before the question and after the answer.

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

use super::instance::State;
use super::network_policy::NetworkPolicy;

/// Questions under way: the name that each asks for.
pub(super) type Asked = HashMap<u32, String>;

struct Guarded<'a> {
    inner: WasiSocketsCtxView<'a>,
    reach: NetworkPolicy,
    asked: &'a mut Asked,
}

struct Own;

impl HasData for Own {
    type Data<'a> = Guarded<'a>;
}

/// Takes the place of wasmtime's, which answers for any name or none.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    ip_name_lookup::add_to_linker::<State, Own>(linker, |state| {
        let (reach, asked) = (state.reach.clone(), &mut state.asked);
        Guarded {
            inner: state.wasi.sockets(),
            reach,
            asked,
        }
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
        let Some(known) = self.reach.may_resolve(&name) else {
            return Err(ErrorCode::AccessDenied.into());
        };
        let stream = self.inner.resolve_addresses(network, name)?;
        self.asked.insert(stream.rep(), known);
        Ok(stream)
    }
}

impl HostResolveAddressStream for Guarded<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        let Some(name) = self.asked.get(&stream.rep()) else {
            return Err(ErrorCode::AccessDenied.into());
        };
        loop {
            let again = Resource::new_borrow(stream.rep());
            let Some(address) = self.inner.resolve_next_address(again)? else {
                return Ok(None);
            };
            if self.reach.accept_dns_answer(name, to_ip(&address)) {
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
        self.asked.remove(&stream.rep());
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
