//! Changes of what may have changed since it was read: `If-Match` and `If-None-Match` over versions.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::extract;
use crate::problem::{Kind, Problem};

/// What a request expects to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Anything.
    Anything,
    /// Nothing.
    Nothing,
    /// Any version.
    Something,
    /// One of these versions.
    Version(Vec<i64>),
}

impl Expected {
    /// What the headers of a request say.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if extract::header(headers, "if-none-match").is_some_and(|text| text.trim() == "*") {
            return Self::Nothing;
        }
        match headers.get(header::IF_MATCH).map(HeaderValue::to_str) {
            None => Self::Anything,
            Some(Ok(text)) if text.trim() == "*" => Self::Something,
            // A tag that is no version matches none.
            Some(text) => {
                let tags = text.unwrap_or_default().split(',');
                let versions = tags.filter_map(|tag| tag.trim().trim_matches('"').parse().ok());
                Self::Version(versions.collect())
            }
        }
    }

    /// Refuses a change of another version than the expected one.
    pub(crate) fn holds(&self, current: Option<i64>) -> Result<(), Problem> {
        let holds = match self {
            Self::Anything => true,
            Self::Nothing => current.is_none(),
            Self::Something => current.is_some(),
            Self::Version(versions) => current.is_some_and(|current| versions.contains(&current)),
        };
        if holds {
            return Ok(());
        }
        let detail = match current {
            Some(current) => {
                format!("the current version is {current}, which is none that was expected")
            }
            None => "there is no version of it".to_owned(),
        };
        Err(Problem::new(Kind::NotCurrent, detail)
            .hint("read it again, and send the `ETag` of that answer as `If-Match`"))
    }
}

/// The response with its version as `ETag`.
pub(crate) fn tagged(version: i64, mut response: Response) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(name: &'static str, value: &str, current: Option<i64>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header"));
        Expected::of(&headers).holds(current).is_ok()
    }

    #[test]
    fn a_change_is_of_the_version_that_was_read() {
        assert!(Expected::of(&HeaderMap::new()).holds(Some(3)).is_ok());
        for (value, current, expected) in [
            ("\"3\"", Some(3), true),
            ("\"2\"", Some(3), false),
            ("\"2\", \"3\"", Some(3), true),
            ("W/\"3\"", Some(3), false),
            ("x", Some(3), false),
            ("*", Some(3), true),
            ("*", None, false),
            ("\"1\"", None, false),
        ] {
            assert_eq!(holds("if-match", value, current), expected, "{value}");
        }
        assert!(holds("if-none-match", "*", None));
        assert!(!holds("if-none-match", "*", Some(1)));
    }
}
