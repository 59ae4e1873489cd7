//! Addresses that an action may connect to, as a team writes them: `prometheus.internal:9090`,
//! `192.0.2.7:443`, `10.0.0.0/8:5432`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The machine or range of addresses.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// One machine by its name, or a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// In lower case, without the root's final dot.
    Name(String),
    /// The addresses that share their first `prefix` bits with `address`.
    Range {
        /// The first address of the range.
        address: IpAddr,
        /// The number of shared bits: 32 (IPv4) or 128 (IPv6) for a single address.
        prefix: u8,
    },
}

/// Why a text is not a destination.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{text}` is not a destination: {error} (write it like `host:443`, `192.0.2.7:443`, `[2001:db8::7]:443` or `10.0.0.0/8:443`)"
)]
pub struct DestinationError {
    text: String,
    error: &'static str,
}

impl Host {
    /// Whether an address in its shortest form lies in this range. A name contains no addresses.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        let Self::Range { address, prefix } = self else {
            return false;
        };
        match (address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let shift = 32 - u32::from(*prefix);
                (own.to_bits() ^ ip.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let shift = 128 - u32::from(*prefix);
                (own.to_bits() ^ ip.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |error| DestinationError {
            text: text.escape_debug().to_string(),
            error,
        };
        let (host, port) = text.rsplit_once(':').ok_or(fail("it has no port"))?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0);
        let port = port.ok_or(fail("a port is a number from 1 to 65535"))?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let bare = bracketed.unwrap_or(host);
        let (address, prefix) = bare
            .split_once('/')
            .map_or((bare, None), |(a, p)| (a, Some(p)));
        if let Ok(address) = address.parse::<IpAddr>() {
            if address.is_ipv6() != bracketed.is_some() {
                return Err(fail("an IPv6 address, and no other, stands in brackets"));
            }
            return range(address, prefix)
                .map(|host| Self { host, port })
                .map_err(fail);
        }
        if prefix.is_some() || bracketed.is_some() {
            return Err(fail("that is no IP address"));
        }
        if !is_name(host) {
            return Err(fail("that is neither the name of a host nor an IP address"));
        }
        let host = Host::Name(host.trim_end_matches('.').to_ascii_lowercase());
        Ok(Self { host, port })
    }
}

fn range(address: IpAddr, prefix: Option<&str>) -> Result<Host, &'static str> {
    if address != address.to_canonical() {
        return Err("write an IPv4 address as one");
    }
    let widest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => widest,
        Some(text) => text
            .parse()
            .ok()
            .filter(|prefix| (1..=widest).contains(prefix))
            .ok_or("the number of bits behind `/` is too small or too large")?,
    };
    let host = Host::Range { address, prefix };
    let first = match address {
        IpAddr::V4(ip) => prefix == 32 || ip.to_bits() << prefix == 0,
        IpAddr::V6(ip) => prefix == 128 || ip.to_bits() << prefix == 0,
    };
    if first {
        Ok(host)
    } else {
        Err("the address has bits behind the `/`'s")
    }
}

/// Whether the text is a name for DNS, underscores included. A last part that is a number makes it
/// an address in an old spelling.
fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let part = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.split('.').all(part)
        && !last.starts_with(|c: char| c.is_ascii_digit())
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Range {
                address: IpAddr::V4(ip),
                prefix: 32,
            } => write!(f, "{ip}:{}", self.port),
            Host::Range {
                address: IpAddr::V6(ip),
                prefix: 128,
            } => write!(f, "[{ip}]:{}", self.port),
            Host::Range {
                address: IpAddr::V4(ip),
                prefix,
            } => write!(f, "{ip}/{prefix}:{}", self.port),
            Host::Range {
                address: IpAddr::V6(ip),
                prefix,
            } => write!(f, "[{ip}/{prefix}]:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_names_addresses_or_ranges() {
        for text in [
            "prometheus.internal:9090",
            "localhost:1",
            "a_b-c.x:65535",
            "192.0.2.7:443",
            "[2001:db8::7]:443",
            "10.0.0.0/8:5432",
            "[fd00::/8]:5432",
        ] {
            let destination: Destination = text.parse().expect(text);
            assert_eq!(destination.to_string(), text);
        }
        let upper: Destination = "Example.ORG.:80".parse().expect("a name");
        assert_eq!(upper.to_string(), "example.org:80");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "host",
            "host:",
            ":80",
            "host:0",
            "host:65536",
            "host:+80",
            "host:http",
            "*:80",
            "a b:80",
            "http://x:80",
            "2001:db8::7:80",
            "[192.0.2.7]:80",
            "0x7f.1:80",
            "127.1:80",
            "2130706433:80",
            "[::ffff:10.0.0.1]:80",
            "10.0.0.0/0:80",
            "10.0.0.0/33:80",
            "10.0.0.1/8:80",
            "[x]:80",
            "x/8:80",
            "-x:80",
            "x..y:80",
            "*.x.org:80",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_hold_their_addresses() {
        let holds = |range: &str, ip: &str| {
            let range: Destination = range.parse().expect("a range");
            range.host.holds(ip.parse().expect("an address"))
        };
        assert!(holds("10.0.0.0/8:1", "10.255.0.1") && !holds("10.0.0.0/8:1", "11.0.0.0"));
        assert!(holds("10.1.2.3:1", "10.1.2.3") && !holds("10.1.2.3:1", "10.1.2.4"));
        assert!(holds("[fd00::/8]:1", "fdff::1") && !holds("[fd00::/8]:1", "fe80::1"));
        assert!(!holds("10.0.0.0/8:1", "::1") && !holds("host:1", "10.0.0.1"));
    }
}
