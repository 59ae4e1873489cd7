//! Deleting something that has an id, and writing down who did.

use kael_store::{StoreError, Tx};
use serde_json::json;

use super::extract;
use crate::app::App;
use crate::auth::Scope;
use crate::id::Id;
use crate::problem::Problem;
use crate::role::Role;
use crate::tables::{Scoped, audit};

/// What a deletion is of, as problems and the record name it, and the statement that does it.
pub(super) struct Removal {
    pub(super) noun: &'static str,
    pub(super) event: &'static str,
    /// False if there is nothing of that id.
    pub(super) delete: fn(&Tx<'_>, Scoped, &Id) -> Result<bool, StoreError>,
}

impl Removal {
    /// Deletes what an id names, for a manager of its tenant.
    pub(super) async fn run(self, app: &App, scope: &Scope, id: &str) -> Result<(), Problem> {
        scope.needs(Role::Manager)?;
        let id = extract::id(self.noun, id)?;
        let (scoped, by) = (scope.scoped(), scope.caller.name.clone());
        let written = app.store.write(move |tx| {
            let deleted = (self.delete)(tx, scoped, &id)?;
            if deleted {
                audit::add(
                    tx,
                    Some(scoped.0),
                    &by,
                    self.event,
                    &id.to_string(),
                    &json!({}),
                )?;
            }
            Ok(deleted)
        });
        match written.await? {
            true => Ok(()),
            false => Err(Problem::not_found(self.noun, id)),
        }
    }
}
