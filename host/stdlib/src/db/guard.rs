//! What statements of scripts may not do: leave their database, or change how it works.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result};

/// Bytes of one value or row, and of a statement.
const MAX_VALUE: i32 = 16 << 20;
const MAX_SQL: i32 = 1 << 20;
/// Columns of a table and of an answer.
const MAX_COLUMNS: i32 = 500;
/// Pragmas that only tell something.
const READ: [&str; 9] = [
    "database_list",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// Sets the bounds of a connection.
pub(super) fn bound(connection: &Connection) -> Result<()> {
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE),
        (Limit::SQLITE_LIMIT_COLUMN, MAX_COLUMNS),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_SQL),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 50),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, most)?;
    }
    Ok(())
}

/// Decides on what statements do, from now on.
pub(super) fn watch(connection: &Connection) -> Result<()> {
    connection.authorizer(Some(decide))
}

/// Lets Kael's own statements through again.
pub(super) fn unwatch(connection: &Connection) -> Result<()> {
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)
}

fn decide(context: AuthContext<'_>) -> Authorization {
    let is_fine = match context.action {
        // Another file, also that of `VACUUM INTO`.
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => false,
        // A transaction is the action's own.
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => false,
        AuthAction::Pragma {
            pragma_name,
            pragma_value,
        } => {
            let name = pragma_name.to_ascii_lowercase();
            READ.contains(&name.as_str()) && (name != "user_version" || pragma_value.is_none())
        }
        AuthAction::Function { function_name } => {
            !function_name.eq_ignore_ascii_case("load_extension")
        }
        AuthAction::CreateVtable { .. } | AuthAction::DropVtable { .. } => false,
        AuthAction::Unknown { .. } => false,
        _ => true,
    };
    match is_fine {
        true => Authorization::Allow,
        false => Authorization::Deny,
    }
}
