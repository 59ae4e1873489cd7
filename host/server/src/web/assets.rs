//! The style sheet, the scripts and the icon of the pages, which are in the program.

use axum::http::header;
use axum::response::{IntoResponse, Response};

fn file(content: &'static str, kind: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        // A new version of the server has new files under the same names.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, content).into_response()
}

pub(super) async fn style() -> Response {
    file(include_str!("style.css"), "text/css; charset=utf-8")
}

pub(super) async fn script() -> Response {
    file(include_str!("page.js"), "text/javascript; charset=utf-8")
}

/// The editor, which host/server/editor builds.
pub(super) async fn editor() -> Response {
    file(include_str!("editor.js"), "text/javascript; charset=utf-8")
}

pub(super) async fn licenses() -> Response {
    file(
        include_str!("editor.licenses.txt"),
        "text/plain; charset=utf-8",
    )
}

pub(super) async fn icon() -> Response {
    file(include_str!("icon.svg"), "image/svg+xml")
}
