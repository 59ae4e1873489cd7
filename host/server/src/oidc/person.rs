//! What the claims of a token say of a person: who it is, and what the person may do here.

use kael_engine::text::{is_unsafe_char, shorten};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::OidcError;
use crate::config::{OidcConfig, TenantBy};
use crate::role::Role;

/// Somebody whom the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// For people to read.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// The name of the tenant; none for an operator.
    pub(crate) tenant: Option<String>,
}

/// The digest of who it is.
pub(super) fn subject(config: &OidcConfig, claims: &Map<String, Value>) -> [u8; 32] {
    let own = claims.get("sub").and_then(Value::as_str);
    let text = format!("{}\0{}", config.issuer, own.unwrap_or_default());
    Sha256::digest(text).into()
}

/// The person of verified claims.
///
/// # Errors
/// Which groups give no role, or what names no tenant.
pub(super) fn of(config: &OidcConfig, claims: &Map<String, Value>) -> Result<Person, OidcError> {
    let groups = texts(claims.get(&config.groups));
    let roles = config.roles.iter();
    let own = roles.filter(|(group, _)| *group == "*" || groups.contains(group));
    let Some(role) = own.map(|(_, role)| *role).max() else {
        let shown: Vec<String> = groups.iter().take(20).map(|group| clean(group)).collect();
        let shown = match shown.is_empty() {
            true => format!("the provider names none in the claim `{}`", config.groups),
            false => format!("the provider says: {}", shown.join(", ")),
        };
        return Err(OidcError::NoRole(shown));
    };
    let tenant = match (role, &config.tenant) {
        (Role::Operator, _) => None,
        (_, TenantBy::Name(name)) => Some(name.clone()),
        (_, TenantBy::Claim(claim)) => match texts(claims.get(claim)).as_slice() {
            [one] => Some(one.clone()),
            [] => {
                return Err(OidcError::NoTenant(format!(
                    "the claim `{claim}` is missing"
                )));
            }
            _ => {
                return Err(OidcError::NoTenant(format!(
                    "the claim `{claim}` has several"
                )));
            }
        },
    };
    let names = ["preferred_username", "email", "name", "sub"];
    let mut names = names.iter().filter_map(|name| claims.get(*name)?.as_str());
    let name = clean(names.find(|name| !name.is_empty()).unwrap_or("somebody"));
    Ok(Person {
        // Nobody is called like a token that was made here.
        name: format!("{name} by {}", config.name),
        role,
        tenant,
    })
}

/// The texts of a claim that is one or a list.
fn texts(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(all)) => {
            let all = all.iter().filter_map(Value::as_str);
            all.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// A text without what a reader does not see.
pub(crate) fn clean(text: &str) -> String {
    let seen: String = text.chars().filter(|c| !is_unsafe_char(*c)).collect();
    shorten(&seen, 100).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn person(tenant: TenantBy, claims: Value) -> Result<Person, OidcError> {
        let roles = [
            ("devs", Role::Submitter),
            ("leads", Role::Approver),
            ("ops", Role::Operator),
        ];
        let config = OidcConfig {
            issuer: "https://i.example".to_owned(),
            client_id: "kael".to_owned(),
            client_secret: None,
            name: "Example".to_owned(),
            scopes: Vec::new(),
            groups: "groups".to_owned(),
            roles: BTreeMap::from(roles.map(|(group, role)| (group.to_owned(), role))),
            tenant,
        };
        let Value::Object(claims) = claims else {
            panic!("a table")
        };
        of(&config, &claims)
    }

    #[test]
    fn groups_give_the_highest_role_and_a_claim_the_tenant() {
        let by_claim = || TenantBy::Claim("team".to_owned());
        let ann = json!({ "sub": "1", "groups": ["devs", "leads", "x"], "team": "web", "preferred_username": "ann\u{202e}" });
        let ann = person(by_claim(), ann).expect("a person");
        let expected = (Role::Approver, Some("web"), "ann by Example");
        assert_eq!(
            (ann.role, ann.tenant.as_deref(), ann.name.as_str()),
            expected
        );
        let ops = json!({ "sub": "2", "groups": "ops", "team": ["web", "data"] });
        let ops = person(by_claim(), ops).expect("a person");
        assert_eq!((ops.role, ops.tenant), (Role::Operator, None));
        for claims in [
            json!({ "sub": "3", "groups": ["x"], "team": "web" }),
            json!({ "sub": "3", "groups": { "devs": true }, "team": "web" }),
            json!({ "sub": "3", "team": "web" }),
        ] {
            let refused = person(by_claim(), claims);
            assert!(matches!(refused, Err(OidcError::NoRole(_))), "{refused:?}");
        }
        for team in [json!(null), json!(["a", "b"]), json!(5)] {
            let claims = json!({ "sub": "4", "groups": "devs", "team": team });
            let refused = person(by_claim(), claims);
            assert!(
                matches!(refused, Err(OidcError::NoTenant(_))),
                "{refused:?}"
            );
        }
    }
}
