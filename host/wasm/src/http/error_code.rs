//! Translates errors of a connection into those of `wasi:http`.

use std::error::Error as _;
use std::io;

use kael_net::ConnectError;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use super::MAX_HEAD;

/// Why there is no connection, as `wasi:http` says it.
pub(super) fn connecting(error: ConnectError) -> Error {
    match error {
        ConnectError::Dns(said) => Error::DnsError {
            rcode: Some(said),
            info_code: None,
        },
        ConnectError::Prohibited => Error::DestinationIpProhibited,
        ConnectError::Refused => Error::ConnectionRefused,
        ConnectError::Terminated => Error::ConnectionTerminated,
        ConnectError::Timeout => Error::ConnectionTimeout,
        ConnectError::Unavailable => Error::DestinationUnavailable,
        ConnectError::InvalidUri => Error::HttpRequestUriInvalid,
        ConnectError::Certificate => Error::TlsCertificateError,
        ConnectError::TlsAlert(id, name) => Error::TlsAlertReceived {
            alert_id: Some(id),
            alert_message: Some(name),
        },
        ConnectError::TlsProtocol => Error::TlsProtocolError,
    }
}

pub(super) fn error_code(error: &hyper::Error) -> ErrorCode {
    if error.is_parse_too_large() {
        ErrorCode::HttpResponseHeaderSectionSize(u32::try_from(MAX_HEAD).ok())
    } else if error.is_incomplete_message() {
        ErrorCode::HttpResponseIncomplete
    } else if error.is_closed() || error.is_canceled() || is_of_the_system(error) {
        ErrorCode::ConnectionTerminated
    } else {
        ErrorCode::HttpProtocolError
    }
}

fn is_of_the_system(error: &hyper::Error) -> bool {
    error
        .source()
        .is_some_and(<dyn std::error::Error>::is::<io::Error>)
}
