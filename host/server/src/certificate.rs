//! When a certificate is valid: the two times in its X.509 structure, and nothing else of it.

use std::io;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Tags of ASN.1.
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// From when to when a certificate is valid, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From then.
    pub from: i64,
    /// Until then.
    pub until: i64,
}

/// When the certificates of a file are valid, all of them together.
///
/// # Errors
/// When the file cannot be read, or has no certificate.
pub fn validity(path: &Path) -> io::Result<Validity> {
    let wrong = |why: String| io::Error::other(format!("{}: {why}", path.display()));
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let chain = chain.map_err(|error| wrong(error.to_string()))?;
    let mut all: Option<Validity> = None;
    for certificate in &chain {
        let one = read(certificate).ok_or_else(|| wrong("it has no times".to_owned()))?;
        all = Some(all.map_or(one, |all| Validity {
            from: all.from.max(one.from),
            until: all.until.min(one.until),
        }));
    }
    all.ok_or_else(|| wrong("it has no certificate".to_owned()))
}

fn read(certificate: &[u8]) -> Option<Validity> {
    let (outer, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(outer, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        (_, fields) = element(fields, VERSION)?;
    }
    (_, fields) = element(fields, INTEGER)?;
    // The algorithm of the signature, and who signed.
    (_, fields) = element(fields, SEQUENCE)?;
    (_, fields) = element(fields, SEQUENCE)?;
    let (times, _) = element(fields, SEQUENCE)?;
    let (from, rest) = time(times)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// The content of an element with this tag, and what is behind it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    if *found != tag {
        return None;
    }
    rest.split_at_checked(length)
}

/// A time such as `260131093000Z`, or `20500131093000Z` from 2050 on, and what is behind it.
fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (text, rest) = match bytes.first()? {
        &UTC_TIME => {
            let (text, rest) = element(bytes, UTC_TIME)?;
            let text = std::str::from_utf8(text).ok()?;
            let century = if text < "50" { "20" } else { "19" };
            (format!("{century}{text}"), rest)
        }
        _ => {
            let (text, rest) = element(bytes, GENERALIZED_TIME)?;
            (std::str::from_utf8(text).ok()?.to_owned(), rest)
        }
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let written = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    Some((crate::time::parse(&written).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIBXzCCAQagAwIBAgIBATAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9leHBpcmVk\n\
        LmV4YW1wbGUwHhcNMjQwMTAxMDAwMDAwWhcNMjQwMjAxMDAwMDAwWjAaMRgwFgYD\n\
        VQQDDA9leHBpcmVkLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ7\n\
        qNXO0MCO//oBtEWVQvcxiBtMn8asl8W4H2Hcx3lA8LY8jEB0Edjhg8IzrNnx/+9H\n\
        +ncnn5cfJEMiXMSvDyNVoz0wOzAaBgNVHREEEzARgg9leHBpcmVkLmV4YW1wbGUw\n\
        HQYDVR0OBBYEFGFk83yuYIgk+NO2a7CX1jEUA0PbMAoGCCqGSM49BAMCA0cAMEQC\n\
        IA3/PjXMMj1vlAuZLCnqQu1JmUHcUfMHXuf36zbXs7pfAiByOR6zz3TF7UVL8VQ2\n\
        5875hBlWETzOhYRkuxJmRxkJNg==\n\
        -----END CERTIFICATE-----\n";

    #[test]
    fn the_times_of_a_certificate_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.pem");
        std::fs::write(&file, PEM).expect("written");
        let found = validity(&file).expect("a certificate");
        assert_eq!(crate::time::text(found.from), "2024-01-01T00:00:00.000Z");
        assert_eq!(crate::time::text(found.until), "2024-02-01T00:00:00.000Z");
        std::fs::write(&file, "nothing").expect("written");
        let none = validity(&file).expect_err("none").to_string();
        assert!(none.ends_with("it has no certificate"), "{none}");
        let cut = CertificateDer::from_pem_slice(PEM.as_bytes()).expect("a certificate");
        for end in 0..60 {
            assert_eq!(read(&cut[..end]), None, "{end}");
        }
    }

    #[test]
    fn years_have_two_digits_until_2050() {
        let text = |tag: u8, text: &str| {
            let mut bytes = vec![tag, u8::try_from(text.len()).expect("short")];
            bytes.extend_from_slice(text.as_bytes());
            time(&bytes).map(|(time, _)| crate::time::text(time))
        };
        let utc = |written| text(UTC_TIME, written);
        assert_eq!(
            utc("491231235959Z").as_deref(),
            Some("2049-12-31T23:59:59.000Z")
        );
        assert_eq!(
            utc("700101000000Z").as_deref(),
            Some("1970-01-01T00:00:00.000Z")
        );
        let long = text(GENERALIZED_TIME, "20500131093000Z");
        assert_eq!(long.as_deref(), Some("2050-01-31T09:30:00.000Z"));
        assert_eq!(utc("soon"), None);
    }
}
