//! A person wants a run to end, and its script to clean up: the script gets an error where it waits, and has some
//! seconds from then on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, sleep_until};

use super::post::Post;

/// How long a script may go on after that.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// How often a running script's store is asked.
const EVERY: Duration = Duration::from_millis(500);

/// Who wants it, and since when that is known here.
#[derive(Debug, Clone)]
pub(crate) struct CancelRequest {
    pub(crate) by: String,
    at: Instant,
}

impl CancelRequest {
    fn by(by: String) -> Self {
        let at = Instant::now();
        Self { by, at }
    }

    /// When the script has had its time.
    fn end(&self) -> Instant {
        self.at + CLEAN_UP
    }
}

/// Whether somebody wants a run to end, and whether its script knows.
pub(crate) struct Cancelling {
    asked: Arc<watch::Sender<Option<CancelRequest>>>,
    is_delivered: bool,
    watcher: Option<AbortHandle>,
}

impl Drop for Cancelling {
    fn drop(&mut self) {
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
    }
}

impl Cancelling {
    /// For a run without a mailbox, which nobody can cancel.
    pub(crate) fn never() -> Self {
        Self {
            asked: Arc::new(watch::Sender::new(None)),
            is_delivered: false,
            watcher: None,
        }
    }

    /// Looks for the wish from now on; `at_once` for a run that goes on, perhaps because of it.
    pub(crate) fn watch(post: &Post, at_once: bool) -> Self {
        let mut this = Self::never();
        let (asked, post) = (this.asked.clone(), post.clone());
        let task = tokio::spawn(async move {
            let mut pause = if at_once { Duration::ZERO } else { EVERY };
            loop {
                sleep(pause).await;
                pause = EVERY;
                // A store that cannot be read now is asked again.
                if let Ok(Some(by)) = post.mailbox().cancelled_by().await {
                    asked.send_if_modified(|asked| {
                        let is_new = asked.is_none();
                        asked.get_or_insert_with(|| CancelRequest::by(by));
                        is_new
                    });
                    return;
                }
            }
        });
        this.watcher = Some(task.abort_handle());
        this
    }

    /// The journal of the run says that somebody wants it to end: its time begins anew.
    pub(crate) fn goes_on(&mut self, by: String, is_delivered: bool) {
        self.asked.send_replace(Some(CancelRequest::by(by)));
        self.is_delivered = is_delivered;
    }

    /// Who wants the run to end.
    pub(crate) fn by(&self) -> Option<String> {
        self.asked.borrow().as_ref().map(|asked| asked.by.clone())
    }

    /// The same while the script does not know.
    pub(crate) fn undelivered(&self) -> Option<String> {
        match self.is_delivered {
            true => None,
            false => self.by(),
        }
    }

    /// The script knows.
    pub(crate) fn delivered(&mut self) {
        self.is_delivered = true;
    }

    /// Whether the script has had its time.
    pub(crate) fn is_over(&self) -> bool {
        let asked = self.asked.borrow();
        asked
            .as_ref()
            .is_some_and(|asked| Instant::now() >= asked.end())
    }

    /// What a crossing that waits can be told.
    pub(crate) fn news(&self, may_tell: bool) -> News {
        News {
            asked: self.asked.clone(),
            may_tell: may_tell && !self.is_delivered,
        }
    }
}

/// What a crossing that waits can be told.
pub(crate) struct News {
    asked: Arc<watch::Sender<Option<CancelRequest>>>,
    may_tell: bool,
}

impl News {
    /// Ready when the script is to be told, if this crossing can tell it.
    pub(crate) async fn told(&self) {
        match self.may_tell {
            true => {
                self.asked().await;
            }
            false => std::future::pending().await,
        }
    }

    /// Ready when the script has had its time.
    pub(crate) async fn over(&self) {
        let asked = self.asked().await;
        sleep_until(asked.end().into()).await;
    }

    /// Whether somebody wants the run to end: then it does not give its place up.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.borrow().is_some()
    }

    async fn asked(&self) -> CancelRequest {
        let mut asked = self.asked.subscribe();
        let found = asked.wait_for(Option::is_some).await;
        match found.ok().and_then(|asked| asked.clone()) {
            Some(asked) => asked,
            // Never: this very value holds a sender.
            None => std::future::pending().await,
        }
    }
}
