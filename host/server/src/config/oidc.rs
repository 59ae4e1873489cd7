//! How people sign in with the accounts of an OpenID Connect provider: `oidc` of `serve.yaml`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kael_engine::settings_file::Table;

use crate::role::Role;

/// The keys of `oidc`.
pub(super) const KEYS: &[&str] = &[
    "issuer",
    "client_id",
    "client_secret",
    "name",
    "scopes",
    "groups",
    "roles",
    "tenant",
    "tenant_claim",
];

/// A provider, and what its people may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// Its address, as its tokens name it.
    pub issuer: String,
    /// The name by which it knows this server.
    pub client_id: String,
    /// The file of the secret that the provider knows this server by.
    pub client_secret: Option<PathBuf>,
    /// What people call the provider.
    pub name: String,
    /// What is asked for beside `openid`, `profile` and `email`.
    pub scopes: Vec<String>,
    /// The claim with the groups of a person.
    pub groups: String,
    /// The role of each group; `*` is everybody.
    pub roles: BTreeMap<String, Role>,
    /// The tenant of those who are no operators.
    pub tenant: TenantBy,
}

/// Where the tenant of a person comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantBy {
    /// All have this one.
    Name(String),
    /// A claim names it.
    Claim(String),
}

impl OidcConfig {
    pub(super) fn read(mut table: Table<'_>, folder: &Path) -> Option<Self> {
        let issuer = table.text("issuer").map(str::to_owned);
        if let Some(issuer) = &issuer
            && !is_private(issuer)
        {
            table.wrong(
                "issuer",
                "must start with https://, or be http:// at an address of this machine",
            );
        }
        let client_id = table.text("client_id").map(str::to_owned);
        if issuer.is_none() || client_id.is_none() || table.get("roles").is_none() {
            table.wrong_itself("needs `issuer`, `client_id` and `roles`");
        }
        let mut roles = BTreeMap::new();
        for (group, role) in table.map("roles") {
            match role.parse::<Role>() {
                Ok(role) => _ = roles.insert(group, role),
                Err(error) => table.wrong("roles", &format!("of `{group}`: {error}")),
            }
        }
        let name = table.text("tenant").map(str::to_owned);
        let claim = table.text("tenant_claim").map(str::to_owned);
        let tenant = match (name, claim) {
            (Some(_), Some(_)) => {
                table.wrong("tenant_claim", "stands beside `tenant`: give one of them");
                return None;
            }
            (_, Some(claim)) => TenantBy::Claim(claim),
            (name, None) => TenantBy::Name(name.unwrap_or_else(|| "default".to_owned())),
        };
        let issuer = issuer?;
        let host = issuer.split("://").nth(1).unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default().to_owned();
        Some(Self {
            client_id: client_id?,
            client_secret: table.path("client_secret", folder),
            name: table.text("name").map_or(host, str::to_owned),
            scopes: table.texts("scopes"),
            groups: table.text("groups").unwrap_or("groups").to_owned(),
            roles,
            tenant,
            issuer,
        })
    }
}

/// Whether what is sent to a URL is read by nobody on the way.
pub(crate) fn is_private(url: &str) -> bool {
    let Ok(uri) = url.parse::<hyper::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = bare
        .parse::<IpAddr>()
        .map_or(bare == "localhost", |ip| ip.is_loopback());
    !host.is_empty()
        && match uri.scheme_str() {
            Some("https") => true,
            Some("http") => is_here,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_reads_is_private() {
        for url in [
            "https://login.example.org/realms/x",
            "http://127.0.0.1:9400",
            "http://[::1]:1/",
            "http://localhost",
        ] {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "http://login.example.org",
            "http://127.0.0.1.example.org",
            "ftp://localhost",
            "login.example.org",
            "http://localhost.example.org",
            "",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }
}
