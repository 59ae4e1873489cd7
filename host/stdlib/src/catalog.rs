//! The actions that Kael brings, as `define_action` would take them.

use kael_engine::catalog::BuiltinAction;

/// Fields of an action of HTTP, whose effects its method says.
macro_rules! http {
    ($description:literal, $effects:literal) => {
        concat!(
            r#"{ "description": ""#,
            $description,
            r#"", "effects": ""#,
            $effects,
            r##"", "timeout": "10m", "example": { "status": 200, "headers": {}, "body": "", "url": "" },
  "params": { "type": "object", "required": ["url"], "additionalProperties": false, "properties": {
    "url": { "type": "string", "description": "http:// or https://, with its query" },
    "headers": { "type": "object", "description": "texts, or lists of texts" },
    "body": { "type": "string", "description": "a text" },
    "bytes": { "type": "string", "description": "a character up to U+00FF for each byte" },
    "basic": { "type": "object", "required": ["username", "password"], "additionalProperties": false,
      "properties": { "username": { "type": "string" }, "password": { "type": "string" } } },
    "timeout": { "type": "number", "description": "seconds, at most 600; 30 without it" },
    "redirects": { "type": "integer", "minimum": 0, "maximum": 20, "description": "10 without it" },
    "max_bytes": { "type": "integer", "minimum": 0, "description": "of the body; 16 MiB without it" },
    "retries": { "type": "integer", "minimum": 0, "maximum": 5 } } } }"##
        )
    };
}

