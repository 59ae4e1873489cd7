//! Who sends a webhook: HMAC-SHA256 over what was sent, by a secret that the sender and the server have.
//!
//! Kael's own form signs `TIME.DELIVERY.BODY` and stands in `Kael-Signature: t=TIME,v1=HEX`. GitHub's signs
//! the body alone, in `X-Hub-Signature-256: sha256=HEX`. A signed text has one meaning: no id of a delivery has a dot, and
//! what GitHub's form signs does not look like a text of Kael's.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::time::SECOND;

/// How old a signature may be, and how far in the future.
const MAX_AGE: i64 = 5 * 60 * SECOND;
/// Signatures of one header that are tried: more than one while a secret is replaced.
const MAX_TRIED: usize = 4;

/// What was sent.
pub(crate) struct Sent<'a> {
    /// `Kael-Signature`.
    pub(crate) kael: Option<&'a str>,
    /// `X-Hub-Signature-256`.
    pub(crate) github: Option<&'a str>,
    /// The id of the delivery; empty without one.
    pub(crate) delivery: &'a str,
    pub(crate) body: &'a [u8],
}

impl Sent<'_> {
    /// Whether a holder of the secret has signed it, not long ago where the signature has a time.
    pub(crate) fn is_of(&self, secret: &str, now: i64) -> bool {
        match (self.kael, self.github) {
            (Some(header), _) => self.is_kael(header, secret, now),
            (None, Some(header)) => header
                .strip_prefix("sha256=")
                .is_some_and(|hex| verifies(secret, &[self.body], hex) && !is_kaels(self.body)),
            (None, None) => false,
        }
    }

    fn is_kael(&self, header: &str, secret: &str, now: i64) -> bool {
        let mut time = None;
        let mut signatures = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("t", text)) => time = Some(text),
                Some(("v1", hex)) if signatures.len() < MAX_TRIED => signatures.push(hex),
                _ => {}
            }
        }
        let at = time.and_then(|text| text.parse::<i64>().ok());
        let (Some(text), Some(at)) = (time, at.and_then(|at| at.checked_mul(SECOND))) else {
            return false;
        };
        let parts: [&[u8]; 5] = [
            text.as_bytes(),
            b".",
            self.delivery.as_bytes(),
            b".",
            self.body,
        ];
        // All are tried, and the time is looked at last: how long it takes tells nothing.
        let signed = signatures
            .iter()
            .fold(false, |signed, hex| verifies(secret, &parts, hex) | signed);
        signed && !self.delivery.contains('.') && now.abs_diff(at) <= MAX_AGE.unsigned_abs()
    }
}

/// Whether a body could be what Kael's form signs: `TIME.DELIVERY.BODY`.
fn is_kaels(body: &[u8]) -> bool {
    let mut parts = body.splitn(3, |byte| *byte == b'.');
    let time = parts.next().unwrap_or_default();
    !time.is_empty() && time.iter().all(u8::is_ascii_digit) && parts.count() == 2
}

/// The header `Kael-Signature` of what is sent at a time.
pub(crate) fn sign(secret: &str, seconds: i64, delivery: &str, body: &[u8]) -> String {
    let time = seconds.to_string();
    let parts: [&[u8]; 5] = [time.as_bytes(), b".", delivery.as_bytes(), b".", body];
    // A key may have any length.
    let sum = keyed(secret, &parts).map(|mac| mac.finalize().into_bytes());
    let hex = sum
        .map(|sum| kael_engine::text::hex(&sum))
        .unwrap_or_default();
    format!("t={time},v1={hex}")
}

/// Compares in constant time.
fn verifies(secret: &str, parts: &[&[u8]], hex: &str) -> bool {
    let (Some(mac), Some(signature)) = (keyed(secret, parts), bytes(hex)) else {
        return false;
    };
    mac.verify_slice(&signature).is_ok()
}

