//! Who may do what: tokens, the sessions of browsers, and one-time links that begin a session.

use kael_store::{Row, StoreError, Tx, Value};

use super::statements;
use crate::id::Id;
use crate::role::Role;

/// A token as the store has it; its secret is known to its holder alone.
#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    pub(crate) id: Id,
    /// None for the operator.
    pub(crate) tenant: Option<i64>,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) expires: Option<i64>,
    pub(crate) created: i64,
    pub(crate) created_by: String,
    pub(crate) last_used: Option<i64>,
    /// The token whose link made this one.
    pub(crate) parent: Option<Id>,
}

/// A session of a browser.
#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    pub(crate) token: TokenRow,
    /// What forms must bring along.
    pub(crate) csrf: String,
    pub(crate) expires: i64,
}

statements! {
    INSERT = "INSERT INTO srv_tokens (id, tenant, name, hash, role, expires, created, created_by, parent) \
              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    BY_HASH = "SELECT id, tenant, name, role, expires, created, created_by, last_used, parent \
               FROM srv_tokens WHERE hash = ?1";
    BY_ID = "SELECT id, tenant, name, role, expires, created, created_by, last_used, parent \
             FROM srv_tokens WHERE id = ?1";
    OF_TENANT = "SELECT id, tenant, name, role, expires, created, created_by, last_used, parent \
                 FROM srv_tokens WHERE tenant = ?1 ORDER BY id";
    EVERY = "SELECT id, tenant, name, role, expires, created, created_by, last_used, parent \
             FROM srv_tokens ORDER BY id";
    // The token and those that its links made, and so on.
    FAMILY = "WITH RECURSIVE family (id) AS (SELECT id FROM srv_tokens WHERE id = ?1 \
              UNION SELECT child.id FROM srv_tokens AS child JOIN family ON child.parent = family.id) SELECT id FROM family";
    // The token whose links and the links of theirs made this one.
    ROOT = "WITH RECURSIVE up (id, parent) AS (SELECT id, parent FROM srv_tokens WHERE id = ?1 UNION \
            SELECT above.id, above.parent FROM srv_tokens AS above JOIN up ON above.id = up.parent) \
            SELECT id FROM up WHERE parent IS NULL";
    CHILDREN = "SELECT count(*) FROM srv_tokens WHERE parent = ?1";
    DELETE = "DELETE FROM srv_tokens WHERE id = ?1";
    USED = "UPDATE srv_tokens SET last_used = ?2 WHERE id = ?1";
    ADD_SIGN_IN = "INSERT INTO srv_sign_ins (hash, token, expires) VALUES (?1, ?2, ?3)";
    HAS_SIGN_IN = "SELECT expires FROM srv_sign_ins WHERE hash = ?1";
    TAKE_SIGN_IN = "DELETE FROM srv_sign_ins WHERE hash = ?1 RETURNING token, expires";
    OPEN_SIGN_INS = "SELECT count(*) FROM srv_sign_ins WHERE token = ?1 AND expires >= ?2";
    DROP_SIGN_INS_OF = "DELETE FROM srv_sign_ins WHERE token = ?1";
    DROP_SIGN_INS = "DELETE FROM srv_sign_ins WHERE expires < ?1";
    SESSION = "SELECT token, csrf, expires FROM srv_sessions WHERE hash = ?1";
    ADD_SESSION = "INSERT INTO srv_sessions (hash, token, csrf, created, expires) VALUES (?1, ?2, ?3, ?4, ?5)";
    DROP_SESSION = "DELETE FROM srv_sessions WHERE hash = ?1";
    DROP_OLD_SESSIONS = "DELETE FROM srv_sessions WHERE expires < ?1";
    DROP_SESSIONS_OF = "DELETE FROM srv_sessions WHERE token = ?1";
}

