//! Where secrets come from: the variables, files and programs that the operator lists in
//! `secrets.yaml`, and a store of Kael's own.
//!
//! [`Secrets`] is the source that a run asks. It looks a name up in the list (`sources`), and then in
//! the store. `store` keeps values in one file, each sealed with AES-256-GCM under the key in another
//! file (`key`); both can be read by their owner alone. What a program printed is kept for as long as
//! its entry says.
//!
//! Nothing here is opened before the first secret is asked for, and nothing here prints.

mod error;
mod key;
mod program;
mod sources;
mod store;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use program::Running;

pub use error::Error;
pub use sources::{Place, Sources};
pub use store::{Listed, Store};

use kael_engine::environment::Environment;
use kael_engine::secrets::{Getting, SecretError, SecretSource, SecretValue};

/// The variable that names another list.
pub const LIST: &str = "KAEL_SECRETS";

/// The secrets of one program.
pub struct Secrets(Arc<Inner>);

struct Inner {
    environment: Environment,
    list: ListOf,
    /// What programs have printed, and until when it holds.
    printed: Mutex<HashMap<String, (Instant, SecretValue)>>,
}

/// Which list is read before the store.
enum ListOf {
    /// That of the user.
    User,
    /// That of a tenant, if the operator has given it one.
    Tenant(Option<PathBuf>),
}

impl Secrets {
    /// Those of a program with these variables and folders.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self::with(environment, ListOf::User)
    }

    /// Those of a tenant of a server: in its own data folder, and in the list that the operator has named for it. The list
    /// of the server's user is not read.
    #[must_use]
    pub fn of_tenant(environment: Environment, list: Option<PathBuf>) -> Self {
        Self::with(environment, ListOf::Tenant(list))
    }

    fn with(environment: Environment, list: ListOf) -> Self {
        Self(Arc::new(Inner {
            environment,
            list,
            printed: Mutex::default(),
        }))
    }
}

/// The list of an operator: what `KAEL_SECRETS` names, or `secrets.yaml` beside the configuration.
#[must_use]
pub fn list(environment: &Environment) -> PathBuf {
    let beside = || environment.config_folder().join("secrets.yaml");
    environment.path(LIST).unwrap_or_else(beside)
}

/// Files that a program must not read to come by a secret: the list, the key of the store, and the files that the list
/// names. Those of a list that cannot be read are unknown, and so are its secrets.
#[must_use]
pub fn files(environment: &Environment) -> Vec<PathBuf> {
    let list = list(environment);
    let sources = Sources::read(&list, false).unwrap_or_default();
    let named = sources.iter().filter_map(|(_, place)| match place {
        Place::File(path) => Some(path.clone()),
        Place::Variable(_) | Place::Program { .. } => None,
    });
    let mut files: Vec<PathBuf> = named.collect();
    files.extend([list, key::Keys::path(environment)]);
    files
}

impl Inner {
    fn get(&self, name: &str, running: &Running) -> Result<SecretValue, Error> {
        kael_engine::secrets::check_name(name).map_err(|why| Error::name(name, why))?;
        let sources = match &self.list {
            ListOf::User => {
                let must_be = self.environment.path(LIST).is_some();
                Sources::read(&list(&self.environment), must_be)?
            }
            ListOf::Tenant(Some(list)) => Sources::read(list, true)?,
            ListOf::Tenant(None) => Sources::default(),
        };
        let Some(place) = sources.get(name) else {
            let store = Store::of(&self.environment);
            let found = store.get(name)?;
            return found.ok_or_else(|| match self.list {
                ListOf::User => Error::unknown(name, &list(&self.environment)),
                ListOf::Tenant(_) => Error::unknown_to_tenant(name),
            });
        };
        let bad = |error| Error::value(name, &error);
        match place {
            Place::Variable(variable) => {
                let value = self.environment.get(variable);
                let value = value.ok_or_else(|| Error::variable(name, variable))?;
                let bytes = value.as_encoded_bytes().to_vec().into();
                SecretValue::from_bytes(bytes).map_err(bad)
            }
            Place::File(path) => SecretValue::from_bytes(file(name, path)?).map_err(bad),
            Place::Program { words, ttl } => {
                let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((until, value)) = printed.get(name)
                    && Instant::now() < *until
                {
                    return Ok(value.clone());
                }
                let value = running.run(name, words, &self.environment)?;
                let value = SecretValue::from_bytes(value).map_err(bad)?;
                if let Some(until) = Instant::now().checked_add(*ttl) {
                    printed.insert(name.to_owned(), (until, value.clone()));
                }
                Ok(value)
            }
        }
    }
}

/// Ends the program with the call that waits for it.
struct EndOnDrop(Running);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl SecretSource for Secrets {
    fn get<'a>(&'a self, name: &'a str) -> Getting<'a> {
        let (inner, name) = (self.0.clone(), name.to_owned());
        Box::pin(async move {
            let running = EndOnDrop(Running::default());
            let own = running.0.clone();
            let getting = tokio::task::spawn_blocking(move || inner.get(&name, &own));
            let interrupted = |_| SecretError {
                message: "the host was interrupted".to_owned(),
                hint: None,
            };
            getting
                .await
                .map_err(interrupted)?
                .map_err(SecretError::from)
        })
    }
}

/// The content of a regular file that is no larger than a secret can be.
fn file(name: &str, path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
    key::read(path, key::MAX_SECRET).map_err(|error| Error::file(name, path, &error))
}

#[cfg(test)]
mod tests;
