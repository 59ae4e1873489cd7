//! Signing in: a one-time code becomes a token for a program, or a session for a browser.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kael_engine::text::shorten;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::extract::Body;
use super::tokens::{MadeToken, check_name};
use super::types::Token;
use crate::app::App;
use crate::auth::Caller;
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::tokens::TokenRow;
use crate::tables::{audit, tokens};
use crate::{secret, time};

/// What a one-time code begins with.
pub(crate) const CODE: &str = "kael-link-";
/// How long a one-time link is valid.
pub(crate) const LINK_LIVES: i64 = 15 * 60 * time::SECOND;
/// How long a token that a program gets by signing in is valid.
const TOKEN_LIVES: i64 = 90 * 24 * 3600 * time::SECOND;

/// Tokens that the links of one token make.
const MAX_CHILDREN: i64 = 50;
/// Links of one token that are open at the same time.
const MAX_LINKS: i64 = 20;

/// What became of a code.
enum Made {
    Token(TokenRow),
    Unknown,
    TooMany,
}

/// A one-time code.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The code of a one-time link.
    pub code: String,
    /// What the new token is called behind the name of the link's token, such as the name of the machine.
    #[serde(default)]
    pub name: Option<String>,
}

/// Sign a program in with the code of a one-time link.
#[utoipa::path(
    post, path = "/v1/login", tag = "session", operation_id = "login", request_body = Login, security(()),
    responses(
        (status = 201, description = "A token with the same rights as the link, for 90 days", body = MadeToken),
        (status = 401, description = "The code is not known, was used, or has expired", body = Problem)
    )
)]
pub(crate) async fn login(
    AppState(app): AppState<Arc<App>>,
    Body(body): Body<Login>,
) -> Result<Response, Problem> {
    let secret = secret::new(secret::TOKEN)?;
    let (code, hash) = (secret::hash(&body.code), secret::hash(&secret));
    known_code(&app, code).await?;
    let name = body.name.filter(|name| !name.is_empty());
    if let Some(name) = &name {
        check_name(name)?;
    }
    let made = app.store.write(move |tx| {
        let Some(from) = tokens::take_sign_in(tx, &code)? else {
            return Ok(Made::Unknown);
        };
        if tokens::children(tx, &from.id)? >= MAX_CHILDREN {
            return Ok(Made::TooMany);
        }
        // The name of the link's token comes first, so that a new token cannot pass for an unrelated one.
        let name = name.as_deref().unwrap_or("login");
        let row = TokenRow {
            id: Id::new(),
            name: shorten(&format!("{}: {name}", from.name), 200).into_owned(),
            expires: Some(from.expires.unwrap_or(i64::MAX).min(tx.now() + TOKEN_LIVES)),
            created: tx.now(),
            created_by: from.name.clone(),
            last_used: None,
            parent: Some(from.id),
            ..from
        };
        tokens::insert(tx, &row, &hash)?;
        tokens::used(tx, &from.id)?;
        let detail = json!({ "name": row.name, "role": row.role.name() });
        audit::add(
            tx,
            row.tenant,
            &from.name,
            "login",
            &row.id.to_string(),
            &detail,
        )?;
        Ok(Made::Token(row))
    });
    let row = match made.await? {
        Made::Token(row) => row,
        Made::Unknown => return Err(unknown_code()),
        Made::TooMany => {
            let detail = format!("the links of this token have made {MAX_CHILDREN} tokens");
            return Err(Problem::new(Kind::TooManyRequests, detail)
                .hint("kael-host token rm takes some of them away"));
        }
    };
    let tenant = row
        .tenant
        .and_then(|id| app.tenants.get(id))
        .map(|tenant| tenant.name.clone());
    let made = MadeToken {
        secret,
        token: Token::of(&row, tenant),
    };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Refuses a code that the store does not have.
pub(crate) async fn known_code(app: &App, code: [u8; 32]) -> Result<(), Problem> {
    let known = app.store.read(move |tx| tokens::has_sign_in(tx, &code));
    if known.await? {
        Ok(())
    } else {
        Err(unknown_code())
    }
}

/// The answer to a code that opens nothing.
pub(crate) fn unknown_code() -> Problem {
    Problem::new(
        Kind::Unauthenticated,
        "the code is not known, was used, or has expired",
    )
    .hint("kael-host login --link makes a new one, and kael-host serve --sign-in the first")
}

/// A link that signs a browser in, once.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SignIn {
    /// The address to open.
    pub url: String,
    /// When it expires.
    pub expires: String,
}

/// Make a one-time link that signs a browser, or another machine, in as the caller.
#[utoipa::path(
    post, path = "/v1/sign-ins", tag = "session", operation_id = "create_sign_in",
    responses((status = 201, body = SignIn)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn sign_in(
    AppState(app): AppState<Arc<App>>,
    caller: Caller,
) -> Result<Response, Problem> {
    let expires = time::now() + LINK_LIVES;
    let code = secret::new(CODE)?;
    let (hash, token) = (secret::hash(&code), caller.token);
    let made = app.store.write(move |tx| {
        if tokens::open_sign_ins(tx, &token)? >= MAX_LINKS {
            return Ok(false);
        }
        tokens::add_sign_in(tx, &hash, &token, expires)?;
        Ok(true)
    });
    if !made.await? {
        let detail = format!("{MAX_LINKS} links of this token are open");
        return Err(Problem::new(Kind::TooManyRequests, detail)
            .hint("an unused link expires after 15 minutes"));
    }
    let made = SignIn {
        url: link(&app, &code),
        expires: time::text(expires),
    };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// The address that signs a browser in.
pub(crate) fn link(app: &App, code: &str) -> String {
    format!("{}/login?code={code}", app.address())
}

/// A new link for the first operator. Makes the operator, if there is none.
pub(crate) async fn operator_link(app: &App) -> Result<String, Problem> {
    let code = secret::new(CODE)?;
    let hash = secret::hash(&code);
    // The secret of this token is thrown away: only links sign in with it.
    let own = secret::hash(&secret::new(secret::TOKEN)?);
    app.store
        .write(move |tx| {
            let all = tokens::list(tx, None)?;
            let found = all
                .into_iter()
                .find(|row| row.tenant.is_none() && row.role == Role::Operator);
            let id = match found {
                Some(row) => row.id,
                None => {
                    let row = TokenRow {
                        id: Id::new(),
                        tenant: None,
                        name: "operator".to_owned(),
                        role: Role::Operator,
                        expires: None,
                        created: tx.now(),
                        created_by: "kael-host serve".to_owned(),
                        last_used: None,
                        parent: None,
                    };
                    tokens::insert(tx, &row, &own)?;
                    row.id
                }
            };
            tokens::add_sign_in(tx, &hash, &id, tx.now() + LINK_LIVES)
        })
        .await?;
    Ok(link(app, &code))
}

/// Who the caller is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The id of the token.
    pub token: String,
    /// Its name.
    pub name: String,
    /// What the caller may do.
    pub role: Role,
    /// The tenant; none for an operator.
    pub tenant: Option<String>,
    /// The version of the server.
    pub version: String,
}

/// Say who the caller is.
#[utoipa::path(
    get, path = "/v1/me", tag = "session", operation_id = "me",
    responses((status = 200, body = Me)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn me(AppState(app): AppState<Arc<App>>, caller: Caller) -> Json<Me> {
    Json(Me {
        token: caller.token.to_string(),
        name: caller.name,
        role: caller.role,
        tenant: caller
            .tenant
            .and_then(|id| app.tenants.get(id))
            .map(|tenant| tenant.name.clone()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
