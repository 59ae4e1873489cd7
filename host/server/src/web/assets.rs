//! The style sheet, the scripts and the icon of the pages, which are in the program.

use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kael_engine::text::hex;
use sha2::{Digest as _, Sha256};

/// A file that never changes while the program runs.
struct Asset {
    content: &'static str,
    kind: &'static str,
    /// What a browser says that has it already.
    tag: OnceLock<HeaderValue>,
}

impl Asset {
    const fn new(content: &'static str, kind: &'static str) -> Self {
        Self {
            content,
            kind,
            tag: OnceLock::new(),
        }
    }

    /// The file, or that the browser has it. A new version of the server has new files under the same names, so a
    /// browser asks each time.
    fn answer(&self, asked: &HeaderMap) -> Response {
        let tag = self.tag.get_or_init(|| {
            let digest = hex(&Sha256::digest(self.content)[..16]);
            HeaderValue::try_from(format!("\"{digest}\""))
                .unwrap_or_else(|_| HeaderValue::from_static("*"))
        });
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::ETAG, tag.clone()),
        ];
        match asked.get(header::IF_NONE_MATCH) == Some(tag) {
            true => (StatusCode::NOT_MODIFIED, headers).into_response(),
            false => (headers, self.content).into_response(),
        }
    }
}

static STYLE: Asset = Asset::new(include_str!("style.css"), "text/css; charset=utf-8");
static SCRIPT: Asset = Asset::new(include_str!("page.js"), "text/javascript; charset=utf-8");
/// The editor, which host/server/editor builds.
static EDITOR: Asset = Asset::new(include_str!("editor.js"), "text/javascript; charset=utf-8");
static LICENSES: Asset = Asset::new(
    include_str!("editor.licenses.txt"),
    "text/plain; charset=utf-8",
);
static ICON: Asset = Asset::new(include_str!("icon.svg"), "image/svg+xml");

pub(super) async fn style(headers: HeaderMap) -> Response {
    STYLE.answer(&headers)
}

pub(super) async fn script(headers: HeaderMap) -> Response {
    SCRIPT.answer(&headers)
}

pub(super) async fn editor(headers: HeaderMap) -> Response {
    EDITOR.answer(&headers)
}

pub(super) async fn licenses(headers: HeaderMap) -> Response {
    LICENSES.answer(&headers)
}

pub(super) async fn icon(headers: HeaderMap) -> Response {
    ICON.answer(&headers)
}
