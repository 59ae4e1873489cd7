//! Requests that an instance makes over HTTP (`wasi:http`), to where its definition lets it connect.
//!
//! wasmtime keeps the requests, bodies and headers; how one is sent is decided here, in this order: `target` says whom it
//! is for, `connect` looks the name up, checks the addresses and connects to one that was checked, with `trust` for the
//! certificates. A request has a connection of its own, and redirects are answers like any other: whoever follows one
//! makes another request, which is checked again.

mod body;
mod connect;
mod problem;
mod target;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use tokio::sync::Semaphore;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

use super::instance::State;
use super::network_policy::NetworkPolicy;
use body::Paced;
use target::Target;
pub(super) use trust::Trust;

/// The interface as wasmtime's release spells it; a file's own may be of any release of 0.2.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";
/// Requests of an instance that are under way at the same time, their answers' bodies included; more wait.
const REQUESTS: usize = 32;
/// Bytes of an answer's status line and headers, and of what is read of its body at once.
const MAX_HEAD: usize = 128 << 10;
/// Headers of an answer.
const MAX_HEADERS: usize = 256;
/// What an instance may write to a request's body at once, in bytes; the host holds two of these.
const CHUNK: usize = 64 << 10;

/// What keeps a connection going while its answer is read.
type Worker = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = (Response<WasiBody>, Worker);

/// The side of HTTP of one instance. Making it costs nothing.
pub(super) struct Http {
    context: WasiHttpCtx,
    sender: Sender,
}

struct Sender {
    reach: NetworkPolicy,
    trust: Arc<Trust>,
    /// Made for the first request.
    turns: Option<Arc<Semaphore>>,
}

impl Http {
    pub(super) fn new(reach: NetworkPolicy, trust: Arc<Trust>) -> Self {
        let sender = Sender {
            reach,
            trust,
            turns: None,
        };
        Self {
            context: WasiHttpCtx::new(),
            sender,
        }
    }

    fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView {
            hooks: &mut self.sender,
            table,
            ctx: &mut self.context,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let table = wasmtime_wasi::WasiView::ctx(&mut self.wasi).table;
        self.http.view(table)
    }
}

/// Adds `wasi:http/outgoing-handler` and its types; there is no handler for what comes in.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = types::LinkOptions::default();
    types::add_to_linker::<State, WasiHttp>(linker, &options, State::http)?;
    let mut handler = linker.instance(HANDLER)?;
    handler.func_wrap("handle", |mut store: StoreContextMut<'_, State>, given| {
        let (request, options): (_, Option<Resource<RequestOptions>>) = given;
        let mut view = store.data_mut().http();
        let own = options
            .as_ref()
            .map(|options| Resource::new_own(options.rep()));
        let pending = outgoing_handler::Host::handle(&mut view, request, own);
        // wasmtime's handler leaves them in the table, and after some hundred requests that is full.
        if let Some(options) = options {
            view.table.delete(options)?;
        }
        let pending = match pending {
            Ok(pending) => Ok(pending),
            Err(error) => Err(error.downcast()?),
        };
        Ok((pending,))
    })
}

impl WasiHttpHooks for Sender {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Worker,
    ) -> Box<dyn Future<Output = Result<Answer, Error>> + Send> {
        let new = || Arc::new(Semaphore::new(REQUESTS));
        let turns = self.turns.get_or_insert_with(new).clone();
        let (reach, trust) = (self.reach.clone(), self.trust.clone());
        let options = options.unwrap_or_default();
        // Spawned by wasmtime, and aborted when the instance drops it or is gone.
        Box::new(async move { send(request, options, &reach, &trust, turns).await })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        problem::code(error)
    }
}

/// Sends a request, and returns its answer when the head of that is there.
async fn send(
    mut request: Request<WasiBody>,
    options: RequestOptions,
    reach: &NetworkPolicy,
    trust: &Trust,
    turns: Arc<Semaphore>,
) -> Result<Answer, Error> {
    if request.method() == Method::CONNECT {
        // The answer to it would be a way to anywhere.
        return Err(Error::HttpRequestMethodInvalid);
    }
    let target = Target::of(request.uri())?;
    let name = reach
        .may_request(&target.host, target.port)
        .ok_or(Error::HttpRequestDenied)?;
    let opening = async {
        // Never closed.
        let turn = turns.acquire_owned().await.ok();
        let stream = connect::open(&target, &name, reach, trust).await?;
        Ok((turn, stream))
    };
    let (turn, stream) = within(options.connect_timeout, opening)
        .await
        .unwrap_or(Err(Error::ConnectionTimeout))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await?;
    // Aborted when its handle is dropped: here while there is no answer, then with the answer's body.
    let connection = spawn(async move {
        // What goes wrong is told to whoever waits for the answer or reads its body.
        connection.await.ok();
        drop(turn);
    });
    // To a server, as it is not to a proxy, only the path is sent.
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    let close = HeaderValue::from_static("close");
    request.headers_mut().insert(CONNECTION, close);
    let answer = within(options.first_byte_timeout, sender.send_request(request))
        .await
        .ok_or(Error::ConnectionReadTimeout)??;
    let pause = options.between_bytes_timeout;
    let answer = answer.map(|body| Paced::new(body, pause).boxed_unsync());
    let worker = async move {
        connection.await;
        Ok(())
    };
    Ok((answer, Box::new(worker)))
}

/// None when it was late. What has no limit of its own ends with the call.
async fn within<T>(time: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    match time {
        Some(time) => tokio::time::timeout(time, future).await.ok(),
        None => Some(future.await),
    }
}
