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
    "events": { "type": "boolean", "description": "gives a handle for kael.http.read, should the answer have events" },
    "retries": { "type": "integer", "minimum": 0, "maximum": 5 } } } }"##
        )
    };
}

/// Fields of an action of files: what it is for, its effects, an example of its result, what it requires beside the path, and
/// its other parameters, both with a comma in front.
macro_rules! fs {
    ($description:literal, $effects:literal, $example:literal, $required:literal, $others:literal) => {
        concat!(
            r#"{ "description": ""#,
            $description,
            r#"", "effects": ""#,
            $effects,
            r#"", "timeout": "1m", "example": "#,
            $example,
            r#",
  "params": { "type": "object", "required": ["path""#,
            $required,
            r#"], "additionalProperties": false, "properties": {
    "path": { "type": "string", "description": "absolute, below the folder that a grant names" }"#,
            $others,
            " } } }"
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
        name: "kael.http.download",
        fields: r#"{ "description": "Writes the answer to a GET request to a file.", "effects": "idempotent", "timeout": "10m", "example": { "status": 200, "bytes": 0 },
  "params": { "type": "object", "required": ["url", "path"], "additionalProperties": false, "properties": {
    "url": { "type": "string" }, "path": { "type": "string", "description": "absolute, below the folder that a grant names" },
    "headers": { "type": "object" }, "basic": { "type": "object" }, "timeout": { "type": "number", "description": "seconds, at most 600; 600 without it" },
    "redirects": { "type": "integer", "minimum": 0, "maximum": 20 }, "max_bytes": { "type": "integer", "minimum": 0, "description": "1 GiB without it, at most 4 GiB" },
    "retries": { "type": "integer", "minimum": 0, "maximum": 5 } } } }"#,
    },
    BuiltinAction {
        name: "kael.http.read",
        fields: r#"{ "description": "The next events of an answer that is open.", "effects": "none", "timeout": "2m", "example": { "events": [], "done": true, "quiet": true },
  "params": { "stream": "string", "wait": "number?" } }"#,
    },
    BuiltinAction {
        name: "kael.http.close",
        fields: r#"{ "description": "Closes an answer that is open.", "effects": "none", "timeout": "10s", "example": null,
  "params": { "stream": "string" } }"#,
    },
    BuiltinAction {
        name: "kael.ws.open",
        fields: r#"{ "description": "Opens a WebSocket.", "effects": "none", "timeout": "10m", "example": { "socket": "x", "protocol": null },
  "params": { "type": "object", "required": ["url"], "additionalProperties": false, "properties": {
    "url": { "type": "string", "description": "ws:// or wss://, with its query" },
    "headers": { "type": "object", "description": "texts, or lists of texts" },
    "basic": { "type": "object", "required": ["username", "password"], "additionalProperties": false,
      "properties": { "username": { "type": "string" }, "password": { "type": "string" } } },
    "protocols": { "type": "array", "items": { "type": "string" }, "maxItems": 20 },
    "timeout": { "type": "number", "description": "seconds, at most 600; 30 without it" } } } }"#,
    },
    BuiltinAction {
        name: "kael.ws.send",
        fields: r#"{ "description": "Sends a message over a WebSocket.", "effects": "once", "timeout": "10m", "example": null,
  "params": { "socket": "string", "text": "string?", "bytes": "string?", "wait": "number?" } }"#,
    },
    BuiltinAction {
        name: "kael.ws.receive",
        fields: r#"{ "description": "The next message of a WebSocket.", "effects": "none", "timeout": "10m", "example": { "closed": true, "code": 1000, "reason": "" },
  "params": { "socket": "string", "wait": "number?" } }"#,
    },
    BuiltinAction {
        name: "kael.ws.close",
        fields: r#"{ "description": "Closes a WebSocket.", "effects": "none", "timeout": "10s", "example": null,
  "params": { "socket": "string", "code": "integer?", "reason": "string?" } }"#,
    },
    BuiltinAction {
        name: "kael.fs.read",
        fields: fs!(
            "The text or the bytes of a file.",
            "none",
            r#"{ "text": "" }"#,
            "",
            r#", "max_bytes": { "type": "integer", "minimum": 0 }"#
        ),
    },
    BuiltinAction {
        name: "kael.fs.write",
        fields: fs!(
            "Writes a file, and makes the folders above it.",
            "idempotent",
            r#"null"#,
            "",
            r#", "text": { "type": "string" }, "bytes": { "type": "string" }"#
        ),
    },
    BuiltinAction {
        name: "kael.fs.append",
        fields: fs!(
            "Writes to the end of a file, and makes it and the folders above it.",
            "once",
            r#"null"#,
            "",
            r#", "text": { "type": "string" }, "bytes": { "type": "string" }"#
        ),
    },
    BuiltinAction {
        name: "kael.fs.list",
        fields: fs!(
            "The entries of a folder, sorted.",
            "none",
            r#"[]"#,
            "",
            r#", "depth": { "type": "integer", "minimum": 1, "maximum": 64 }"#
        ),
    },
    BuiltinAction {
        name: "kael.fs.stat",
        fields: fs!("What a path names, or null.", "none", r#"null"#, "", ""),
    },
    BuiltinAction {
        name: "kael.fs.mkdir",
        fields: fs!(
            "Makes a folder, and those above it.",
            "idempotent",
            r#"null"#,
            "",
            ""
        ),
    },
    BuiltinAction {
        name: "kael.fs.remove",
        fields: fs!(
            "Removes a file, or a folder with all in it.",
            "idempotent",
            r#"null"#,
            "",
            ""
        ),
    },
    BuiltinAction {
        name: "kael.fs.rename",
        fields: fs!(
            "Moves a file or a folder.",
            "once",
            r#"null"#,
            r#", "to""#,
            r#", "to": { "type": "string" }"#
        ),
    },
    BuiltinAction {
        name: "kael.fs.copy",
        fields: fs!(
            "Copies a file.",
            "idempotent",
            r#"0"#,
            r#", "to""#,
            r#", "to": { "type": "string" }"#
        ),
    },
    BuiltinAction {
        name: "kael.fs.chmod",
        fields: fs!(
            "Sets the mode of a file: a number up to 511, which is 777 in octal.",
            "idempotent",
            r#"null"#,
            r#", "mode""#,
            r#", "mode": { "type": "integer", "minimum": 0, "maximum": 511 }"#
        ),
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
        name: "kael.s3.sign",
        fields: r#"{ "description": "Signs a request to S3 or another service of AWS; the key is a text or a secret.", "effects": "none", "timeout": "10s", "example": { "headers": {} },
  "params": { "method": "string", "url": "string", "headers": "table?", "body_hash": "string?", "region": "string?", "service": "string?", "access_key": "string",
    "key": "string?", "secret": "secret?", "session_token": "string?", "expires": "integer?" } }"#,
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
