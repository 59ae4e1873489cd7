//! Decides which addresses a call may connect to: addresses that a definition or a grant names, and
//! addresses of names that it names.
//!
//! DNS is untrusted: a call may use an address only if DNS returned it to this call for an allowed
//! name. An address of this machine or of the local network counts only if the name can exist only
//! on the local network, or if the address itself is named.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use kael_engine::catalog::{Destination, Host};

/// The allow-list of one call.
#[derive(Debug, Clone)]
pub struct NetworkPolicy {
    /// Each layer has to name what the call uses.
    layers: Arc<[Vec<Destination>]>,
    learnt: Arc<Mutex<Learnt>>,
    /// What says where a call may connect to, for messages.
    remedy: &'static str,
}

#[derive(Debug, Default)]
struct Learnt {
    /// Names, each with an address that DNS returned to this call.
    told: HashSet<(String, IpAddr)>,
    /// The first obstacle and its remedy, for the error if the action fails.
    advice: Option<String>,
}

impl NetworkPolicy {
    /// Allows what is named. `remedy` says where more can be named: "the definition's `network`".
    #[must_use]
    pub fn new(named: &[Destination], remedy: &'static str) -> Self {
        Self::of_layers(vec![named.to_vec()], remedy)
    }

    /// Allows what every layer names: one is an operator's, say, and another a team's.
    #[must_use]
    pub fn of_layers(layers: Vec<Vec<Destination>>, remedy: &'static str) -> Self {
        Self {
            layers: layers.into(),
            learnt: Arc::default(),
            remedy,
        }
    }

    fn learnt(&self) -> std::sync::MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The normalised name, if it may be looked up. Literal addresses always may: that reveals
    /// nothing.
    #[must_use]
    pub fn may_resolve(&self, name: &str) -> Option<String> {
        let name = plain(name);
        if address(&name).is_some() || self.names(&name, None) {
            return Some(name);
        }
        self.refuse(format!("looking up `{}`", name.escape_debug()));
        None
    }

    /// The normalised name or address, if a request to it is allowed. Whether an address may be
    /// connected to is checked separately.
    #[must_use]
    pub fn may_request(&self, host: &str, port: u16) -> Option<String> {
        let name = plain(host);
        let allowed = match address(&name) {
            Some(ip) => self.holds(SocketAddr::new(ip, port)),
            None => self.names(&name, Some(port)),
        };
        if allowed {
            return Some(name);
        }
        self.refuse(format!("a request to `{}:{port}`", name.escape_debug()));
        None
    }

    /// Whether the definition has this name, at this port if one is given.
    fn names(&self, name: &str, port: Option<u16>) -> bool {
        self.in_each_layer(|destination| {
            matches!(&destination.host, Host::Name(own) if own == name)
                && port.is_none_or(|port| destination.port == port)
        })
    }

    /// Whether the call may see and use this address of a name.
    #[must_use]
    pub fn accept_dns_answer(&self, name: &str, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        if address(name).is_some() {
            return true;
        }
        if answers_for(name, kind(ip))
            || self.in_each_layer(|destination| destination.host.holds(ip))
        {
            self.learnt().told.insert((name.to_owned(), ip));
            return true;
        }
        self.refuse(format!(
            "`{name}` at {ip}, an address that counts only if it is named itself"
        ));
        false
    }

    /// Whether the call may connect to an address, or exchange datagrams with it.
    #[must_use]
    pub fn may_connect(&self, address: SocketAddr) -> bool {
        let allowed = self.holds(address);
        if !allowed {
            self.refuse(format!("a connection to {address}"));
        }
        allowed
    }

    fn holds(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let learnt = self.learnt();
        let named = |destination: &Destination| {
            destination.port == address.port()
                && match &destination.host {
                    Host::Name(name) => learnt.told.contains(&(name.clone(), ip)),
                    range @ Host::Range { .. } => range.holds(ip),
                }
        };
        self.in_each_layer(named)
    }

    fn in_each_layer(&self, named: impl Fn(&Destination) -> bool) -> bool {
        !self.layers.is_empty() && self.layers.iter().all(|layer| layer.iter().any(&named))
    }

    fn refuse(&self, what: String) {
        self.advise(format!(
            "{what} was refused: {} says where the action may connect to",
            self.remedy
        ));
    }

    /// Keeps the first obstacle and its remedy.
    pub fn advise(&self, advice: String) {
        self.learnt().advice.get_or_insert(advice);
    }

    /// The first obstacle and its remedy.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        self.learnt().advice.clone()
    }
}

/// The name in the form that definitions use.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The address in a text, with or without brackets. None for a name.
#[must_use]
pub fn address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

/// Who can have an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AddressKind {
    /// Any host on the internet.
    Public,
    /// A host on the local network.
    Private,
    /// This machine.
    Loopback,
    /// Link-local, multicast, and reserved addresses. Clouds serve secrets at one of these.
    Special,
}

fn kind(ip: IpAddr) -> AddressKind {
    match ip.to_canonical() {
        IpAddr::V4(ip) => kind_v4(ip),
        IpAddr::V6(ip) => kind_v6(ip),
    }
}

fn kind_v4(ip: Ipv4Addr) -> AddressKind {
    match ip.octets() {
        [127, ..] => AddressKind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
            AddressKind::Private
        }
        [0 | 224.., ..] | [169, 254, ..] | [192, 0, 0, _] | [198, 18..=19, ..] => {
            AddressKind::Special
        }
        _ => AddressKind::Public,
    }
}

