//! Tenants: what each may use, and what it does use.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::extract::{Body, Names};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{Kind, Problem};
use crate::reach;
use crate::tables::{audit, retention, tenants};
use crate::tenant::Tenant;
use crate::tenant_settings::TenantSettings;
use crate::time;

/// What a tenant sees of itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnTenant {
    /// Its name.
    name: String,
    /// Runs at the same time.
    max_running: u32,
    /// Runs that may wait for their turn.
    max_queued: u64,
    /// Bytes that its scripts and the output of its runs may have.
    max_storage: u64,
    /// What it uses now.
    load: Load,
}

/// What a tenant uses now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Load {
    /// Runs that run.
    running: u32,
    /// Runs that wait for their turn.
    queued: u64,
    /// Seconds that its runs have had a slot since the server began.
    slot_seconds: f64,
    /// Bytes of its scripts and of the output, calls and results of its runs.
    storage_bytes: u64,
}

impl Load {
    fn of(app: &App, tenant: i64, storage: &Storage) -> Self {
        let load = app.runner.fair().load(tenant);
        Self {
            running: load.running,
            queued: load.queued,
            slot_seconds: (load.slot_seconds * 1e3).round() / 1e3,
            storage_bytes: storage.of(tenant),
        }
    }
}

/// What each tenant has in the store.
pub(crate) struct Storage(BTreeMap<i64, i64>);

impl Storage {
    pub(crate) async fn read(app: &App) -> Result<Self, Problem> {
        let all = app.store.read(retention::every_bytes).await?;
        Ok(Self(all.into_iter().collect()))
    }

    /// Bytes.
    pub(crate) fn of(&self, tenant: i64) -> u64 {
        let bytes = self.0.get(&tenant).copied().unwrap_or(0);
        u64::try_from(bytes).unwrap_or(0)
    }
}

/// A tenant, for operators.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantDocument {
    /// Its name.
    name: String,
    /// When it was made.
    created: String,
    /// Whether it may do anything.
    disabled: bool,
    /// What the operator decided.
    settings: TenantSettings,
    /// What it uses now.
    load: Load,
}

impl TenantDocument {
    fn of(app: &App, tenant: &Tenant, storage: &Storage) -> Self {
        let mut settings = tenant.settings.clone();
        // Values may be secrets: names are enough to see what is set.
        for value in settings.env.values_mut() {
            "***".clone_into(value);
        }
        Self {
            name: tenant.name.clone(),
            created: time::text(tenant.created),
            disabled: tenant.is_disabled(),
            settings,
            load: Load::of(app, tenant.id, storage),
        }
    }
}

/// All tenants.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantList {
    /// By name.
    tenants: Vec<TenantDocument>,
}

/// What an operator sends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutTenant {
    /// What the operator decides.
    #[serde(default)]
    settings: TenantSettings,
    /// Whether it may do nothing.
    #[serde(default)]
    disabled: bool,
}

