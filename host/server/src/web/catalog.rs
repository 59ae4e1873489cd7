//! What scripts of the tenant can call.

use axum::response::IntoResponse as _;
use maud::html;

use super::access::{Page, Visitor};
use super::layout;
use crate::api::submit::repo_broken;

pub(super) async fn show(visitor: Visitor) -> Page {
    let repo = visitor.scope.tenant.repo(&visitor.app.engine).await;
    let repo = repo.map_err(|error| repo_broken(&error))?;
    let count = repo.as_ref().map_or(0, |repo| repo.catalog.iter().count());
    let body = html! {
        div class="head" { h1 { "Actions" } span class="soft" { (count) " that scripts can call" } }
        @if count == 0 {
            div class="card empty" {
                strong { "No actions" }
                "The operator gives the tenant an actions repo: " code { "kael-host tenant set NAME --repo DIR" }
            }
        } @else {
            div class="card scroll" { table {
                thead { tr { th { "Action" } th { "What it does" } th { "Effects" } th class="wide" { "Parameters" } } }
                tbody { @for (name, definition) in repo.iter().flat_map(|repo| repo.catalog.iter()) {
                    @let params = definition.contract.params.as_ref().and_then(|schema| schema.document()["properties"].as_object().cloned());
                    tr {
                        td { span class="name mono" { (name) } }
                        td { (definition.contract.description.as_deref().unwrap_or("–")) }
                        td { span class="label" { (definition.effects.kind.name()) } }
                        td class="wide mono soft" { (params.map(|all| all.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default()) }
                    }
                } }
            } }
        }
    };
    Ok(layout::page(&visitor, "/catalog", "Actions", &body).into_response())
}
