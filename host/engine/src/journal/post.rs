//! The letters of one run, as its calls wait for them. A signal is taken once: by the call whose end the script gets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::mailbox::{Letter, LetterKind, Mailbox};

/// How often the store is looked into while something waits.
const TICK: Duration = Duration::from_millis(100);

/// The letters of one run. Clones are the same.
#[derive(Clone)]
pub(crate) struct Post(Arc<Inner>);

struct Inner {
    mailbox: Arc<dyn Mailbox>,
    letters: Mutex<Letters>,
}

#[derive(Default)]
struct Letters {
    come: BTreeMap<u64, Letter>,
    /// The number of the last that was looked at.
    seen: u64,
    looked: Option<Instant>,
    /// Signals that are no longer to be had.
    taken: BTreeSet<u64>,
    /// The calls that wait for a signal, and what they have taken.
    open: HashMap<u32, Option<u64>>,
    /// Whether no more letters are to be looked at.
    is_held: bool,
}

/// While this is there, no letter is looked at that has not been.
pub(crate) struct Held {
    post: Post,
    is_for_good: bool,
}

impl Held {
    /// The run looks at nothing more.
    pub(crate) fn for_good(mut self) {
        self.is_for_good = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.is_for_good {
            self.post.lock().is_held = false;
        }
    }
}