/// Look at the own tenant: its limits, and what it uses.
#[utoipa::path(
    get, path = "/v1/tenant", tag = "tenants", operation_id = "own_tenant",
    responses((status = 200, body = OwnTenant)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn own(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<OwnTenant>, Problem> {
    let storage = Storage::read(&app).await?;
    Ok(Json(OwnTenant {
        name: scope.tenant.name.clone(),
        max_running: scope.tenant.settings.max_running,
        max_queued: scope.tenant.settings.max_queued,
        max_storage: scope.tenant.keep.storage,
        load: Load::of(&app, scope.tenant.id, &storage),
    }))
}

/// List all tenants.
#[utoipa::path(
    get, path = "/v1/tenants", tag = "tenants", operation_id = "list_tenants",
    responses((status = 200, body = TenantList)),
    extensions(("x-kael-role" = json!("operator")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    caller: Caller,
) -> Result<Json<TenantList>, Problem> {
    caller.needs_operator()?;
    let storage = Storage::read(&app).await?;
    let all = app.tenants.all();
    let tenants = all
        .iter()
        .map(|tenant| TenantDocument::of(&app, tenant, &storage))
        .collect();
    Ok(Json(TenantList { tenants }))
}

/// Look at a tenant.
#[utoipa::path(
    get, path = "/v1/tenants/{name}", tag = "tenants", operation_id = "get_tenant",
    params(("name" = String, Path, description = "The name of the tenant")),
    responses((status = 200, body = TenantDocument), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("operator")))
)]
pub(crate) async fn get(
    AppState(app): AppState<Arc<App>>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Json<TenantDocument>, Problem> {
    caller.needs_operator()?;
    let found = app
        .tenants
        .named(&name)
        .ok_or_else(|| Problem::not_found("tenant", &name))?;
    let storage = Storage::read(&app).await?;
    Ok(Json(TenantDocument::of(&app, &found, &storage)))
}

/// Make a tenant, or give one other settings.
///
/// The settings are replaced as a whole; a value of `env` that is `***` stays as it was.
#[utoipa::path(
    put, path = "/v1/tenants/{name}", tag = "tenants", operation_id = "put_tenant", request_body = PutTenant,
    params(("name" = String, Path, description = "The name of the tenant")),
    responses((status = 200, body = TenantDocument), (status = 422, body = Problem)),
    extensions(("x-kael-role" = json!("operator")))
)]
pub(crate) async fn put(
    AppState(app): AppState<Arc<App>>,
    caller: Caller,
    Names(name): Names<String>,
    _headers: HeaderMap,
    Body(body): Body<PutTenant>,
) -> Result<Json<TenantDocument>, Problem> {
    caller.needs_operator()?;
    let tenant = put_tenant(&app, &caller, &name, body.settings, body.disabled).await?;
    let storage = Storage::read(&app).await?;
    Ok(Json(TenantDocument::of(&app, &tenant, &storage)))
}

/// Makes or changes a tenant, after a look at whether it would work.
pub(crate) async fn put_tenant(
    app: &App,
    caller: &Caller,
    name: &str,
    mut settings: TenantSettings,
    disabled: bool,
) -> Result<Arc<Tenant>, Problem> {
    let invalid = |why: String| Problem::new(Kind::Invalid, why);
    if let Some(before) = app.tenants.named(name) {
        for (key, value) in settings.env.iter_mut().filter(|(_, value)| *value == "***") {
            if let Some(kept) = before.settings.env.get(key) {
                value.clone_from(kept);
            }
        }
    }
    let text = serde_json::to_string(&settings).map_err(|error| invalid(error.to_string()))?;
    let draft = tenants::TenantRow {
        id: 0,
        name: name.to_owned(),
        settings: text.clone(),
        created: 0,
        disabled,
    };
    let drafted = Tenant::new(&draft, &app.environment, &app.data()).map_err(invalid)?;
    let all = app.tenants.all();
    let mut would_be = all.clone();
    would_be.retain(|other| other.name != name);
    would_be.push(Arc::new(drafted));
    reach::refuse(app, &would_be).map_err(|(of, why)| match of == name {
        true => invalid(why),
        false => invalid(format!("the tenant `{of}`: {why}")),
    })?;
    if !disabled {
        let others = all
            .iter()
            .filter(|other| other.name != name && !other.is_disabled());
        for other in others {
            let may = other.may_have_neighbours();
            may.map_err(|why| invalid(format!("the tenant `{}`: {why}", other.name)))?;
        }
    }
    let (name, who) = (name.to_owned(), caller.name.clone());
    let row = app.store.write(move |tx| {
        let row = tenants::put(tx, &name, &text, disabled)?;
        let detail = json!({ "disabled": disabled });
        audit::add(tx, Some(row.id), &who, "tenant.put", &name, &detail)?;
        Ok(row)
    });
    app.put_tenant(&row.await?).map_err(invalid)
}
