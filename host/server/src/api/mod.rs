//! The HTTP API: `/v1`, JSON, bearer tokens or the session of a browser.
//!
//! A handler is thin: it takes the caller and the request, calls a function of values, and turns the
//! result into a response. The OpenAPI document is made from the handlers.

pub(crate) mod actions;
pub(crate) mod alerts;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod calls;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod conditions;
pub(crate) mod dry_run;
pub(crate) mod events;
pub(crate) mod extract;
pub(crate) mod fork;
pub(crate) mod functions;
pub(crate) mod globals;
pub(crate) mod health;
pub(crate) mod hook_in;
pub(crate) mod hooks;
pub(crate) mod mcp;
pub(crate) mod moment;
mod removal;
pub(crate) mod repos;
pub(crate) mod run_row;
pub(crate) mod runs;
pub(crate) mod schedule_view;
pub(crate) mod schedules;
pub(crate) mod scripts;
pub(crate) mod secrets;
pub(crate) mod session;
pub(crate) mod submit;
pub(crate) mod subscriptions;
pub(crate) mod tenants;
pub(crate) mod tokens;
pub(crate) mod types;
pub(crate) mod waits;
mod words;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::{Kind, Problem};

/// What the OpenAPI document says of the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kael",
        description = "Runs Lua scripts that nobody on the server wrote, through a gate of actions.",
        license(name = "Apache-2.0")
    ),
    modifiers(&Security),
    components(schemas(Problem))
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer =
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", bearer);
        let needs = utoipa::openapi::security::SecurityRequirement::new("token", [] as [String; 0]);
        document.security = Some(vec![needs]);
    }
}

fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(submit::submit, runs::list))
        .routes(routes!(check::check))
        .routes(routes!(dry_run::dry_run))
        .routes(routes!(runs::get))
        .routes(routes!(runs::result))
        .routes(routes!(runs::output))
        .routes(routes!(calls::calls))
        .routes(routes!(runs::source))
        .routes(routes!(events::follow))
        .routes(routes!(cancel::cancel))
        .routes(routes!(fork::fork))
        .routes(routes!(waits::signal))
        .routes(routes!(waits::resume))
        .routes(routes!(waits::resolve))
        .routes(routes!(waits::journal))
        .routes(routes!(moment::at))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::decide))
        .routes(routes!(actions::list))
        .routes(routes!(actions::get))
        .routes(routes!(actions::refresh))
        .routes(routes!(globals::list))
        .routes(routes!(repos::get))
        .routes(routes!(repos::refresh))
        .routes(routes!(repos::push))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::put, secrets::delete))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(session::login))
        .routes(routes!(session::sign_in))
        .routes(routes!(session::me))
        .routes(routes!(tenants::own))
        .routes(routes!(tenants::list))
        .routes(routes!(tenants::get, tenants::put))
        .routes(routes!(alerts::send, alerts::list))
        .routes(routes!(alerts::get))
        .routes(routes!(scripts::list))
        .routes(routes!(scripts::get, scripts::put, scripts::delete))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::get, schedules::put, schedules::delete))
        .routes(routes!(schedules::run))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(hooks::list, hooks::create))
        .routes(routes!(hooks::delete))
        .routes(routes!(hook_in::take))
        .routes(routes!(functions::call))
        .routes(routes!(subscriptions::list, subscriptions::create))
        .routes(routes!(subscriptions::delete))
        .routes(routes!(subscriptions::resume))
        .routes(routes!(audit::list))
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

/// The routes of the API, with the handler of the document itself.
pub(crate) fn router() -> Router<Arc<App>> {
    let (router, document) = routes().split_for_parts();
    let document = Arc::new(document);
    let document = move || {
        let document = document.clone();
        async move { Json(&*document).into_response() }
    };
    router
        .route("/v1/openapi.json", axum::routing::get(document))
        .route("/mcp", axum::routing::any(mcp::serve))
        .method_not_allowed_fallback(method)
}

/// The OpenAPI document, as it is checked in.
///
/// # Panics
/// Never: the document is JSON.
#[must_use]
pub(crate) fn openapi() -> String {
    let document = routes().into_openapi();
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

async fn method(request: Request) -> Response {
    let detail = format!(
        "`{}` does not take {}",
        request.uri().path(),
        request.method()
    );
    Problem::new(Kind::MethodNotAllowed, detail).into_response()
}

/// The answer for a path that is not there.
pub(crate) async fn not_found(request: Request) -> Response {
    let path = request.uri().path();
    Problem::new(Kind::NotFound, format!("there is nothing at `{path}`"))
        .hint("/v1/openapi.json lists what there is")
        .into_response()
}

/// An answer without a body.
pub(crate) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
