//! The host's data for one running instance.

use std::collections::HashMap;

use kael_engine::bounds::Limiter;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::http::Http;
use kael_net::NetworkPolicy;

pub(super) struct State {
    pub(super) wasi: WasiP1Ctx,
    pub(super) network: NetworkPolicy,
    /// The name of each running DNS query, by the number of its stream.
    pub(super) lookups: HashMap<u32, String>,
    pub(super) http: Http,
    pub(super) limiter: Limiter,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let table = self.wasi.ctx().table;
        self.http.view(table)
    }
}
