//! The tokens of people who sign in by a provider. A person's token always has the same id, so that nobody approves a run
//! that the person submitted with another role.

use kael_store::{StoreError, Tx};

use super::statements;
use super::tokens::{self, TokenRow};
use crate::id::Id;

statements! {
    TOKEN = "SELECT token FROM srv_people WHERE subject = ?1";
    PUT = "INSERT INTO srv_people (subject, token) VALUES (?1, ?2)";
    RENEW = "UPDATE srv_tokens SET name = ?2, expires = ?3, last_used = ?4 WHERE id = ?1";
}

/// The id of a person's tokens, and the token.
fn known(tx: &Tx<'_>, subject: &[u8; 32]) -> Result<Option<(Id, Option<TokenRow>)>, StoreError> {
    let id = tx.first(TOKEN, &[subject.into()], |row| Ok(Id::of(row.get(0)?)))?;
    id.map(|id| Ok((id, tokens::by_id(tx, &id)?))).transpose()
}

/// Gives a person a token with this role and tenant. A token with another role or tenant is deleted, with all sessions and
/// all tokens that its links made. Returns the id, and whether that happened.
pub(crate) fn sign_in(
    tx: &Tx<'_>,
    subject: &[u8; 32],
    wanted: TokenRow,
    hash: &[u8; 32],
) -> Result<(Id, bool), StoreError> {
    let (id, before) = match known(tx, subject)? {
        Some(known) => known,
        None => {
            tx.execute(PUT, &[subject.into(), (&wanted.id).into()])?;
            (wanted.id, None)
        }
    };
    if let Some(before) = &before {
        if (before.role, before.tenant) == (wanted.role, wanted.tenant) {
            let values = [
                (&id).into(),
                (&wanted.name).into(),
                wanted.expires.into(),
                tx.now().into(),
            ];
            tx.execute(RENEW, &values)?;
            return Ok((id, false));
        }
        tokens::delete(tx, &id)?;
    }
    tokens::insert(tx, &TokenRow { id, ..wanted }, hash)?;
    Ok((id, before.is_some()))
}

/// Takes everything away from a person. Returns the token, if there was one.
pub(crate) fn forget(tx: &Tx<'_>, subject: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
    let Some((id, Some(before))) = known(tx, subject)? else {
        return Ok(None);
    };
    tokens::delete(tx, &id)?;
    Ok(Some(before))
}
