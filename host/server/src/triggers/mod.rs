//! What begins runs beside a submitter: schedules over stored scripts, and webhooks that come in.
//!
//! A trigger makes a run like any other: in the queue, with the tenant's actions, policy, limits and
//! shares. `calendar` says when a schedule is due, `due` which of those times fire, `fire` writes fires and
//! their runs in one transaction, and `scheduler` is the loop around them. `restored` keeps what a backup had
//! still to fire from firing. `clock` sees clocks that step, `signature` checks who sends a webhook, and `stored` reads stored scripts.

pub(crate) mod calendar;
pub(crate) mod clock;
pub(crate) mod due;
pub(crate) mod fire;
pub(crate) mod plan;
pub(crate) mod restored;
pub(crate) mod scheduler;
pub(crate) mod signature;
pub(crate) mod stored;

use std::sync::Arc;

use crate::auth::{Caller, Scope};
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tenant::Tenant;

/// The scope of a trigger: its runs are submitted by who made it, whatever has become of the token since.
pub(crate) fn scope(tenant: Arc<Tenant>, token: Id, name: String) -> Scope {
    let caller = Caller {
        token,
        name,
        role: Role::Submitter,
        tenant: Some(tenant.id),
        csrf: None,
        expires: None,
    };
    Scope { caller, tenant }
}

/// Refuses a name that cannot stand in a path as it is.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Problem> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let begins = name
        .as_bytes()
        .first()
        .is_some_and(u8::is_ascii_alphanumeric);
    if begins && name.len() <= 100 && name.bytes().all(fits) {
        return Ok(());
    }
    let detail = format!(
        "the name of a {what} is 1 to 100 letters, digits, `.`, `_` and `-`, and begins with a letter or a digit"
    );
    Err(Problem::new(Kind::Invalid, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_a_path_as_it_is() {
        for name in ["a", "report.lua", "Nightly_2-b"] {
            assert!(check_name("script", name).is_ok(), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "-a",
            "a/b",
            "a@1",
            "a b",
            "ä",
            &"x".repeat(101),
        ] {
            assert!(check_name("script", name).is_err(), "{name}");
        }
    }
}
