//! When another commit of an actions repo is looked for: when somebody asks, when its time has come; and which clones go.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::app::App;
use crate::checkout::{TICK, replaced};
use crate::tables::{Scoped, audit, runs};
use crate::tenant::Tenant;
use crate::time;

/// How long a clone is kept at least when another commit is used.
const KEPT: Duration = Duration::from_secs(3600);

/// Looks for another commit, and uses it if it loads. Who asked is none for the timer.
pub(crate) async fn refresh(app: &App, tenant: &Tenant, who: Option<String>) -> Result<(), String> {
    let before = tenant.status();
    let loaded = tenant.load(&app.engine, true).await.map(drop);
    let after = tenant.status();
    let is_news = before.commit != after.commit || before.error != after.error;
    if who.is_some() || is_news {
        let detail = json!({ "commit": after.commit, "error": after.error });
        let (id, name) = (tenant.id, tenant.name.clone());
        let who = who.unwrap_or_else(|| "the timer".to_owned());
        let noted = app
            .store
            .write(move |tx| audit::add(tx, Some(id), &who, "actions.refresh", &name, &detail));
        if let Err(error) = noted.await {
            tracing::error!("the refresh of a repo is not noted: {error}");
        }
    }
    match &loaded {
        Ok(()) => sweep(app, tenant).await,
        Err(error) if is_news => tracing::warn!(
            "the actions repo of `{}` stays as it was: {error}",
            tenant.name
        ),
        Err(_) => {}
    }
    loaded
}

/// Looks for other commits when their time has come, until the server ends.
pub(crate) async fn run(app: Arc<App>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = app.ends() => return,
        }
        for tenant in app.tenants.all() {
            let git = tenant.settings.git.as_ref();
            let every = git.and_then(|git| git.every().ok().flatten());
            let is_due = every.is_some_and(|every| tenant.status().is_due(every));
            if is_due && !tenant.is_disabled() {
                tenant.tries();
                let app = app.clone();
                tokio::spawn(async move { refresh(&app, &tenant, None).await });
            }
        }
    }
}

/// Removes clones of commits that no run can need any more.
pub(crate) async fn sweep(app: &App, tenant: &Tenant) {
    // While a repo loads, and before it was loaded, it is not known which clone is in use.
    let Ok(_one) = tenant.loading.try_lock() else {
        return;
    };
    let status = tenant.status();
    if tenant.settings.git.is_some() && status.folder.is_none() {
        return;
    }
    let scoped = Scoped(tenant.id);
    let oldest = app.store.read(move |tx| runs::oldest_open(tx, scoped));
    let Ok(oldest) = oldest.await else {
        return;
    };
    for (clone, replaced) in replaced(tenant.environment(), &status) {
        let since = replaced.duration_since(SystemTime::UNIX_EPOCH);
        let since = time::micros(since.unwrap_or_default());
        let is_needed = oldest.is_some_and(|oldest| oldest < since);
        if !is_needed && replaced.elapsed().is_ok_and(|age| age > KEPT) {
            tokio::fs::remove_dir_all(clone).await.ok();
        }
    }
}