fn kind_v6(ip: Ipv6Addr) -> AddressKind {
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        kind_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressKind::Loopback,
        // An IPv4 address inside: NAT64 and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => AddressKind::Private,
        // Teredo also hides an address. Only 2000::/3 is assigned.
        [0x2001, 0, ..] => AddressKind::Special,
        [0x2000..=0x3fff, ..] => AddressKind::Public,
        _ => AddressKind::Special,
    }
}

/// Whether a name may have an address of this kind. Names of the local network cannot be registered
/// on the internet.
fn answers_for(name: &str, kind: AddressKind) -> bool {
    let below = |suffix: &str| {
        name.strip_suffix(suffix)
            .is_some_and(|rest| rest.ends_with('.'))
    };
    match kind {
        AddressKind::Public => true,
        AddressKind::Private => {
            !name.contains('.') || ["internal", "local", "home.arpa"].into_iter().any(below)
        }
        AddressKind::Loopback => name == "localhost" || below("localhost"),
        AddressKind::Special => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(named: &[&str]) -> NetworkPolicy {
        let named: Vec<Destination> = named.iter().map(|text| text.parse().expect(text)).collect();
        NetworkPolicy::new(&named, "the definition's `network`")
    }

    fn connects(policy: &NetworkPolicy, address: &str) -> bool {
        policy.may_connect(address.parse().expect("an address"))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_is_reached_when_it_is_named() {
        let policy = policy(&["127.0.0.1:9090", "10.0.0.0/8:443", "[::1]:80"]);
        for address in [
            "127.0.0.1:9090",
            "10.9.8.7:443",
            "[::1]:80",
            "[::ffff:127.0.0.1]:9090",
        ] {
            assert!(connects(&policy, address), "{address}");
        }
        assert_eq!(policy.advice(), None);
        for address in [
            "127.0.0.1:9091",
            "127.0.0.2:9090",
            "11.0.0.1:443",
            "[::1]:443",
            "0.0.0.0:9090",
        ] {
            assert!(!connects(&policy, address), "{address}");
        }
        assert_eq!(
            policy.advice().as_deref(),
            Some(
                "a connection to 127.0.0.1:9091 was refused: the definition's `network` says where the action may connect to"
            )
        );
    }

    #[test]
    fn a_name_reaches_only_what_it_was_said_to_be() {
        let policy = policy(&["example.org:443"]);
        assert!(!connects(&policy, "192.0.2.7:443"));
        assert_eq!(
            policy.may_resolve("EXAMPLE.org."),
            Some("example.org".to_owned())
        );
        assert_eq!(policy.may_resolve("evil.example.org"), None);
        assert!(policy.accept_dns_answer("example.org", ip("192.0.2.7")));
        assert!(connects(&policy, "192.0.2.7:443") && !connects(&policy, "192.0.2.7:80"));
        assert!(!connects(&policy, "192.0.2.8:443"));
    }

    #[test]
    fn a_request_is_for_a_name_and_a_port_that_are_named() {
        let policy = policy(&["example.org:443", "10.0.0.0/8:80", "[::1]:80"]);
        assert_eq!(
            policy.may_request("Example.ORG.", 443),
            Some("example.org".to_owned())
        );
        for (host, port) in [("10.1.2.3", 80), ("[::1]", 80), ("[::ffff:10.1.2.3]", 80)] {
            assert!(policy.may_request(host, port).is_some(), "{host}");
        }
        for (host, port) in [
            ("example.org", 80),
            ("a.example.org", 443),
            ("example.org.evil", 443),
            ("10.1.2.3", 443),
            ("11.1.2.3", 80),
            ("127.0.0.1", 80),
            ("[::2]", 80),
            ("localhost", 80),
            ("", 443),
        ] {
            assert_eq!(policy.may_request(host, port), None, "{host}");
        }
    }

    #[test]
    fn a_public_name_does_not_lead_back_inside() {
        let policy = policy(&["example.org:80"]);
        for inside in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(
                !policy.accept_dns_answer("example.org", ip(inside)),
                "{inside}"
            );
            assert!(
                !policy.may_connect(SocketAddr::new(ip(inside), 80)),
                "{inside}"
            );
        }
        assert!(
            policy
                .advice()
                .is_some_and(|what| what.starts_with("`example.org` at 127.0.0.1"))
        );
    }

    #[test]
    fn the_local_networks_own_names_lead_inside() {
        let policy = policy(&[
            "db.internal:1",
            "printer.local:1",
            "db:1",
            "localhost:1",
            "example.org:1",
            "10.0.0.0/8:1",
        ]);
        for (name, address, told) in [
            ("db.internal", "10.0.0.1", true),
            ("printer.local", "192.168.0.9", true),
            ("db", "fd00::7", true),
            ("localhost", "127.0.0.1", true),
            ("localhost", "10.0.0.1", true), // the range is named
            ("localhost", "192.168.0.1", true),
            ("db.internal", "127.0.0.1", false),
            ("db.internal", "169.254.169.254", false),
            ("example.org", "10.0.0.1", true), // the range is named
            ("example.org", "192.168.0.1", false),
        ] {
            assert_eq!(
                policy.accept_dns_answer(name, ip(address)),
                told,
                "{name} {address}"
            );
        }
    }
}
