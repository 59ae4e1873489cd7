//! The thread that writes: all the work that is queued is one transaction, and one fsync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::file::Identity;
use crate::{Pending, StoreError, Tx};

/// Pieces of work in one transaction. Readers see nothing of it before its end, and its callers wait.
const MAX_GROUP: usize = 512;

/// Work, which says whether its own part is to be kept.
pub(crate) trait Work: Send {
    /// Does it.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Tells the caller how it ended: with the error of the commit, if that failed.
    fn done(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Closure<F, T> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Work for Closure<F, T>
where
    F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        // Unwind safety: a piece of work that panics has its part rolled back, and what it held is dropped.
        let result = catch_unwind(AssertUnwindSafe(|| work(tx)));
        let result = result.unwrap_or(Err(StoreError::Closed));
        let kept = result.is_ok();
        self.result = Some(result);
        kept
    }

    fn done(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.result, committed) {
            (Some(Ok(_)) | None, Err(error)) => Err(error),
            (Some(result), _) => result,
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // The caller may have stopped waiting.
        self.reply.send(result).ok();
    }
}

/// The queue of the thread that writes.
pub(crate) struct Writer {
    /// None only while this is dropped.
    queue: Option<Sender<Box<dyn Work>>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    /// Waits until what is queued is written and the file is closed.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            // A piece of work may hold the last handle of the store.
            && thread.thread().id() != thread::current().id()
        {
            thread.join().ok();
        }
    }
}

impl Writer {
    pub(crate) fn start(
        connection: Connection,
        identity: Identity,
        path: PathBuf,
    ) -> Result<Self, StoreError> {
        let (queue, inbox) = channel();
        let body = {
            let path = path.clone();
            move || write_groups(&connection, &inbox, &identity, &path)
        };
        let thread = thread::Builder::new()
            .name("kael-store".to_owned())
            .spawn(body)
            .map_err(|source| StoreError::Open { path, source })?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    pub(crate) fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let (reply, answer) = oneshot::channel();
        let work = Closure {
            work: Some(work),
            result: None,
            reply,
        };
        // Without a thread the reply is dropped, which the caller gets as `Closed`.
        if let Some(queue) = &self.queue {
            queue.send(Box::new(work)).ok();
        }
        Pending::new(answer)
    }
}

fn write_groups(
    connection: &Connection,
    inbox: &Receiver<Box<dyn Work>>,
    identity: &Identity,
    path: &std::path::Path,
) {
    while let Ok(first) = inbox.recv() {
        let mut group = Vec::with_capacity(1);
        let committed = match identity.holds(path) {
            true => write_group(connection, first, inbox, &mut group),
            false => {
                group.push(first);
                let path = path.to_owned();
                Err(StoreError::Replaced { path })
            }
        };
        for work in group {
            work.done(committed.as_ref().copied().map_err(StoreError::shared));
        }
    }
}

/// Runs what is queued as one transaction; what was taken out of the queue is in `group` in any case.
fn write_group(
    connection: &Connection,
    first: Box<dyn Work>,
    inbox: &Receiver<Box<dyn Work>>,
    group: &mut Vec<Box<dyn Work>>,
) -> Result<(), StoreError> {
    let execute = |sql| connection.prepare_cached(sql)?.execute([]);
    if let Err(error) = execute("BEGIN IMMEDIATE") {
        group.push(first);
        return Err(error.into());
    }
    let outcome = (|| {
        let tx = Tx::new(connection);
        let mut next = Some(first);
        while let Some(mut work) = next.take() {
            let begun = execute("SAVEPOINT work");
            let kept = begun.is_ok() && work.run(&tx);
            group.push(work);
            begun?;
            if !kept {
                execute("ROLLBACK TO work")?;
            }
            execute("RELEASE work")?;
            if group.len() < MAX_GROUP {
                next = inbox.try_recv().ok();
            }
        }
        execute("COMMIT")?;
        Ok(())
    })();
    if outcome.is_err() && !connection.is_autocommit() {
        // SQLite has rolled back by itself after some errors; otherwise nothing of the group may stay.
        execute("ROLLBACK").ok();
    }
    outcome
}
