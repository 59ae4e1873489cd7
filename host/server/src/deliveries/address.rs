//! Where deliveries may go: to names of the internet, and to what the operator names beside them.
//!
//! A manager of a tenant chooses the address, and the server sends from where it stands: so an address
//! of this machine, of the local network or of a cloud's own services must not be one. `kael_net` looks a
//! name up once and connects to an address that passed.

use hyper::Uri;
use kael_engine::catalog::{Destination, Host};
use kael_net::{NetworkPolicy, Target, address};

/// Bytes of an address.
const MAX_URL: usize = 2000;
/// Names that stand for this machine or for the local network.
const INSIDE: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// Where a delivery goes.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) target: Target,
    pub(crate) network: NetworkPolicy,
    /// The path with its query.
    pub(crate) path: Uri,
    pub(crate) authority: String,
}

/// Reads the address of a subscription. `allowed` is what the operator names.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read(url: &str, allowed: &[Destination]) -> Result<Place, String> {
    let wrong =
        || "`url` must be an address like https://example.org/hook, without a user".to_owned();
    if url.len() > MAX_URL || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong());
    }
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong());
    }
    let target = Target::of(&uri).map_err(|_| wrong())?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path: Uri = path.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?.to_string();
    let named: Destination = format!("{}:{}", target.host, target.port)
        .parse()
        .map_err(|error| format!("`url`: {error}"))?;
    let by_operator = allowed.iter().any(|allowed| covers(allowed, &named));
    if !by_operator && !is_public_name(&target.host) {
        return Err(format!(
            "`url`: `{}` is no name of the internet: the operator can name it in `deliver_to`",
            target.host.escape_debug()
        ));
    }
    Ok(Place {
        network: NetworkPolicy::new(&[named], "`deliver_to` of the server"),
        target,
        path,
        authority,
    })
}

/// Whether the operator names a destination: by its name, or by a range that holds it.
fn covers(allowed: &Destination, named: &Destination) -> bool {
    let held = match (&allowed.host, &named.host) {
        (range @ Host::Range { .. }, Host::Range { address, .. }) => range.holds(*address),
        (one, other) => one == other,
    };
    held && allowed.port == named.port
}

/// A name that can only have addresses of the internet: `kael_net` refuses it any other.
fn is_public_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_below = |suffix: &str| {
        let rest = host.strip_suffix(suffix);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    address(&host).is_none() && host.contains('.') && !INSIDE.into_iter().any(is_below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(url: &str, allowed: &[&str]) -> Result<String, String> {
        let allowed: Vec<Destination> = allowed
            .iter()
            .map(|text| text.parse().expect(text))
            .collect();
        read(url, &allowed).map(|place| format!("{} {}", place.authority, place.path))
    }

    #[test]
    fn a_delivery_goes_to_the_internet() {
        assert_eq!(
            reads("https://example.org/a?b=c", &[]),
            Ok("example.org /a?b=c".to_owned())
        );
        assert_eq!(
            reads("http://example.org:8080", &[]),
            Ok("example.org:8080 /".to_owned())
        );
        for inside in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest",
            "http://8.8.8.8/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://metadata.google.internal/",
            "http://printer/",
            "http://db.local/",
            "http://router.home.arpa/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://127.1/",
        ] {
            let refused = reads(inside, &[]);
            // What is no name and no address is refused, too.
            assert!(refused.is_err(), "{inside}: {refused:?}");
        }
        for wrong in [
            "",
            "example.org",
            "ftp://example.org/",
            "https://u:p@example.org/",
            "https:///x",
            "https://exa mple.org/",
            "https://example.org:0/",
        ] {
            assert!(reads(wrong, &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_operator_names_what_is_inside() {
        let allowed = ["hooks.internal:8080", "10.0.0.0/8:443"];
        assert!(reads("http://hooks.internal:8080/x", &allowed).is_ok());
        assert!(reads("https://10.1.2.3/x", &allowed).is_ok());
        for other in [
            "http://hooks.internal/x",
            "http://10.1.2.3/x",
            "https://11.1.2.3/x",
            "http://db.internal:8080/",
        ] {
            assert!(reads(other, &allowed).is_err(), "{other}");
        }
    }
}
