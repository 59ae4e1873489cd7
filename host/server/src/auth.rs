//! Who has a token or a session, and what the holder may do.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use kael_store::Store;
use tokio::sync::watch;

use crate::id::Id;
use crate::origin;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::secret;
use crate::tables::Scoped;
use crate::tables::tokens::{self, TokenRow};
use crate::tenant::Tenant;
use crate::time;

/// The cookie of a session.
pub(crate) const COOKIE: &str = "kael_session";
/// Callers that are kept in memory.
const MAX_KNOWN: usize = 10_000;
/// How often the last use of a token is written down.
const USED_EVERY: i64 = 60 * time::SECOND;

/// Who sends a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) token: Id,
    pub(crate) name: String,
    pub(crate) role: Role,
    /// None for the operator.
    pub(crate) tenant: Option<i64>,
    /// What forms of a page must bring along; none for a token.
    pub(crate) csrf: Option<String>,
    /// When the token or the session ends.
    pub(crate) expires: Option<i64>,
}

impl Caller {
    /// Refuses a caller who may do less.
    pub(crate) fn needs(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        let (name, own) = (&self.name, self.role);
        let detail =
            format!("this needs the role {role}, and the token `{name}` has the role {own}");
        Err(Problem::new(Kind::Forbidden, detail)
            .hint("a manager of the tenant can make a token with that role"))
    }

    /// Refuses a change that does not come from a page of the caller's session.
    pub(crate) fn sent_form(&self, csrf: &str) -> Result<(), Problem> {
        match &self.csrf {
            Some(own) if secret::same(own, csrf) => Ok(()),
            _ => Err(origin::forged()),
        }
    }

    /// Refuses everybody but the operator.
    pub(crate) fn needs_operator(&self) -> Result<(), Problem> {
        match self.tenant {
            None => self.needs(Role::Operator),
            Some(_) => {
                let detail = "this is the operator's, and the token belongs to a tenant";
                Err(Problem::new(Kind::Forbidden, detail))
            }
        }
    }
}

/// A caller and the tenant that the request is about.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) caller: Caller,
    pub(crate) tenant: Arc<Tenant>,
}

impl Scope {
    /// What queries may see.
    pub(crate) fn scoped(&self) -> Scoped {
        Scoped(self.tenant.id)
    }

    pub(crate) fn needs(&self, role: Role) -> Result<(), Problem> {
        self.caller.needs(role)
    }
}

/// Knows the callers that were seen lately, so that a request costs no look at the store.
pub(crate) struct Authority {
    known: Mutex<HashMap<[u8; 32], Known>>,
    /// How often callers were forgotten: what was read before is not kept.
    forgotten: AtomicU64,
    /// Told each time.
    revoked: watch::Sender<()>,
    clock: DefaultClock,
    rate: NonZeroU32,
}

#[derive(Clone)]
struct Known {
    caller: Caller,
    expires: Option<i64>,
    used: i64,
    limiter: Arc<DefaultDirectRateLimiter>,
}

impl Authority {
    /// One that lets each token send so many requests a second, and ten times as many at once.
    pub(crate) fn new(rate: u32) -> Self {
        Self {
            known: Mutex::default(),
            forgotten: AtomicU64::new(0),
            revoked: watch::Sender::new(()),
            clock: DefaultClock::default(),
            rate: NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN),
        }
    }

    /// Forgets all callers: a token or a session was taken away.
    pub(crate) fn forget(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        known.clear();
        self.revoked.send_replace(());
    }

    /// A receiver that changes each time a token or a session is revoked.
    pub(crate) fn revocations(&self) -> watch::Receiver<()> {
        self.revoked.subscribe()
    }

    /// Who has a token or a session.
    pub(crate) async fn caller(
        &self,
        store: &Store,
        text: &str,
        is_session: bool,
    ) -> Result<Caller, Problem> {
        let hash = secret::hash(text);
        let now = time::now();
        let known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&hash).cloned()
        };
        let known = match known {
            Some(known) => known,
            None => self.look_up(store, hash, is_session).await?,
        };
        if known.expires.is_some_and(|expires| expires < now) {
            return Err(unauthenticated("the token or the session has expired"));
        }
        if let Err(early) = known.limiter.check() {
            let wait = early.wait_time_from(self.clock.now()).as_secs() + 1;
            let rate = u64::from(self.rate.get());
            let detail = format!("a token may send {rate} requests a second");
            return Err(Problem::new(Kind::TooManyRequests, detail).quota(rate, rate, wait));
        }
        if now - known.used > USED_EVERY {
            let token = known.caller.token;
            let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = all.get_mut(&hash) {
                known.used = now;
            }
            // No request waits for it.
            drop(store.write(move |tx| tokens::used(tx, &token)));
        }
        Ok(known.caller)
    }

    async fn look_up(
        &self,
        store: &Store,
        hash: [u8; 32],
        is_session: bool,
    ) -> Result<Known, Problem> {
        let before = self.forgotten.load(Ordering::SeqCst);
        let found = match is_session {
            true => {
                let session = store.read(move |tx| tokens::session(tx, &hash)).await?;
                session.map(|session| {
                    let expires = session
                        .token
                        .expires
                        .map_or(session.expires, |token| token.min(session.expires));
                    caller(session.token, Some(session.csrf), Some(expires))
                })
            }
            false => {
                let token = store.read(move |tx| tokens::by_hash(tx, &hash)).await?;
                token.map(|token| {
                    let expires = token.expires;
                    caller(token, None, expires)
                })
            }
        };
        let Some(caller) = found else {
            return Err(unauthenticated("the token or the session is not known"));
        };
        let burst = self.rate.saturating_mul(NonZeroU32::MIN.saturating_add(9));
        let known = Known {
            expires: caller.expires,
            caller,
            used: 0,
            limiter: Arc::new(RateLimiter::direct(
                Quota::per_second(self.rate).allow_burst(burst),
            )),
        };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KNOWN {
            all.clear();
        }
        if self.forgotten.load(Ordering::SeqCst) == before {
            all.insert(hash, known.clone());
        }
        Ok(known)
    }
}

fn caller(token: TokenRow, csrf: Option<String>, expires: Option<i64>) -> Caller {
    Caller {
        token: token.id,
        name: token.name,
        role: token.role,
        tenant: token.tenant,
        csrf,
        expires,
    }
}

pub(crate) fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Kind::Unauthenticated, detail)
        .hint("send a token as `Authorization: Bearer kael_…`; kael-host login gets one")
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let mut found = pairs.filter_map(|pair| pair.trim().split_once('='));
    found.find_map(|(key, value)| (key == name).then_some(value))
}
