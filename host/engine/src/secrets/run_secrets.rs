//! The secrets that one run has come to know of, on the host's side.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::masks::Masks;
use super::value::{SecretError, SecretSource, SecretValue};
use crate::permit;

/// How the names of values begin that an action gave back.
pub const KEPT: &str = "result/";
/// Values that one run may come to know of, and their bytes together: what finds them is made again for each new one.
const MAX_VALUES: usize = 100;
const MAX_BYTES: usize = 64 << 10;

/// Where a run's secrets come from, and those that its actions were given or gave back.
#[derive(Default)]
pub struct RunSecrets {
    source: Option<Arc<dyn SecretSource>>,
    /// Whether there is anything to hide: most runs never take the lock.
    is_in_use: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    values: Vec<(String, SecretValue)>,
    kept: BTreeMap<String, SecretValue>,
    /// Made when they are next wanted: of many values that are new, once.
    masks: Option<Arc<Masks>>,
}

impl Known {
    fn note(&mut self, name: &str, value: &SecretValue) -> Result<(), SecretError> {
        let same =
            |(own, old): &(String, SecretValue)| own == name && old.expose() == value.expose();
        if self.values.iter().any(same) {
            return Ok(());
        }
        let bytes = self.values.iter().map(|(_, known)| known.expose().len());
        if self.values.len() == MAX_VALUES
            || bytes.sum::<usize>() + value.expose().len() > MAX_BYTES
        {
            return Err(SecretError {
                message: format!(
                    "one run may use {MAX_VALUES} secrets of {} KiB together, and `{name}` is beyond that",
                    MAX_BYTES >> 10
                ),
                hint: Some("do the work in several runs".to_owned()),
            });
        }
        self.values.push((name.to_owned(), value.clone()));
        self.masks = None;
        Ok(())
    }
}

impl RunSecrets {
    /// Those of a run, from this source.
    #[must_use]
    pub fn new(source: Option<Arc<dyn SecretSource>>) -> Self {
        Self {
            source,
            ..Self::default()
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a secret. From then on it is hidden in all that the run's actions give back.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn get(&self, name: &str) -> Result<SecretValue, SecretError> {
        let error = |message: String, hint: &str| SecretError {
            message,
            hint: Some(hint.to_owned()),
        };
        if name.starts_with(KEPT) {
            let kept = self.known().kept.get(name).cloned();
            return kept.ok_or_else(|| {
                let message = format!("the secret `{name}` was not given back in this run");
                error(message, "a handle of a result holds within its own run")
            });
        }
        let Some(source) = &self.source else {
            let message = format!("the secret `{name}` is not there: this program has no secrets");
            return Err(error(
                message,
                "RunOptions::secrets says where they come from",
            ));
        };
        let value = source.get(name).await?;
        self.is_in_use.store(true, Ordering::Release);
        self.known().note(name, &value)?;
        Ok(value)
    }

    /// Keeps a value that an action gave back, under a name of the run's own.
    ///
    /// # Errors
    /// When the run may use no more.
    pub fn keep(&self, name: &str, value: SecretValue) -> Result<(), SecretError> {
        self.is_in_use.store(true, Ordering::Release);
        let mut known = self.known();
        known.note(name, &value)?;
        known.kept.insert(name.to_owned(), value);
        Ok(())
    }

    /// Hides a value, which came from elsewhere, in all that the run's actions give back from then on. One that is too
    /// short to be told from other words stays as it is.
    ///
    /// # Errors
    /// When the run may use no more.
    pub fn hide(&self, name: &str, value: &str) -> Result<(), SecretError> {
        let Ok(value) = SecretValue::new(value.to_owned()) else {
            return Ok(());
        };
        self.is_in_use.store(true, Ordering::Release);
        self.known().note(name, &value)
    }

    /// Makes what hides the values, on another thread: of many or long values that takes a while.
    pub(crate) async fn prepare(&self) {
        let values = {
            let known = self.known();
            match known.masks {
                Some(_) => return,
                None => known.values.clone(),
            }
        };
        let count = values.len();
        let made = permit::blocking(move || Arc::new(Masks::of(values))).await;
        let mut known = self.known();
        // More values may have come meanwhile.
        if let Ok(masks) = made
            && known.values.len() == count
        {
            known.masks = Some(masks);
        }
    }

    /// What hides the values that the run knows of so far; none where there are none.
    #[must_use]
    pub fn masks(&self) -> Option<Arc<Masks>> {
        let in_use = self.is_in_use.load(Ordering::Acquire);
        in_use.then(|| {
            let known = &mut *self.known();
            let make = || Arc::new(Masks::of(known.values.clone()));
            known.masks.get_or_insert_with(make).clone()
        })
    }
}