/// Every action, in any order.
pub(crate) const ACTIONS: &[BuiltinAction] = &[
    BuiltinAction {
        name: "kael.http.get",
        fields: http!("Sends a GET request.", "none"),
    },
    BuiltinAction {
        name: "kael.http.head",
        fields: http!("Sends a HEAD request.", "none"),
    },
    BuiltinAction {
        name: "kael.http.options",
        fields: http!("Sends an OPTIONS request.", "none"),
    },
    BuiltinAction {
        name: "kael.http.post",
        fields: http!("Sends a POST request.", "once"),
    },
    BuiltinAction {
        name: "kael.http.put",
        fields: http!("Sends a PUT request.", "idempotent"),
    },
    BuiltinAction {
        name: "kael.http.patch",
        fields: http!("Sends a PATCH request.", "once"),
    },
    BuiltinAction {
        name: "kael.http.delete",
        fields: http!("Sends a DELETE request.", "idempotent"),
    },
    BuiltinAction {
        name: "kael.fs.read",
        fields: r#"{ "description": "The text or the bytes of a file.", "effects": "none", "timeout": "1m", "example": { "text": "" },
  "params": { "type": "object", "required": ["path"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" }, "max_bytes": { "type": "integer", "minimum": 0 } } } }"#,
    },
    BuiltinAction {
        name: "kael.fs.write",
        fields: r#"{ "description": "Writes a file, and makes the folders above it.", "effects": "idempotent", "timeout": "1m", "example": null,
  "params": { "type": "object", "required": ["path"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" }, "text": { "type": "string" }, "bytes": { "type": "string" } } } }"#,
    },
    BuiltinAction {
        name: "kael.fs.append",
        fields: r#"{ "description": "Writes to the end of a file, and makes it and the folders above it.", "effects": "once", "timeout": "1m", "example": null,
  "params": { "type": "object", "required": ["path"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" }, "text": { "type": "string" }, "bytes": { "type": "string" } } } }"#,
    },
    BuiltinAction {
        name: "kael.fs.list",
        fields: r#"{ "description": "The entries of a folder, sorted.", "effects": "none", "timeout": "1m", "example": [],
  "params": { "type": "object", "required": ["path"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" }, "depth": { "type": "integer", "minimum": 1, "maximum": 64 } } } }"#,
    },
    BuiltinAction {
        name: "kael.fs.stat",
        fields: r#"{ "description": "What a path names, or null.", "effects": "none", "timeout": "1m", "example": null,
  "params": { "type": "object", "required": ["path"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" } } } }"#,
    },
    BuiltinAction {
        name: "kael.fs.mkdir",
        fields: r#"{ "description": "Makes a folder, and those above it.", "effects": "idempotent", "timeout": "1m", "example": null,
  "params": { "type": "object", "required": ["path"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" } } } }"#,
    },
    BuiltinAction {
        name: "kael.fs.remove",
        fields: r#"{ "description": "Removes a file, or a folder with all in it.", "effects": "idempotent", "timeout": "1m", "example": null,
  "params": { "type": "object", "required": ["path"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" } } } }"#,
    },
    BuiltinAction {
        name: "kael.fs.rename",
        fields: r#"{ "description": "Moves a file or a folder.", "effects": "once", "timeout": "1m", "example": null,
  "params": { "type": "object", "required": ["path", "to"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" }, "to": { "type": "string" } } } }"#,
    },
    BuiltinAction {
        name: "kael.fs.copy",
        fields: r#"{ "description": "Copies a file.", "effects": "idempotent", "timeout": "1m", "example": 0,
  "params": { "type": "object", "required": ["path", "to"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" }, "to": { "type": "string" } } } }"#,
    },
    BuiltinAction {
        name: "kael.fs.chmod",
        fields: r#"{ "description": "Sets the mode of a file.", "effects": "idempotent", "timeout": "1m", "example": null,
  "params": { "type": "object", "required": ["path", "mode"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" }, "mode": { "type": "integer", "minimum": 0, "maximum": 511 } } } }"#,
    },
    BuiltinAction {
        name: "kael.crypto.jwt_sign",
        fields: r#"{ "description": "Signs a JSON web token; the key is a text or a secret.", "effects": "none", "timeout": "10s", "example": "a.b.c",
  "params": { "claims": "table", "key": "string?", "secret": "secret?", "algorithm": "string?", "kid": "string?" } }"#,
    },
    BuiltinAction {
        name: "kael.crypto.jwt_verify",
        fields: r#"{ "description": "Checks a JSON web token, and gives its header and its claims.", "effects": "none", "timeout": "10s", "example": { "header": {}, "claims": {} },
  "params": { "token": "string", "key": "string|table?", "secret": "secret?", "algorithm": "string?", "audience": "string[]|string?", "issuer": "string[]|string?",
    "leeway": "integer?", "validate_exp": "boolean?", "validate_nbf": "boolean?", "required_claims": "string[]?" } }"#,
    },
    BuiltinAction {
        name: "kael.db.query",
        fields: r#"{ "description": "Reads rows of a database.", "effects": "none", "timeout": "10m", "example": { "columns": [], "rows": [] },
  "params": { "db": "string", "sql": "string", "params": "any[]?", "timeout": "number?" } }"#,
    },
    BuiltinAction {
        name: "kael.db.execute",
        fields: r#"{ "description": "Runs a statement that changes a database.", "effects": "once", "timeout": "10m", "example": [{ "rows_affected": 0, "last_insert_id": 0 }],
  "params": { "db": "string", "sql": "string", "params": "any[]?", "timeout": "number?" } }"#,
    },
    BuiltinAction {
        name: "kael.db.transaction",
        fields: r#"{ "description": "Runs several statements in one transaction: all, or none.", "effects": "once", "timeout": "10m", "example": [],
  "params": { "db": "string", "statements": "table[]", "timeout": "number?" } }"#,
    },
    BuiltinAction {
        name: "kael.env.get",
        fields: r#"{ "description": "The value of a variable of the host, or null.", "effects": "none", "timeout": "10s", "example": null,
  "params": { "name": "string" } }"#,
    },
    BuiltinAction {
        name: "kael.env.list",
        fields: r#"{ "description": "The variables that the policy opens.", "effects": "none", "timeout": "10s", "example": [],
  "params": {} }"#,
    },
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_action_is_defined() {
        let library = crate::library();
        for name in library.names() {
            assert!(library.get(name).is_some(), "{name}");
        }
        assert_eq!(library.names().count(), super::ACTIONS.len());
    }
}
