//! Stored scripts by `NAME` or `NAME@VERSION`.

use kael_store::{StoreError, Tx};

use crate::app::App;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use crate::tables::scripts::{self, VersionRow};
use crate::tables::{Scoped, sources};

/// A script, or one version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) name: String,
    /// The newest one without.
    pub(crate) version: Option<i64>,
}

impl Reference {
    /// Reads `NAME` or `NAME@VERSION`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, version) = match text.split_once('@') {
            None => (text, None),
            Some((name, version)) => {
                let version = version.parse::<u32>().ok().filter(|version| *version > 0)?;
                (name, Some(i64::from(version)))
            }
        };
        super::check_name("script", name).ok()?;
        Some(Self {
            name: name.to_owned(),
            version,
        })
    }

    /// The version in the store; none if there is no such script.
    pub(crate) fn find(
        &self,
        tx: &Tx<'_>,
        scoped: Scoped,
    ) -> Result<Option<VersionRow>, StoreError> {
        scripts::get(tx, scoped, &self.name, self.version)
    }
}

/// The problem of a script that is not there.
pub(crate) fn missing(text: &str) -> Problem {
    let shown: String = text.chars().take(120).collect();
    Problem::new(
        Kind::NotFound,
        format!("there is no stored script `{}`", shown.escape_debug()),
    )
    .hint("GET /v1/scripts lists them; kael-host script put NAME FILE stores one")
}

/// The name and the text of a stored script of the tenant.
pub(crate) async fn text(
    app: &App,
    scope: &Scope,
    reference: &str,
) -> Result<(String, Vec<u8>), Problem> {
    let Some(wanted) = Reference::parse(reference) else {
        return Err(missing(reference));
    };
    let scoped = scope.scoped();
    let name = wanted.name.clone();
    let found = app.store.read(move |tx| {
        let version = wanted.find(tx, scoped)?;
        match version.and_then(|version| version.digest) {
            Some(digest) => sources::get(tx, scoped, &digest),
            None => Ok(None),
        }
    });
    match found.await? {
        Some(text) => Ok((name, text)),
        None => Err(missing(reference)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_named_with_a_version_or_without() {
        let read = |text: &str| Reference::parse(text).map(|of| (of.name, of.version));
        assert_eq!(read("a.lua"), Some(("a.lua".to_owned(), None)));
        assert_eq!(read("a@12"), Some(("a".to_owned(), Some(12))));
        for text in [
            "",
            "a@",
            "a@0",
            "a@-1",
            "a@x",
            "@1",
            "a@1@2",
            "../a",
            "a@99999999999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
