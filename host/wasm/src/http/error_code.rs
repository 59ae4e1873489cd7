//! Translates errors of a connection into those of `wasi:http`.

use std::error::Error as _;
use std::io;

use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use super::MAX_HEAD;

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
