//! Where calls are counted for the budgets of policies: in the store of runs, for all processes of a user.

use std::sync::Arc;

use kael_engine::environment::Environment;
use kael_engine::gate::CallCounter;

/// The file of the store in the data folder.
#[cfg(feature = "store")]
pub(super) const FILE: &str = "store/kael.db";

/// Counts calls in the store, which is opened for the first of them.
#[cfg(feature = "store")]
pub(super) fn counter(environment: &Environment) -> Option<Arc<dyn CallCounter>> {
    let file = environment.data_folder().join(FILE);
    Some(Arc::new(kael_runs::StoredCounts::in_file(file)))
}

/// Without a store calls are not counted over time, and those of such budgets are denied.
#[cfg(not(feature = "store"))]
pub(super) fn counter(_: &Environment) -> Option<Arc<dyn CallCounter>> {
    None
}
