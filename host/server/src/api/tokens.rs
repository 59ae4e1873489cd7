//! Tokens: who may do what. The secret of a token is shown once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kael_engine::text;
use kael_engine::units::TimeLimit;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::extract::{self, Body, Names};
use super::nothing;
use super::types::Token;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::tokens::TokenRow;
use crate::tables::{audit, tokens};
use crate::{secret, time};

/// A list of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// The oldest first.
    pub(crate) tokens: Vec<Token>,
}

/// A token to make.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for; records show it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// How long it is valid, such as `90d`; without end if this is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<String>,
}

/// A token that was made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    /// What to send as `Authorization: Bearer`. It is not shown again.
    pub secret: String,
    /// The token.
    #[serde(flatten)]
    pub token: Token,
}

/// List the tokens of the tenant.
#[utoipa::path(
    get, path = "/v1/tokens", tag = "tokens", operation_id = "list_tokens",
    responses((status = 200, body = Tokens)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<Tokens>, Problem> {
    scope.needs(Role::Manager)?;
    Ok(Json(Tokens {
        tokens: all(&app, &scope).await?,
    }))
}

/// The tokens of the tenant, and for an operator those of the operators.
pub(crate) async fn all(app: &App, scope: &Scope) -> Result<Vec<Token>, Problem> {
    let (tenant, is_operator) = (scope.tenant.id, scope.caller.tenant.is_none());
    let rows = app.store.read(move |tx| match is_operator {
        true => tokens::list(tx, None),
        false => tokens::list(tx, Some(tenant)),
    });
    let rows = rows.await?.into_iter();
    let rows = rows.filter(|row| row.tenant.is_none_or(|owner| owner == tenant));
    let name = |row: &TokenRow| row.tenant.map(|_| scope.tenant.name.clone());
    Ok(rows.map(|row| Token::of(&row, name(&row))).collect())
}

/// Make a token of the tenant. Nobody can give a role that is higher than the own.
///
/// With the role `operator`, which only an operator can give, the token is for all tenants.
#[utoipa::path(
    post, path = "/v1/tokens", tag = "tokens", operation_id = "create_token", request_body = NewToken,
    responses((status = 201, body = MadeToken), (status = 403, body = Problem), (status = 422, body = Problem)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn create(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Body(body): Body<NewToken>,
) -> Result<Response, Problem> {
    scope.needs(Role::Manager)?;
    let made = make(&app, &scope, body).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Makes a token.
pub(crate) async fn make(app: &App, scope: &Scope, new: NewToken) -> Result<MadeToken, Problem> {
    scope.needs(new.role)?;
    let lifetime = match new.expires_in.as_deref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(time_of(text)?),
    };
    let tenant = match new.role {
        Role::Operator => {
            scope.caller.needs_operator()?;
            None
        }
        _ => Some(scope.tenant.id),
    };
    check_name(&new.name)?;
    let secret = secret::new(secret::TOKEN)?;
    let now = time::now();
    let row = TokenRow {
        id: Id::new(),
        tenant,
        name: new.name,
        role: new.role,
        expires: lifetime.map(|lifetime| now.saturating_add(lifetime)),
        created: now,
        created_by: scope.caller.name.clone(),
        last_used: None,
        parent: None,
    };
    let (hash, kept, who) = (
        secret::hash(&secret),
        row.clone(),
        scope.caller.name.clone(),
    );
    app.store
        .write(move |tx| {
            tokens::insert(tx, &kept, &hash)?;
            let detail = json!({ "name": kept.name, "role": kept.role.name() });
            audit::add(
                tx,
                kept.tenant,
                &who,
                "token.create",
                &kept.id.to_string(),
                &detail,
            )
        })
        .await?;
    let name = row.tenant.map(|_| scope.tenant.name.clone());
    Ok(MadeToken {
        secret,
        token: Token::of(&row, name),
    })
}

/// Refuses a name that a list could not show as it is.
pub(crate) fn check_name(name: &str) -> Result<(), Problem> {
    if (1..=100).contains(&name.len()) && !name.chars().any(text::is_unsafe_char) {
        return Ok(());
    }
    let detail = "`name` must be 1 to 100 bytes without control or invisible characters";
    Err(Problem::new(Kind::Invalid, detail))
}

/// A lifetime in microseconds: days, too.
fn time_of(text: &str) -> Result<i64, Problem> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u32>().ok());
    if let Some(days) = days.filter(|days| (1..=36_500).contains(days)) {
        return Ok(i64::from(days) * 24 * 3600 * time::SECOND);
    }
    let time: TimeLimit = text
        .parse()
        .map_err(|error| Problem::new(Kind::Invalid, format!("`expires_in`: {error}, or `90d`")))?;
    Ok(time::micros(time.duration()))
}

/// Take a token away, with the tokens and sessions that its links began.
#[utoipa::path(
    delete, path = "/v1/tokens/{id}", tag = "tokens", operation_id = "delete_token",
    params(("id" = String, Path, description = "The id of the token")),
    responses((status = 204), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn delete(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
) -> Result<Response, Problem> {
    scope.needs(Role::Manager)?;
    revoke(&app, &scope, &id).await?;
    Ok(nothing())
}

/// Takes a token away.
pub(crate) async fn revoke(app: &App, scope: &Scope, id: &str) -> Result<(), Problem> {
    let id = extract::id("token", id)?;
    let found = app.store.read(move |tx| tokens::by_id(tx, &id)).await?;
    let found = found.filter(|row| may_see(&scope.caller, scope.tenant.id, row));
    let Some(row) = found else {
        return Err(Problem::not_found("token", id));
    };
    let who = scope.caller.name.clone();
    app.store
        .write(move |tx| {
            let count = tokens::delete(tx, &id)?;
            audit::add(
                tx,
                row.tenant,
                &who,
                "token.delete",
                &id.to_string(),
                &json!({ "name": row.name, "tokens": count }),
            )
        })
        .await?;
    app.authority.forget();
    Ok(())
}

fn may_see(caller: &Caller, tenant: i64, row: &TokenRow) -> bool {
    match row.tenant {
        Some(owner) => owner == tenant,
        None => caller.tenant.is_none(),
    }
}
