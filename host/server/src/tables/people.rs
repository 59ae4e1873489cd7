//! The tokens of people who sign in by a provider: each has one, which changes with what the provider says.

use kael_store::{StoreError, Tx};

use super::statements;
use super::tokens::{self, TokenRow};
use crate::id::Id;

statements! {
    TOKEN = "SELECT token FROM srv_people WHERE subject = ?1";
    PUT = "INSERT INTO srv_people (subject, token) VALUES (?1, ?2) ON CONFLICT (subject) DO UPDATE SET token = excluded.token";
    DROP = "DELETE FROM srv_people WHERE subject = ?1";
    RENEW = "UPDATE srv_tokens SET name = ?2, expires = ?3, last_used = ?4 WHERE id = ?1";
}

/// The token of a person.
fn token(tx: &Tx<'_>, subject: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
    let id = tx.first(TOKEN, &[subject.into()], |row| Ok(Id::of(row.get(0)?)))?;
    id.map_or(Ok(None), |id| tokens::by_id(tx, &id))
}

/// Gives a person a token with this role and tenant. One with another goes, with all sessions and all that its links made.
/// Returns its id, and whether one went.
pub(crate) fn sign_in(
    tx: &Tx<'_>,
    subject: &[u8; 32],
    wanted: &TokenRow,
    hash: &[u8; 32],
) -> Result<(Id, bool), StoreError> {
    let before = token(tx, subject)?;
    if let Some(before) = &before
        && (before.role, before.tenant) == (wanted.role, wanted.tenant)
    {
        let values = [
            (&before.id).into(),
            (&wanted.name).into(),
            wanted.expires.into(),
            tx.now().into(),
        ];
        tx.execute(RENEW, &values)?;
        return Ok((before.id, false));
    }
    if let Some(before) = &before {
        tokens::delete(tx, &before.id)?;
    }
    tokens::insert(tx, wanted, hash)?;
    tx.execute(PUT, &[subject.into(), (&wanted.id).into()])?;
    Ok((wanted.id, before.is_some()))
}

/// Takes everything away from a person. Returns the token, if there was one.
pub(crate) fn forget(tx: &Tx<'_>, subject: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
    let before = token(tx, subject)?;
    if let Some(before) = &before {
        tokens::delete(tx, &before.id)?;
    }
    tx.execute(DROP, &[subject.into()])?;
    Ok(before)
}
