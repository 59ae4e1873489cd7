//! Actions repos as runs began with them: a run that goes on keeps the repo of its beginning, also
//! after the tenant's repo has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use kael_engine::runtime::{LoadError, Repo, RepoOptions, RepoSnapshot, Runtime};
use kael_runs::{RunsError, StoredRepo};

/// Restored repos that are kept while nobody uses them.
const MAX_RESTORED: usize = 16;

/// A repo, and what it is in the store.
type Stored = (Weak<Repo>, Arc<StoredRepo>);
/// A tenant, and the digest of a repo.
type Key = (i64, [u8; 32]);

/// The repos of runs.
#[derive(Default)]
pub(crate) struct Repos {
    /// By tenant: the one that was stored last.
    stored: Mutex<HashMap<i64, Stored>>,
    restored: Mutex<HashMap<Key, Arc<Repo>>>,
}

impl Repos {
    /// A tenant's repo as the store keeps it.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(crate) fn stored(
        &self,
        tenant: i64,
        repo: &Arc<Repo>,
    ) -> Result<Arc<StoredRepo>, RunsError> {
        let lock = || self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lock().get(&tenant).and_then(|(of, stored)| {
            let same = of.upgrade().is_some_and(|of| Arc::ptr_eq(&of, repo));
            same.then(|| stored.clone())
        });
        if let Some(stored) = found {
            return Ok(stored);
        }
        let stored = Arc::new(StoredRepo::of(repo)?);
        lock().insert(tenant, (Arc::downgrade(repo), stored.clone()));
        Ok(stored)
    }

    /// The repo that a run of a tenant began with.
    ///
    /// # Errors
    /// When this Kael does not take its definitions.
    pub(crate) fn restored(
        &self,
        engine: &Runtime,
        tenant: i64,
        digest: [u8; 32],
        snapshot: RepoSnapshot,
        options: RepoOptions,
    ) -> Result<Arc<Repo>, LoadError> {
        let key = (tenant, digest);
        let lock = || self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repo) = self
            .current(tenant, &digest)
            .or_else(|| lock().get(&key).cloned())
        {
            return Ok(repo);
        }
        let repo = Arc::new(engine.restored(snapshot, options)?);
        let mut all = lock();
        if all.len() >= MAX_RESTORED {
            all.clear();
        }
        all.insert(key, repo.clone());
        Ok(repo)
    }

    /// The tenant's repo, if it is the one of that digest.
    fn current(&self, tenant: i64, digest: &[u8; 32]) -> Option<Arc<Repo>> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let (repo, stored) = stored.get(&tenant)?;
        repo.upgrade().filter(|_| stored.digest() == digest)
    }

    /// A tenant's settings have changed: what was restored with the old ones is not used again.
    pub(crate) fn forget(&self, tenant: i64) {
        let mut restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        restored.retain(|(of, _), _| *of != tenant);
    }
}
