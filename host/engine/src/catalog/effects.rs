//! What a call of an action does to the world, and so whether it may be made again.

use super::cache_retry::ResultPolicy;
use super::error::DefinitionError;
use super::fields::{Fields, collect_error};
use crate::failure::ErrorKind;

/// What a call changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effects {
    /// It reads.
    None,
    /// Two calls with one key are one effect.
    Idempotent,
    /// An effect that must not be repeated.
    Once,
}

impl Effects {
    /// The name that definitions use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }
}

/// The effects of an action, and whether its definition says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredEffects {
    /// What holds.
    pub kind: Effects,
    /// Whether it was concluded from `cache` and `retry`.
    pub is_assumed: bool,
}

impl DeclaredEffects {
    /// Reads `effects`, and holds `retry` to it: what must not be repeated may be tried again only if it was never
    /// started.
    pub(super) fn parse(
        fields: &mut Fields<'_>,
        reuse: &mut ResultPolicy,
        wrong: &mut Vec<DefinitionError>,
    ) -> Self {
        let given = collect_error(wrong, fields.string("effects")).flatten();
        let known = [Effects::None, Effects::Idempotent, Effects::Once];
        let declared = given.and_then(|text| {
            let found = known.into_iter().find(|kind| kind.name() == text);
            if found.is_none() {
                let shown = text.escape_debug();
                let error = format!("`{shown}` is none of \"none\", \"idempotent\", \"once\"");
                wrong.push(fields.error("effects", &error));
            }
            found
        });
        let assumed = match (&reuse.cache, &reuse.retry) {
            (Some(_), _) => Effects::None,
            (None, Some(_)) => Effects::Idempotent,
            (None, None) => Effects::Once,
        };
        if let (Some(Effects::Once), Some(retry)) = (declared, &mut reuse.retry) {
            if !retry.on_is_given {
                retry.on = vec![ErrorKind::Unavailable];
            }
            if retry.on != [ErrorKind::Unavailable] {
                let error = "`on` may only be { \"unavailable\" } with effects = \"once\": \
                             any other failure may have had its effect";
                wrong.push(fields.error("retry", error));
            }
        }
        if let (Some(Effects::Once | Effects::Idempotent), Some(_)) = (declared, reuse.cache) {
            let error = "is for actions with effects = \"none\": a kept result has no effect";
            wrong.push(fields.error("cache", error));
        }
        Self {
            kind: declared.unwrap_or(assumed),
            is_assumed: declared.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::defined;

    #[test]
    fn effects_are_said_or_assumed() {
        for (fields, kind, is_assumed) in [
            (json!({}), Effects::Once, true),
            (json!({ "cache": "1m" }), Effects::None, true),
            (json!({ "retry": {} }), Effects::Idempotent, true),
            (
                json!({ "effects": "none", "retry": {} }),
                Effects::None,
                false,
            ),
            (json!({ "effects": "once" }), Effects::Once, false),
        ] {
            let effects = defined(&fields).effects;
            assert_eq!(effects, DeclaredEffects { kind, is_assumed }, "{fields}");
        }
        let retried = defined(&json!({ "effects": "once", "retry": { "attempts": 2 } }));
        let retry = retried.reuse.retry.expect("a retry");
        assert_eq!(retry.on, [ErrorKind::Unavailable]);
    }
}
