//! What no process of an action sees: Kael's configuration, and of its data what is not for actions.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::environment::Environment;

/// Folders of the data folder: results that are kept, the secrets, all of a server, the runs with their journals.
const PRIVATE: [&str; 4] = ["cache", "secrets", "server", "store"];

/// The paths, some of which may not be there, and those that `more` names.
pub(super) fn places(
    environment: &Environment,
    more: Option<fn(&Environment) -> Vec<PathBuf>>,
) -> Vec<PathBuf> {
    let data = environment.data_folder();
    let own = PRIVATE.map(|name| data.join(name));
    for folder in &own {
        // So that it is hidden although its first file is written while the process runs. Where it cannot be made,
        // there is nothing.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .ok();
    }
    let more = more.map(|more| more(environment)).unwrap_or_default();
    let config = [environment.config_folder()];
    own.into_iter().chain(config).chain(more).collect()
}
