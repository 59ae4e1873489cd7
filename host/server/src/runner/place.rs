//! A place in the queue of a tenant, for a run that is being written.

use std::sync::Arc;

use super::fair::Full;
use crate::app::App;

/// A place that was reserved. Dropping it gives it up, so that a client that disconnects leaves no place behind.
pub(crate) struct Place {
    app: Arc<App>,
    tenant: i64,
    is_entered: bool,
}

impl Place {
    /// Reserves a place.
    ///
    /// # Errors
    /// When the queue of the tenant is full.
    pub(crate) fn reserve(app: &Arc<App>, tenant: i64) -> Result<Self, Full> {
        app.runner.fair().reserve(tenant)?;
        Ok(Self {
            app: app.clone(),
            tenant,
            is_entered: false,
        })
    }

    /// The run is written, in the transaction that calls this. A claim of the place comes behind it.
    pub(crate) fn enter(mut self) {
        self.is_entered = true;
        self.app.runner.fair().enter(self.tenant);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_entered {
            self.app.runner.fair().give_up(self.tenant);
        }
    }
}
