//! What an instance is given beside its code.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::{Cancel, Output};
use crate::gate::{Dispatcher, Record};
use crate::journal::Journal;
use crate::limits::Limits;
use crate::run_info::{RunInfo, Tenant};

/// The calls of a run, in the order in which they ended.
pub(crate) type Records = Arc<Mutex<Vec<Record>>>;

/// What an instance is given beside its code.
pub(crate) struct InstanceOptions {
    /// The run that it is for.
    pub(crate) info: Arc<RunInfo>,
    pub(crate) limits: Limits,
    pub(crate) output: Output,
    /// None while a repo loads: then there is nothing to call.
    pub(crate) dispatcher: Option<Arc<Dispatcher>>,
    /// None for what only the end of its future cancels.
    pub(crate) cancel: Option<Cancel>,
    pub(crate) records: Records,
    /// Bounds the calls in flight of all runs together.
    pub(crate) shared_permits: Option<Arc<Semaphore>>,
    /// Where the run is written down.
    pub(crate) journal: Option<Journal>,
}

impl InstanceOptions {
    /// For code that calls no action and whose run nothing else refers to.
    pub(crate) fn internal(limits: Limits, output: Output) -> Self {
        Self {
            info: RunInfo::new(Tenant::default()),
            limits,
            output,
            dispatcher: None,
            cancel: None,
            records: Records::default(),
            shared_permits: None,
            journal: None,
        }
    }
}

/// The calls so far.
pub(super) fn taken(records: &Records) -> Vec<Record> {
    std::mem::take(&mut *records.lock().unwrap_or_else(PoisonError::into_inner))
}
