//! Tenants, for operators.

use axum::Form;
use axum::response::{IntoResponse as _, Redirect};
use maud::html;
use serde::Deserialize;

use super::access::{Page, Visitor};
use super::layout;
use super::sign_in::set_cookie;
use crate::api::tenants::Storage;
use crate::problem::Problem;

#[derive(Deserialize)]
pub(super) struct Choice {
    csrf: String,
    tenant: String,
}

pub(super) async fn show(visitor: Visitor) -> Page {
    visitor.scope.caller.needs_operator()?;
    let all = visitor.app.tenants.all();
    let storage = Storage::read(&visitor.app).await?;
    let (slots, used) = visitor.app.runner.fair().slots();
    let body = html! {
        div class="head" { h1 { "Tenants" } span class="soft" { (used) " of " (slots) " slots in use" } }
        div class="card scroll" { table {
            thead { tr { th { "Tenant" } th class="num" { "Running" } th class="num" { "Queued" } th class="num wide" { "Weight" } th class="num wide" { "Slot time" } th class="num wide" { "Storage" } th class="wide" { "Actions" } } }
            tbody { @for tenant in &all {
                @let load = visitor.app.runner.fair().load(tenant.id);
                @let settings = &tenant.settings;
                tr {
                    td {
                        form method="post" action="/tenants/choose" {
                            input type="hidden" name="csrf" value=(visitor.csrf());
                            input type="hidden" name="tenant" value=(tenant.name);
                            button class="plain" { span class="name" { (tenant.name) } }
                        }
                        @if tenant.is_disabled() { span class="label" { "disabled" } }
                    }
                    td class="num" { (load.running) " / " (settings.max_running) }
                    td class="num" { (load.queued) " / " (settings.max_queued) }
                    td class="num wide" { (settings.weight) }
                    td class="num wide" { (layout::took(load.slot_seconds * 1000.0)) }
                    td class="num wide" { (layout::bytes(storage.of(tenant.id))) " / " (layout::bytes(tenant.keep.storage)) }
                    td class="wide mono soft" { (settings.actions.as_ref().map_or_else(|| "–".to_owned(), |path| path.display().to_string())) }
                }
            } }
        } }
    };
    Ok(layout::page(&visitor, "/tenants", "Tenants", &body).into_response())
}

/// Goes to another tenant.
pub(super) async fn choose(visitor: Visitor, Form(choice): Form<Choice>) -> Page {
    visitor.scope.caller.sent_form(&choice.csrf)?;
    visitor.scope.caller.needs_operator()?;
    let found = visitor.app.tenants.named(&choice.tenant);
    let tenant = found.ok_or_else(|| Problem::not_found("tenant", &choice.tenant))?;
    let mut response = Redirect::to("/runs").into_response();
    set_cookie(
        &visitor.app,
        &mut response,
        &format!("kael_tenant={}", tenant.name),
    );
    Ok(response)
}
