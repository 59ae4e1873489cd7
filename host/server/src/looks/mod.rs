//! Places for what runs a script and changes nothing: replays of journals, and dry runs.
//!
//! They are asked for by a request, and take no slot. So that no tenant holds up another, nor the runs, there is one place
//! for each tenant and few for all, and their scripts run beside the runs, within bounds of their own.

mod asking;
pub(crate) mod replay;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kael_engine::limits::Limits;
use kael_engine::units::{ByteSize, TimeLimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::app::App;
use crate::problem::{Kind, Problem};

/// Places of all tenants together: fewer than the instances that a server has beside its slots.
const PLACES: usize = 2;
/// How long a request waits for its place.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all of it may take.
const MAX_TIME: Duration = Duration::from_secs(30);
/// What a script may use of it, where its tenant allows more.
const MAX_SCRIPT: TimeLimit = TimeLimit::from_secs(10);
const MAX_OUTPUT: ByteSize = ByteSize::mib(64);

/// The places.
pub(crate) struct Looks {
    all: Arc<Semaphore>,
    of_tenants: Mutex<HashMap<i64, Arc<Semaphore>>>,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(PLACES)),
            of_tenants: Mutex::default(),
        }
    }
}

impl Looks {
    /// Waits for the place of a tenant, and then for one of all.
    async fn enter(
        &self,
        tenant: i64,
    ) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), Problem> {
        let own = {
            let mut all = self
                .of_tenants
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let own = all.entry(tenant);
            own.or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        let both = async {
            Ok::<_, tokio::sync::AcquireError>((
                own.acquire_owned().await?,
                self.all.clone().acquire_owned().await?,
            ))
        };
        match timeout(PATIENCE, both).await {
            Ok(Ok(places)) => Ok(places),
            _ => {
                let detail = "another replay or dry run of the tenant goes on";
                let busy = Problem::new(Kind::TooManyRequests, detail).quota(1, 1, 2);
                Err(busy.hint("one runs at a time for each tenant: send it again"))
            }
        }
    }
}

/// Does such work where runs are driven, once there is a place. Who does not wait for it any more ends it.
pub(crate) async fn look<T: Send + 'static>(
    app: &Arc<App>,
    tenant: i64,
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let places = app.looks.enter(tenant).await?;
    let mut tasks = JoinSet::new();
    let within = async move {
        let _places = places;
        match timeout(MAX_TIME, work).await {
            Ok(done) => done,
            Err(_) => Err(Problem::new(
                Kind::TooLong,
                "this took more than 30 seconds",
            )),
        }
    };
    tasks.spawn_on(within, &app.runs);
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        _ => Err(Problem::new(
            Kind::Unavailable,
            "the server could not do this",
        )),
    }
}

/// The limits of such a script: its own, within what may hold up a request.
pub(crate) fn within(own: &Limits) -> Limits {
    Limits {
        cpu: own.cpu.min(MAX_SCRIPT),
        wall: own.wall.min(MAX_SCRIPT),
        output: own.output.min(MAX_OUTPUT),
        ..own.clone()
    }
}

/// The beginning of a text, if it has more bytes.
pub(crate) fn start(text: &str, bytes: usize) -> String {
    match text.len() > bytes {
        true => format!("{}…", &text[..text.floor_char_boundary(bytes)]),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_tenant_has_one_place_and_all_have_few() {
        let looks = Looks::default();
        let first = looks.enter(1).await.expect("a place");
        let busy = looks.enter(1).await.expect_err("taken");
        assert_eq!((busy.status, busy.retry_after), (429, Some(2)));
        let second = looks.enter(2).await.expect("another tenant's");
        assert!(looks.enter(3).await.is_err());
        drop(second);
        looks.enter(3).await.expect("a place");
        drop(first);
        looks.enter(1).await.expect("a place");
    }

    #[test]
    fn a_tenant_that_may_use_more_gets_what_holds_up_nobody() {
        let own = Limits {
            cpu: TimeLimit::from_secs(3600),
            wall: TimeLimit::from_secs(5),
            output: ByteSize::mib(512),
            ..Limits::default()
        };
        let limits = within(&own);
        assert_eq!(limits.cpu, MAX_SCRIPT);
        assert_eq!(limits.wall, TimeLimit::from_secs(5));
        assert_eq!(limits.output, MAX_OUTPUT);
        assert_eq!(limits.memory, own.memory);
    }
}
