//! The role that each route needs: taken from the OpenAPI document, so that what is documented is what
//! is asked for. It is asked for before a body is read.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::Value;

use crate::role::Role;

/// The roles, by method and route.
pub(crate) struct Roles(HashMap<(String, String), Role>);

impl Roles {
    /// Those that `x-kael-role` names in the document.
    pub(crate) fn of_document(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        let mut roles = HashMap::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let role = operation["x-kael-role"]
                    .as_str()
                    .and_then(|role| role.parse().ok());
                if let Some(role) = role {
                    roles.insert((method.to_uppercase(), path.clone()), role);
                }
            }
        }
        Self(roles)
    }

    /// The role that a route needs; none if it is no route of the document.
    pub(crate) fn needed(&self, method: &Method, route: &str) -> Option<Role> {
        // A HEAD is a GET without its body.
        let method = if method == Method::HEAD {
            "GET"
        } else {
            method.as_str()
        };
        self.0.get(&(method.to_owned(), route.to_owned())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::openapi;

    #[test]
    fn every_route_that_knows_its_caller_names_a_role() {
        let document: Value = serde_json::from_str(&openapi()).expect("a document");
        let roles = Roles::of_document(&openapi());
        let mut open = Vec::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let method: Method = method.to_uppercase().parse().expect("a method");
                match operation["security"].is_array() {
                    true => open.push(path.as_str()),
                    false => assert!(
                        roles.needed(&method, path).is_some(),
                        "{method} {path} names no role"
                    ),
                }
            }
        }
        assert_eq!(
            open,
            [
                "/healthz",
                "/readyz",
                "/v1/hooks/in/{id}",
                "/v1/login",
                "/v1/repos/{name}/push"
            ]
        );
        let needed = |method, path| roles.needed(&method, path);
        assert_eq!(needed(Method::POST, "/v1/runs"), Some(Role::Submitter));
        assert_eq!(needed(Method::HEAD, "/v1/tokens"), Some(Role::Manager));
        assert_eq!(
            needed(Method::GET, "/v1/tenants/{name}"),
            Some(Role::Operator)
        );
    }
}
