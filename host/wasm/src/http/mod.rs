//! The HTTP requests of an instance (`wasi:http`), to hosts that its definition allows.
//!
//! wasmtime keeps requests, bodies and headers. `kael-net` reads the server of a request, looks its
//! name up, checks the addresses and connects to one of them. Each request has its own connection.
//! A redirect is an ordinary response: to follow it, the action makes another request, which is
//! checked again.

mod body;
mod error_code;

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

use body::Paced;
use kael_net::{NetworkPolicy, Target, Trust};

/// The interface in wasmtime's version. A file may import any version of 0.2.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";
/// Requests of an instance at once, including the bodies of their responses. The others wait.
const REQUESTS: usize = 32;
/// Bytes of a response's status line and headers, and of one read of its body.
const MAX_HEAD: usize = 128 << 10;
/// Headers of a response.
const MAX_HEADERS: usize = 256;
/// Bytes of a request's body that an instance may write at once. The host holds two such parts.
const CHUNK: usize = 64 << 10;

/// Drives a connection while its response is read.
type Worker = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = (Response<WasiBody>, Worker);

/// The HTTP state of one instance. It costs nothing until the first request.
pub(super) struct Http {
    context: WasiHttpCtx,
    sender: Sender,
}

struct Sender {
    network: NetworkPolicy,
    trust: Arc<Trust>,
    /// Made for the first request.
    turns: Option<Arc<Semaphore>>,
}

impl Http {
    pub(super) fn new(network: NetworkPolicy, trust: Arc<Trust>) -> Self {
        let sender = Sender {
            network,
            trust,
            turns: None,
        };
        Self {
            context: WasiHttpCtx::new(),
            sender,
        }
    }

    pub(super) fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView {
            hooks: &mut self.sender,
            table,
            ctx: &mut self.context,
        }
    }
}

/// Adds `wasi:http/outgoing-handler` and its types. There is no handler for incoming requests.
pub(super) fn add_to_linker<T: WasiHttpView + 'static>(
    linker: &mut Linker<T>,
) -> wasmtime::Result<()> {
    let options = types::LinkOptions::default();
    types::add_to_linker::<T, WasiHttp>(linker, &options, T::http)?;
    let mut handler = linker.instance(HANDLER)?;
    handler.func_wrap("handle", |mut store: StoreContextMut<'_, T>, given| {
        let (request, options): (_, Option<Resource<RequestOptions>>) = given;
        let mut view = store.data_mut().http();
        let own = options
            .as_ref()
            .map(|options| Resource::new_own(options.rep()));
        let pending = outgoing_handler::Host::handle(&mut view, request, own);
        // wasmtime's handler leaves the options in the table, which is full after some hundred
        // requests.
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
        let (network, trust) = (self.network.clone(), self.trust.clone());
        let options = options.unwrap_or_default();
        // wasmtime spawns the future, and aborts it when the instance drops it or ends.
        Box::new(async move { send(request, options, &network, &trust, turns).await })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        error_code::error_code(error)
    }
}

/// Sends a request. Returns when the head of the response has come.
async fn send(
    mut request: Request<WasiBody>,
    options: RequestOptions,
    network: &NetworkPolicy,
    trust: &Trust,
    turns: Arc<Semaphore>,
) -> Result<Answer, Error> {
    if request.method() == Method::CONNECT {
        // CONNECT would open a way to any host.
        return Err(Error::HttpRequestMethodInvalid);
    }
    let target = Target::of(request.uri()).map_err(error_code::connecting)?;
    let name = network
        .may_request(&target.host, target.port)
        .ok_or(Error::HttpRequestDenied)?;
    let opening = async {
        // The semaphore is never closed.
        let turn = turns.acquire_owned().await.ok();
        let stream = kael_net::open(&target, &name, network, trust)
            .await
            .map_err(error_code::connecting)?;
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
    // Aborted when its handle is dropped: here before the response, later with the body of the
    // response.
    let connection = spawn(async move {
        // The reader of the response or its body gets the error.
        connection.await.ok();
        drop(turn);
    });
    // A server gets only the path. (A proxy would get the whole URI.)
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

/// None if it takes too long. Without a limit it ends with the call.
async fn within<T>(time: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    match time {
        Some(time) => tokio::time::timeout(time, future).await.ok(),
        None => Some(future.await),
    }
}