impl Post {
    pub(crate) fn new(mailbox: Arc<dyn Mailbox>) -> Self {
        Self(Arc::new(Inner {
            mailbox,
            letters: Mutex::default(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.0
            .letters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mailbox(&self) -> &dyn Mailbox {
        &*self.0.mailbox
    }

    /// Stops looking for letters, and waits until each open call has had time to find those that are there. A run that still
    /// waits then has missed none that count as seen.
    pub(crate) async fn hold(&self) -> Held {
        self.lock().is_held = true;
        let held = Held {
            post: self.clone(),
            is_for_good: false,
        };
        tokio::time::sleep(3 * TICK).await;
        held
    }

    /// The number of the last letter that was looked at.
    pub(crate) fn seen(&self) -> u64 {
        self.lock().seen
    }

    /// A letter that the run has taken before.
    pub(crate) fn was_taken(&self, number: u64) {
        self.lock().taken.insert(number);
    }

    /// A call waits for a signal.
    pub(crate) fn opens(&self, id: u32) {
        self.lock().open.insert(id, None);
    }

    /// A call has the letter from before, and the script has not got it yet.
    pub(crate) fn holds(&self, id: u32, number: u64) {
        let mut letters = self.lock();
        letters.taken.insert(number);
        letters.open.insert(id, Some(number));
    }

    /// The script has got the end of the call.
    pub(crate) fn delivered(&self, id: u32) {
        self.lock().open.remove(&id);
    }

    /// The script has cancelled the call: what it has taken is there for another.
    pub(crate) fn cancelled(&self, id: u32) {
        let mut letters = self.lock();
        if let Some(Some(number)) = letters.open.remove(&id) {
            letters.taken.remove(&number);
        }
    }

    /// What is there of a kind and a name. A signal is then this call's.
    fn find(&self, id: u32, kind: LetterKind, name: &str) -> Option<Letter> {
        let mut letters = self.lock();
        let found = letters.come.values().find(|letter| {
            let is_free = kind != LetterKind::Signal || !letters.taken.contains(&letter.number);
            letter.kind == kind && letter.name == name && is_free
        });
        let found = found?.clone();
        if kind == LetterKind::Signal {
            // A call that was cancelled takes nothing any more.
            *letters.open.get_mut(&id)? = Some(found.number);
            letters.taken.insert(found.number);
        }
        Some(found)
    }

    /// Looks for a letter now.
    pub(crate) async fn look(&self, id: u32, kind: LetterKind, name: &str) -> Option<Letter> {
        self.fetch().await;
        self.find(id, kind, name)
    }

    /// Waits for a letter.
    pub(crate) async fn take(&self, id: u32, kind: LetterKind, name: &str) -> Letter {
        loop {
            if let Some(letter) = self.find(id, kind, name) {
                return letter;
            }
            tokio::time::sleep(TICK).await;
            // One look serves all that wait.
            let is_fresh = self
                .lock()
                .looked
                .is_some_and(|looked| looked.elapsed() < TICK);
            if !is_fresh {
                self.fetch().await;
            }
        }
    }

    async fn fetch(&self) {
        let seen = {
            let mut letters = self.lock();
            if letters.is_held {
                return;
            }
            letters.looked = Some(Instant::now());
            letters.seen
        };
        // A store that cannot be read now is looked into again; one that cannot be written ends the run elsewhere.
        let Ok(come) = self.0.mailbox.letters_after(seen).await else {
            return;
        };
        let mut letters = self.lock();
        if letters.is_held {
            return;
        }
        for letter in come {
            letters.seen = letters.seen.max(letter.number);
            letters.come.insert(letter.number, letter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::mailbox::{ApprovalRequest, Mailing, NewChild};

    struct Fixed(Vec<Letter>);

    impl Mailbox for Fixed {
        fn letters_after(&self, number: u64) -> Mailing<'_, Vec<Letter>> {
            let later = self.0.iter().filter(|letter| letter.number > number);
            let later = later.cloned().collect();
            Box::pin(async { Ok(later) })
        }
        fn start(&self, _: NewChild) -> Mailing<'_, Result<String, String>> {
            Box::pin(async { Err("none".to_owned()) })
        }
        fn is_child<'a>(&'a self, _: &'a str) -> Mailing<'a, bool> {
            Box::pin(async { Ok(false) })
        }
        fn ask(&self, _: ApprovalRequest) -> Mailing<'_, ()> {
            Box::pin(async { Ok(()) })
        }
    }

    fn signal(number: u64, name: &str) -> Letter {
        Letter {
            number,
            kind: LetterKind::Signal,
            name: name.to_owned(),
            payload: number.to_string(),
            by: String::new(),
        }
    }

    #[tokio::test]
    async fn a_signal_is_taken_once_and_comes_back_from_a_call_that_was_cancelled() {
        let all = vec![signal(1, "a"), signal(2, "b"), signal(3, "a")];
        let post = Post::new(Arc::new(Fixed(all)));
        let look = async |id: u32, name: &str| {
            let found = post.look(id, LetterKind::Signal, name).await;
            found.map(|letter| letter.number)
        };
        for id in 1..=4 {
            post.opens(id);
        }
        assert_eq!(look(1, "a").await, Some(1));
        assert_eq!(look(2, "a").await, Some(3));
        assert_eq!(look(3, "a").await, None);
        post.cancelled(1);
        assert_eq!(look(1, "b").await, None, "it was cancelled");
        assert_eq!(look(3, "a").await, Some(1));
        post.delivered(3);
        post.cancelled(3);
        assert_eq!(look(4, "a").await, None);
        // While it is held, nothing new is looked at, and so nothing new counts as seen.
        let held = Post::new(Arc::new(Fixed(vec![signal(1, "a")])));
        held.opens(1);
        let hold = held.hold().await;
        assert!(held.look(1, LetterKind::Signal, "a").await.is_none());
        assert_eq!(held.seen(), 0);
        drop(hold);
        assert!(held.look(1, LetterKind::Signal, "a").await.is_some());
        assert_eq!(held.seen(), 1);
        // In another process, that is what its journal says.
        let post = Post::new(Arc::new(Fixed(vec![signal(1, "a"), signal(2, "a")])));
        post.was_taken(1);
        post.opens(5);
        let found = post.look(5, LetterKind::Signal, "a").await;
        assert_eq!(found.map(|letter| letter.number), Some(2));
        assert_eq!(post.seen(), 2);
    }
}
