//! Who looks at a page: the session of a browser, or the way to sign in.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;

use super::alone;
use crate::app::App;
use crate::auth::Scope;
use crate::problem::Problem;

/// What a handler of a page returns.
pub(super) type Page = Result<Response, PageError>;

/// A visitor who has signed in.
pub(super) struct Visitor {
    pub(super) scope: Scope,
    pub(super) app: Arc<App>,
}

/// A form that only says that it is one of this server's pages.
#[derive(Deserialize)]
pub(super) struct Csrf {
    #[serde(default)]
    pub(super) csrf: String,
}

impl Visitor {
    /// What forms must bring along.
    pub(super) fn csrf(&self) -> &str {
        self.scope.caller.csrf.as_deref().unwrap_or_default()
    }
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageError> {
        let scope = Scope::from_request_parts(parts, app).await?;
        Ok(Self {
            scope,
            app: app.clone(),
        })
    }
}

/// A problem, as a page.
pub(super) struct PageError(Problem);

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<kael_store::StoreError> for PageError {
    fn from(error: kael_store::StoreError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let problem = self.0;
        if problem.status == 401 {
            return Redirect::to("/login").into_response();
        }
        let body = html! {
            div class="card pad" {
                h1 { (problem.title) }
                p { (problem.detail) }
                @if let Some(hint) = &problem.hint { p class="soft" { (hint) } }
                p { a class="button" href="/runs" { "Runs" } }
            }
        };
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, alone::alone(&problem.title, &body)).into_response()
    }
}
