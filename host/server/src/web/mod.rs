//! The web page: rendered here, with one style sheet and one small script, and nothing from elsewhere.
//!
//! The content policy allows no inline script or style, so what a script printed can never run. Pages
//! work without the script, too: it only keeps them up to date.

mod access;
mod alerts;
mod alone;
mod approvals;
mod assets;
mod audit;
mod catalog;
mod chart;
mod editor;
mod excerpt;
mod hooks;
mod layout;
mod moment;
mod oidc;
mod run;
mod runs;
mod schedules;
mod scripts;
mod secrets;
mod sign_in;
mod submit;
mod tenants;
mod timeline;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

/// The routes of the pages.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(runs::home))
        .route("/assets/style.css", get(assets::style))
        .route("/assets/page.js", get(assets::script))
        .route("/assets/icon.svg", get(assets::icon))
        .route("/assets/editor.js", get(assets::editor))
        .route("/assets/editor.licenses.txt", get(assets::licenses))
        .route("/login", get(sign_in::show).post(sign_in::enter))
        .route("/login/oidc", get(oidc::begin))
        .route(crate::oidc::CALLBACK, get(oidc::end))
        .route("/logout", post(sign_in::leave))
        .route("/runs", get(runs::show))
        .route("/runs/new", get(submit::show).post(submit::send))
        .route("/runs/{id}", get(run::show))
        .route("/runs/{id}/journal", get(moment::show))
        .route("/runs/{id}/cancel", post(run::cancel))
        .route("/runs/{id}/resume", post(run::resume))
        .route("/runs/{id}/calls/{call}/decision", post(approvals::decide))
        .route("/approvals", get(approvals::show))
        .route("/scripts", get(scripts::show).post(scripts::make))
        .route(
            "/scripts/{name}",
            get(scripts::detail).post(scripts::change),
        )
        .route("/scripts/{name}/run", post(scripts::run))
        .route("/scripts/{name}/delete", post(scripts::delete))
        .route("/schedules", get(schedules::show).post(schedules::put))
        .route("/schedules/{name}", get(schedules::detail))
        .route("/schedules/{name}/{what}", post(schedules::act))
        .route("/webhooks", get(hooks::show).post(hooks::make_hook))
        .route("/webhooks/{id}/delete", post(hooks::delete_hook))
        .route("/webhooks/subscriptions", post(hooks::subscribe))
        .route(
            "/webhooks/subscriptions/{id}/{what}",
            post(hooks::change_subscription),
        )
        .route("/catalog", get(catalog::show))
        .route("/secrets", get(secrets::show).post(secrets::set))
        .route("/secrets/delete", post(secrets::delete))
        .route("/tokens", get(tokens::show).post(tokens::create))
        .route("/tokens/{id}/delete", post(tokens::delete))
        .route("/tenants", get(tenants::show))
        .route("/tenants/choose", post(tenants::choose))
        .route("/alerts", get(alerts::show))
        .route("/alerts/{id}", get(alerts::detail))
        .route("/audit", get(audit::show))
}
