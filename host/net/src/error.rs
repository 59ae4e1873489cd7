//! Why there is no connection.

use thiserror::Error;

/// Why a server is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// The name has no address, or the system cannot find out.
    #[error("the name cannot be resolved: {0}")]
    Dns(String),
    /// No address of the host may be connected to.
    #[error("no address of the host may be connected to")]
    Prohibited,
    /// Nothing listens there.
    #[error("the connection was refused")]
    Refused,
    /// The other side closed the connection.
    #[error("the connection was closed")]
    Terminated,
    /// The other side did not answer.
    #[error("the connection timed out")]
    Timeout,
    /// The network has no way there.
    #[error("the host cannot be reached")]
    Unavailable,
    /// The URI names no server, or one that two readers could read differently.
    #[error("the URL has no host, a user name, or a port that is none")]
    InvalidUri,
    /// The server's certificate is not trusted.
    #[error("the server's certificate is not trusted")]
    Certificate,
    /// The server ended the handshake: the number and the name of the alert.
    #[error("the server refused the TLS handshake: {1}")]
    TlsAlert(u8, String),
    /// The server does not speak TLS.
    #[error("the server does not speak TLS as it should")]
    TlsProtocol,
}
