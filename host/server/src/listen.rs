//! Takes connections: bounded in number and for each peer, with a time for the first request and for headers, plain or with TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;
use crate::peers::Peers;

/// How long a client may take for its first request, for the headers of one, and for a handshake.
const HEADERS: Duration = Duration::from_secs(15);
/// How long connections may go on when the server ends.
const LINGER: Duration = Duration::from_secs(5);
/// Streams of one connection of HTTP/2.
const STREAMS: u32 = 100;
/// Bytes of the headers of a request.
const HEADER_BYTES: usize = 64 << 10;

/// A socket that takes connections.
pub(crate) struct Listener {
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: Arc<Semaphore>,
    peers: Peers,
}

impl Listener {
    pub(crate) async fn new(
        address: SocketAddr,
        tls: Option<&Tls>,
        connections: usize,
        of_a_peer: usize,
    ) -> io::Result<Self> {
        let tls = tls.map(acceptor).transpose()?;
        Ok(Self {
            socket: TcpListener::bind(address).await?,
            tls,
            connections: Arc::new(Semaphore::new(connections)),
            peers: Peers::new(of_a_peer),
        })
    }

    /// The address that it has, with the port that the system chose.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves connections until the server ends, and then those that are open for a moment.
    pub(crate) async fn serve(self, router: Router, mut ending: watch::Receiver<bool>) {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_buf_size(HEADER_BYTES)
            .max_headers(100);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        let builder = Arc::new(builder);
        let graceful = Arc::new(GracefulShutdown::new());
        loop {
            let permit = tokio::select! {
                permit = self.connections.clone().acquire_owned() => permit,
                _ = ending.wait_for(|ending| *ending) => break,
            };
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = ending.wait_for(|ending| *ending) => break,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Such as too many open files: others will be closed.
                    tracing::warn!("a connection is not taken: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(peer) = self.peers.connect(address.ip()) else {
                tracing::debug!("{address} has as many connections as one peer may");
                continue;
            };
            stream.set_nodelay(true).ok();
            let (builder, watcher) = (builder.clone(), graceful.watcher());
            let (router, tls) = (router.clone(), self.tls.clone());
            tokio::spawn(async move {
                let _counted = (permit, peer);
                let Some(stream) = secured(stream, tls).await else {
                    return;
                };
                let begun = Arc::new(Notify::new());
                let service = Told {
                    inner: TowerToHyperService::new(router),
                    begun: begun.clone(),
                };
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                let mut connection = pin!(watcher.watch(connection.into_owned()));
                // The builder counts no time before it knows the version of HTTP.
                let ended = tokio::select! {
                    ended = &mut connection => ended,
                    () = begun.notified() => connection.await,
                    () = sleep(HEADERS) => return,
                };
                if let Err(error) = ended {
                    tracing::debug!("a connection ended: {error}");
                }
            });
        }
        drop(self.socket);
        if let Some(graceful) = Arc::into_inner(graceful) {
            tokio::time::timeout(LINGER, graceful.shutdown()).await.ok();
        }
    }
}

/// A service that notifies `begun` at every request.
struct Told<S> {
    inner: S,
    begun: Arc<Notify>,
}

impl<R, S: Service<R>> Service<R> for Told<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: R) -> S::Future {
        self.begun.notify_one();
        self.inner.call(request)
    }
}

/// A connection, plain or with TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn secured(stream: TcpStream, tls: Option<TlsAcceptor>) -> Option<Box<dyn Stream>> {
    let Some(tls) = tls else {
        return Some(Box::new(stream));
    };
    match tokio::time::timeout(HEADERS, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(Box::new(stream)),
        Ok(Err(error)) => {
            tracing::debug!("a handshake failed: {error}");
            None
        }
        Err(_) => None,
    }
}

pub(crate) fn acceptor(tls: &Tls) -> io::Result<TlsAcceptor> {
    let wrong = |path: &std::path::Path, why: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {why}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&tls.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| wrong(&tls.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let mut config = config
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&tls.certificate, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
