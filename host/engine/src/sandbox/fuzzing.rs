//! For the fuzz targets: the host's side of `run-action` without a guest.

use std::sync::Arc;

use super::bindings::kael::engine::actions::{Call, Host as _};
use super::state::InstanceState;
use super::{InstanceOptions, Output};
use crate::gate::Dispatcher;
use crate::limits::Limits;

/// One entry of `run-action`: calls as id, name and parameters; ids to cancel; whether to wait.
pub type Entry = (Vec<(u32, String, String)>, Vec<u32>, bool);

/// Enters once for every list, until an entry ends the run.
///
/// # Panics
/// When an answer breaks the rules of the boundary.
pub async fn enter(entries: Vec<Entry>, limits: &Limits, dispatcher: Arc<Dispatcher>) {
    let mut options = InstanceOptions::internal(limits.clone(), Output::in_memory());
    options.dispatcher = Some(dispatcher);
    let mut state = InstanceState::new(options, 0);
    let mut open = std::collections::HashSet::new();
    for (submit, cancel, wait) in entries {
        cancel.iter().for_each(|id| _ = open.remove(id));
        open.extend(submit.iter().map(|(id, ..)| *id));
        let submit = submit
            .into_iter()
            .map(|(id, name, params)| Call { id, name, params });
        match state.run_action(submit.collect(), cancel, wait).await {
            Ok(completions) => {
                assert!(
                    !wait || !completions.is_empty(),
                    "a wait was answered by nothing"
                );
                for completion in completions {
                    assert!(open.remove(&completion.id), "an answer to no call");
                }
            }
            Err(_) => {
                assert!(state.stop.is_some(), "the run ended without a reason");
                break;
            }
        }
    }
    state.shut_down().await;
}
