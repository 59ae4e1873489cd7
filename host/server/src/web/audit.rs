//! The record of what people did.

use axum::extract::Query;
use axum::response::IntoResponse as _;
use maud::html;

use super::access::{Page, Visitor};
use super::layout::{self, time};
use crate::api::audit::{AuditParams, PAGE, page};
use crate::role::Role;

pub(super) async fn show(visitor: Visitor, Query(params): Query<AuditParams>) -> Page {
    visitor.scope.needs(Role::Manager)?;
    let audit = page(&visitor.app, &visitor.scope, params.cursor.as_deref(), PAGE).await?;
    let body = html! {
        div class="head" { h1 { "Audit" } span class="soft" { "who did what in " (visitor.scope.tenant.name) } }
        @if audit.entries.is_empty() {
            div class="card empty" { strong { "Nothing was done yet" } }
        } @else {
            div class="card scroll" { table {
                thead { tr { th { "When" } th { "Who" } th { "What" } th class="wide" { "Object" } th class="wide" { "Detail" } } }
                tbody { @for entry in &audit.entries { tr {
                    td class="soft" { (time(&entry.at)) }
                    td { span class="name" { (entry.who) } }
                    td { span class="label" { (entry.what) } }
                    td class="wide mono" { (entry.object) }
                    td class="wide mono soft" { (entry.detail.to_string()) }
                } } }
            } }
            @if let Some(next) = &audit.next { div class="pages" { a class="button" href={ "/audit?cursor=" (next) } { "Older" } } }
        }
    };
    Ok(layout::page(&visitor, "/audit", "Audit", &body).into_response())
}
