//! What a request takes time and memory for beside the runs: replays of journals, dry runs, and the reading of a journal
//! that is forked.
//!
//! They take no slot. So that no tenant holds up another, nor the runs, there is one place
//! for each tenant and few for all, and their scripts run beside the runs, within bounds of their own.

mod asking;
pub(crate) mod replay;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kael_engine::limits::Limits;
use kael_engine::units::{ByteSize, TimeLimit};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::app::App;
use crate::problem::{Kind, Problem};

/// How long a request waits for its place.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all of it may take.
const MAX_TIME: Duration = Duration::from_secs(30);
/// What a script may use of it, where its tenant allows more.
const MAX_SCRIPT: TimeLimit = TimeLimit::from_secs(10);
const MAX_OUTPUT: ByteSize = ByteSize::mib(64);

/// Bytes of a journal that is read into memory for a request.
const MAX_JOURNAL: u64 = 64 << 20;

/// Refuses a journal that has more bytes than a request may have in memory.
///
/// # Errors
/// That it has.
pub(crate) fn fits(bytes: u64) -> Result<(), Problem> {
    if bytes <= MAX_JOURNAL {
        return Ok(());
    }
    let detail =
        format!("the journal has {bytes} bytes, and a request reads one of up to {MAX_JOURNAL}");
    let hint = "GET /v1/runs/{id}/journal has its entries";
    Err(Problem::new(Kind::TooLarge, detail).hint(hint))
}

/// The places of such work, until the last of these is dropped.
pub(crate) type Held = Arc<(OwnedSemaphorePermit, OwnedSemaphorePermit)>;

/// Runs the work on the runs' threads once a place is free. Dropping the future ends the work. What blocks a thread goes on,
/// and keeps the place until it has ended.
pub(crate) async fn look<T: Send + 'static, F>(
    app: &Arc<App>,
    tenant: i64,
    work: impl FnOnce(Held) -> F + Send + 'static,
) -> Result<T, Problem>
where
    F: Future<Output = Result<T, Problem>> + Send + 'static,
{
    let held = Arc::new(app.places.enter(tenant, PATIENCE).await?);
    let mut tasks = JoinSet::new();
    let within = async move {
        match timeout(MAX_TIME, work(held.clone())).await {
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
