//! The request to which an answer leads.

use hyper::Method;
use hyper::header::LOCATION;

use kael_engine::failure::ActionError;

use super::answer::Answer;
use super::request::Request;
use super::target::Target;

/// Headers that another server gets, too. Everything else may be a credential.
const HARMLESS: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];

/// The next request, if the answer leads to one. It goes through every check again.
pub(super) fn next(request: &Request, answer: &Answer) -> Result<Option<Request>, ActionError> {
    let location = answer.header(&LOCATION);
    let (301 | 302 | 303 | 307 | 308, Some(location)) = (answer.status, location) else {
        return Ok(None);
    };
    let mut next = request.clone();
    next.target = Target::parse(&joined(&request.target, location))?;
    let keeps = matches!(answer.status, 307 | 308);
    if !keeps && !matches!(request.method, Method::GET | Method::HEAD) {
        next.method = Method::GET;
        next.body = bytes::Bytes::new();
        next.headers.retain(|(name, _)| name != "content-type");
    }
    if !next.target.is_origin_of(&request.target) {
        let kept = |name: &str| HARMLESS.contains(&name);
        next.headers.retain(|(name, _)| kept(name.as_str()));
        next.basic = None;
    }
    Ok(Some(next))
}

/// A location, which may be relative, as a whole URL.
fn joined(base: &Target, location: &str) -> String {
    let location = location.trim();
    if let Some((scheme, _)) = location.split_once("://")
        && !scheme.contains(['/', '?', '#'])
    {
        return location.to_owned();
    }
    if let Some(rest) = location.strip_prefix("//") {
        let scheme = base.scheme.name();
        return format!("{scheme}://{rest}");
    }
    let server = format!("{}://{}", base.scheme.name(), base.authority());
    if location.starts_with('/') {
        return format!("{server}{location}");
    }
    if location.starts_with(['?', '#']) || location.is_empty() {
        return format!("{server}{}{location}", base.path.path());
    }
    let path = base.path.path();
    let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
    format!("{server}{folder}{location}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_whole_or_relative() {
        let base = Target::parse("http://a:8080/x/y?z").expect("a URL");
        for (location, whole) in [
            ("https://b/c", "https://b/c"),
            ("//b/c", "http://b/c"),
            ("/c", "http://a:8080/c"),
            ("c", "http://a:8080/x/c"),
            ("?q", "http://a:8080/x/y?q"),
            ("file:///etc/passwd", "file:///etc/passwd"),
            ("/go?to=http://b/", "http://a:8080/go?to=http://b/"),
        ] {
            assert_eq!(joined(&base, location), whole);
        }
    }
}