pub(crate) fn insert(tx: &Tx<'_>, token: &TokenRow, hash: &[u8; 32]) -> Result<(), StoreError> {
    let values: [Value<'_>; 9] = [
        (&token.id).into(),
        token.tenant.into(),
        (&token.name).into(),
        hash.into(),
        token.role.name().into(),
        token.expires.into(),
        token.created.into(),
        (&token.created_by).into(),
        token.parent.as_ref().into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// The first token of a family. All tokens of a family count as one person.
pub(crate) fn root(tx: &Tx<'_>, id: &Id) -> Result<Id, StoreError> {
    let root = tx.first(ROOT, &[id.into()], |row| Ok(Id::of(row.get(0)?)))?;
    Ok(root.unwrap_or(*id))
}

pub(crate) fn by_hash(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
    tx.first(BY_HASH, &[hash.into()], row)
}

pub(crate) fn by_id(tx: &Tx<'_>, id: &Id) -> Result<Option<TokenRow>, StoreError> {
    tx.first(BY_ID, &[id.into()], row)
}

/// The tokens of a tenant; all of them without one.
pub(crate) fn list(tx: &Tx<'_>, tenant: Option<i64>) -> Result<Vec<TokenRow>, StoreError> {
    match tenant {
        Some(tenant) => tx.query(OF_TENANT, &[tenant.into()], row),
        None => tx.query(EVERY, &[], row),
    }
}

/// Deletes a token, the tokens that its links made, and the sessions and links of all of them. Returns how many tokens.
pub(crate) fn delete(tx: &Tx<'_>, id: &Id) -> Result<usize, StoreError> {
    let family = tx.query(FAMILY, &[id.into()], |row| Ok(Id::of(row.get(0)?)))?;
    for id in &family {
        tx.execute(DROP_SESSIONS_OF, &[id.into()])?;
        tx.execute(DROP_SIGN_INS_OF, &[id.into()])?;
        tx.execute(DELETE, &[id.into()])?;
    }
    Ok(family.len())
}

/// How many tokens the links of a token have made.
pub(crate) fn children(tx: &Tx<'_>, id: &Id) -> Result<i64, StoreError> {
    let count = tx.first(CHILDREN, &[id.into()], |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

/// How many links of a token are open.
pub(crate) fn open_sign_ins(tx: &Tx<'_>, id: &Id) -> Result<i64, StoreError> {
    let values = [id.into(), tx.now().into()];
    let count = tx.first(OPEN_SIGN_INS, &values, |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

pub(crate) fn used(tx: &Tx<'_>, id: &Id) -> Result<(), StoreError> {
    tx.execute(USED, &[id.into(), tx.now().into()]).map(|_| ())
}

pub(crate) fn add_sign_in(
    tx: &Tx<'_>,
    hash: &[u8; 32],
    token: &Id,
    expires: i64,
) -> Result<(), StoreError> {
    tx.execute(DROP_SIGN_INS, &[tx.now().into()])?;
    let values: [Value<'_>; 3] = [hash.into(), token.into(), expires.into()];
    tx.execute(ADD_SIGN_IN, &values).map(|_| ())
}

/// Whether there is such a link: a wrong code costs a read, and no place in the queue of writers.
pub(crate) fn has_sign_in(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let found = tx.first(HAS_SIGN_IN, &[hash.into()], |row| row.get::<i64>(0))?;
    Ok(found.is_some())
}

/// Uses a one-time link up: the token that it stands for, if it has not expired.
pub(crate) fn take_sign_in(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
    let found = tx.query(TAKE_SIGN_IN, &[hash.into()], |row| {
        Ok((Id::of(row.get(0)?), row.get::<i64>(1)?))
    })?;
    match found.first() {
        Some((token, expires)) if *expires >= tx.now() => by_id(tx, token),
        _ => Ok(None),
    }
}

pub(crate) fn add_session(
    tx: &Tx<'_>,
    hash: &[u8; 32],
    token: &Id,
    csrf: &str,
    expires: i64,
) -> Result<(), StoreError> {
    tx.execute(DROP_OLD_SESSIONS, &[tx.now().into()])?;
    let now = tx.now();
    let values: [Value<'_>; 5] = [
        hash.into(),
        token.into(),
        csrf.into(),
        now.into(),
        expires.into(),
    ];
    tx.execute(ADD_SESSION, &values).map(|_| ())
}

pub(crate) fn drop_session(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<(), StoreError> {
    tx.execute(DROP_SESSION, &[hash.into()]).map(|_| ())
}

pub(crate) fn session(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<Option<SessionRow>, StoreError> {
    let found = tx.first(SESSION, &[hash.into()], |row| {
        Ok((Id::of(row.get(0)?), row.get(1)?, row.get(2)?))
    })?;
    let Some((token, csrf, expires)) = found else {
        return Ok(None);
    };
    let token = by_id(tx, &token)?;
    Ok(token.map(|token| SessionRow {
        token,
        csrf,
        expires,
    }))
}

fn row(row: &Row<'_, '_>) -> Result<TokenRow, StoreError> {
    let role: String = row.get(3)?;
    Ok(TokenRow {
        id: Id::of(row.get(0)?),
        tenant: row.get(1)?,
        name: row.get(2)?,
        // A role of a newer Kael may do what the least may.
        role: role.parse().unwrap_or(Role::Viewer),
        expires: row.get(4)?,
        created: row.get(5)?,
        created_by: row.get(6)?,
        last_used: row.get(7)?,
        parent: row.get::<Option<[u8; 16]>>(8)?.map(Id::of),
    })
}