fn keyed(secret: &str, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

/// The 32 bytes of 64 hexadecimal digits.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_780_272_000 * SECOND;

    fn hex(secret: &str, parts: &[&[u8]]) -> String {
        let mac = keyed(secret, parts).expect("a key");
        kael_engine::text::hex(&mac.finalize().into_bytes())
    }

    fn kael(header: &str, delivery: &str, body: &str) -> bool {
        let sent = Sent {
            kael: Some(header),
            github: None,
            delivery,
            body: body.as_bytes(),
        };
        sent.is_of("secret", NOW)
    }

    #[test]
    fn kaels_signature_is_over_time_delivery_and_body() {
        let right = hex("secret", &[b"1780272000.d1.{}"]);
        assert_eq!(
            sign("secret", 1_780_272_000, "d1", b"{}"),
            format!("t=1780272000,v1={right}")
        );
        assert!(kael(&format!("t=1780272000,v1={right}"), "d1", "{}"));
        assert!(kael(&format!("t=1780272000, v1={right}"), "d1", "{}"));
        let zeros = "0".repeat(64);
        assert!(kael(
            &format!("t=1780272000,v1={zeros},v1={right}"),
            "d1",
            "{}"
        ));
        for (header, delivery, body) in [
            (format!("t=1780272000,v1={right}"), "d2", "{}"),
            (format!("t=1780272000,v1={right}"), "d1", "{} "),
            (format!("t=1780272001,v1={right}"), "d1", "{}"),
            (format!("t=1780272000,v1={zeros}"), "d1", "{}"),
            (format!("t=1780272000,v1={}", &right[..62]), "d1", "{}"),
            (format!("v1={right}"), "d1", "{}"),
            ("t=1780272000".to_owned(), "d1", "{}"),
            (format!("t=9999999999999999999,v1={right}"), "d1", "{}"),
            (format!("t=-9223372036854775808,v1={right}"), "d1", "{}"),
            ("t=,v1=,,=,".to_owned(), "", ""),
            (format!("t=1780272000,v1=ä{}", &right[2..]), "d1", "{}"),
        ] {
            assert!(!kael(&header, delivery, body), "{header}");
        }
    }

    #[test]
    fn a_signed_text_is_one_delivery_whoever_cuts_it() {
        let text = "1780272000.d1.1.5";
        let right = hex("secret", &[text.as_bytes()]);
        let header = format!("t=1780272000,v1={right}");
        assert!(kael(&header, "d1", "1.5"));
        assert!(!kael(&header, "d1.1", "5"));
        let github = |body: &str| {
            let header = format!("sha256={}", hex("secret", &[body.as_bytes()]));
            let sent = Sent {
                kael: None,
                github: Some(&header),
                delivery: "g",
                body: body.as_bytes(),
            };
            sent.is_of("secret", NOW)
        };
        // A delivery in Kael's form, which has a time, is none in the form that has none.
        assert!(!github(text) && !github("1780272000.."));
        for body in ["{\"at\": 1.2.3}", "1780272000.5", ".a.b", "v1.2.3", ""] {
            assert!(github(body), "{body}");
        }
    }

    #[test]
    fn an_old_signature_is_none() {
        for (seconds, expected) in [
            (0, true),
            (-300, true),
            (300, true),
            (-301, false),
            (301, false),
        ] {
            let time = (NOW / SECOND + seconds).to_string();
            let right = hex("secret", &[format!("{time}.d.x").as_bytes()]);
            assert_eq!(
                kael(&format!("t={time},v1={right}"), "d", "x"),
                expected,
                "{seconds}"
            );
        }
    }

    #[test]
    fn githubs_signature_is_over_the_body() {
        // The example of GitHub's documentation.
        let sent = |header: &'static str, body: &'static str| Sent {
            kael: None,
            github: Some(header),
            delivery: "",
            body: body.as_bytes(),
        };
        let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = "It's a Secret to Everybody";
        assert!(sent(header, "Hello, World!").is_of(secret, NOW));
        assert!(!sent(header, "Hello, World").is_of(secret, NOW));
        assert!(!sent(header, "Hello, World!").is_of("another", NOW));
        assert!(!sent("757107ea", "Hello, World!").is_of(secret, NOW));
        // Whoever sends both has to get the stricter one right.
        let both = Sent {
            kael: Some("t=1,v1=x"),
            ..sent(header, "Hello, World!")
        };
        assert!(!both.is_of(secret, NOW));
    }
}
