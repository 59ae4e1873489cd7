//! What went wrong on a connection, in the words of `wasi:http`.

use std::error::Error as _;
use std::io;

use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use super::MAX_HEAD;

pub(super) fn code(problem: &hyper::Error) -> ErrorCode {
    if problem.is_parse_too_large() {
        ErrorCode::HttpResponseHeaderSectionSize(u32::try_from(MAX_HEAD).ok())
    } else if problem.is_incomplete_message() {
        ErrorCode::HttpResponseIncomplete
    } else if problem.is_closed() || problem.is_canceled() || is_of_the_system(problem) {
        ErrorCode::ConnectionTerminated
    } else {
        ErrorCode::HttpProtocolError
    }
}

fn is_of_the_system(problem: &hyper::Error) -> bool {
    problem
        .source()
        .is_some_and(<dyn std::error::Error>::is::<io::Error>)
}
