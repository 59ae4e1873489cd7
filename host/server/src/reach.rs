//! What no grant of a tenant may reach. When a server takes settings, it refuses grants of folders and databases that are
//! its own or another tenant's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kael_engine::executor::granted::real;
use kael_engine::policy::grants::{DbGrant, Part};

use crate::app::App;
use crate::tenant::Tenant;

/// What a grant of a folder or a database names.
struct Named {
    /// How an error begins.
    grant: String,
    path: PathBuf,
    writable: bool,
    /// It lies in the tenant's own repo, where it is judged when it is used: actions and scripts write in `state/` alone.
    in_own_repo: bool,
}

/// What no grant may reach.
struct Closed {
    path: PathBuf,
    what: String,
    /// The tenant whose it is; none where it is the server's.
    of: Option<String>,
}

/// Refuses grants that reach what is the server's or another tenant's.
///
/// # Errors
/// The tenant that has the grant, and why.
pub(crate) fn refuse(app: &App, tenants: &[Arc<Tenant>]) -> Result<(), (String, String)> {
    let mut closed: Option<Vec<Closed>> = None;
    for tenant in tenants {
        let named = named(tenant).map_err(|why| (tenant.name.clone(), why))?;
        for named in named {
            let closed = closed.get_or_insert_with(|| all_closed(app, tenants));
            let reached = closed.iter().find(|closed| {
                let is_own = closed.of.as_deref() == Some(&tenant.name);
                let may_be = is_own && (named.in_own_repo || !named.writable);
                !may_be
                    && (named.path.starts_with(&closed.path)
                        || closed.path.starts_with(&named.path))
            });
            if let Some(closed) = reached {
                let why = format!(
                    "{} is, holds or lies in {}: name a folder outside of it",
                    named.grant, closed.what
                );
                return Err((tenant.name.clone(), why));
            }
        }
    }
    Ok(())
}

fn all_closed(app: &App, tenants: &[Arc<Tenant>]) -> Vec<Closed> {
    let servers = "what is the server's own";
    let environment = &app.environment;
    let own = [
        app.data(),
        environment.data_folder(),
        environment.config_folder(),
    ];
    let files = app.config.private_files().map(Path::to_owned);
    let lists = tenants
        .iter()
        .filter_map(|tenant| tenant.settings.secrets.clone());
    let mut closed: Vec<Closed> = own
        .into_iter()
        .chain(files)
        .chain(lists)
        .map(|path| Closed {
            path: real(&path),
            what: servers.to_owned(),
            of: None,
        })
        .collect();
    for tenant in tenants {
        let name = &tenant.name;
        let repo = tenant.settings.actions.iter();
        let repo = repo.map(|path| (path, format!("the actions repo of the tenant `{name}`")));
        let policies = tenant.settings.policy.iter();
        let policies = policies.map(|path| (path, format!("a policy of the tenant `{name}`")));
        closed.extend(repo.chain(policies).map(|(path, what)| Closed {
            path: real(path),
            what,
            of: Some(name.clone()),
        }));
    }
    closed
}

/// All folders and databases that are opened to a tenant.
fn named(tenant: &Tenant) -> Result<Vec<Named>, String> {
    let repo = tenant.settings.actions.as_deref().map(real);
    let at = |path: &str| match (path.strip_prefix("~/"), &repo) {
        (Some(_), _) => Err("is below a home folder, and a tenant has none".to_owned()),
        (None, _) if path.starts_with('/') => Ok(real(Path::new(path))),
        (None, Some(repo)) => Ok(real(&repo.join(path))),
        (None, None) if tenant.settings.git.is_some() => Err(
            "is relative to an actions repo, and that of the tenant is in git: name it from `/` on"
                .to_owned(),
        ),
        (None, None) => Err("is relative to an actions repo, and the tenant has none".to_owned()),
    };
    let in_own_repo = |path: &Path| repo.as_ref().is_some_and(|repo| path.starts_with(repo));
    let mut all = Vec::new();
    for grants in tenant.granted() {
        let place = |line: u32| format!("{}:{line}:", grants.file);
        for grant in &grants.fs {
            let start = format!("{} the folder `{}`", place(grant.line), grant.path);
            let path = at(&grant.path).map_err(|why| format!("{start} {why}"))?;
            all.push(Named {
                in_own_repo: in_own_repo(&path),
                path,
                grant: start,
                writable: grant.writable,
            });
        }
        for grant in &grants.db {
            let start = format!("{} the database `{}`", place(grant.line), grant.name);
            let file = file_of(grant).map_err(|why| format!("{start} {why}"))?;
            let Some(file) = file else {
                continue;
            };
            let path = at(&file).map_err(|why| format!("{start} {why}"))?;
            // SQLite writes beside its file, too.
            let path = path.parent().map_or(path.clone(), Path::to_owned);
            all.push(Named {
                in_own_repo: in_own_repo(&path),
                path,
                grant: start,
                writable: true,
            });
        }
    }
    Ok(all)
}

/// The file of a database, which must be known before it is opened; none of a database behind a server. Where that is,
/// the operator writes out: a value could be one that the tenant sets.
fn file_of(grant: &DbGrant) -> Result<Option<String>, String> {
    let parts = &grant.url.parts;
    if let Some(Part::Text(start)) = parts.first()
        && kael_stdlib::is_database_server(start)
    {
        return Ok(None);
    }
    let mut url = String::new();
    for part in parts {
        match part {
            Part::Text(text) => url.push_str(text),
            Part::Variable(_) | Part::Secret(_) => {
                return Err("has a value where its `url` says what it is: write out the file, or how it begins, such as postgres://app:{secret:NAME}@db.internal/shop".to_owned());
            }
        }
    }
    let file = url.strip_prefix("sqlite:").unwrap_or(&url);
    let file = file.strip_prefix("//").unwrap_or(file);
    let file = file.split('?').next().unwrap_or_default();
    Ok(Some(file.to_owned()))
}
