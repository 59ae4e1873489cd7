//! Digests of bytes, with and without a key.

use std::ffi::c_int;

use hmac::{Mac, SimpleHmac};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::core_api::BlockSizeUser;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

use crate::convert::stack::{Native, Slot, Stack};

type Make = fn(Option<&[u8]>, &[u8]) -> Vec<u8>;

/// The algorithms by their names.
const ALGORITHMS: [(&str, Make); 10] = [
    ("md5", made::<Md5>),
    ("sha1", made::<Sha1>),
    ("sha224", made::<Sha224>),
    ("sha256", made::<Sha256>),
    ("sha384", made::<Sha384>),
    ("sha512", made::<Sha512>),
    ("sha3-224", made::<Sha3_224>),
    ("sha3-256", made::<Sha3_256>),
    ("sha3-384", made::<Sha3_384>),
    ("sha3-512", made::<Sha3_512>),
];

/// `digest(algorithm, key, bytes)`: the digest as bytes, an HMAC (RFC 2104) if there is a key; or nil and the names of the
/// algorithms.
pub(crate) struct DigestOf;

impl Native for DigestOf {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let name = stack.bytes(1);
        let found = ALGORITHMS
            .iter()
            .find(|(algorithm, _)| algorithm.as_bytes() == name);
        let Some((_, make)) = found else {
            let names: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
            stack.push_nil();
            stack.push_string(names.join(", "));
            return 2;
        };
        let key = match stack.slot(2) {
            Slot::String(key) => Some(key),
            _ => None,
        };
        let digest = make(key, stack.bytes(3));
        stack.push_string(digest);
        1
    }
}

fn made<D: Digest + BlockSizeUser>(key: Option<&[u8]>, bytes: &[u8]) -> Vec<u8> {
    match key {
        None => D::digest(bytes).to_vec(),
        Some(key) => {
            let mut mac = SimpleHmac::<D>::new_from_slice(key).expect("a key of any length");
            mac.update(bytes);
            mac.finalize().into_bytes().to_vec()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 2202 and RFC 4231, and digests of the empty text.
    #[test]
    fn digests_are_those_of_the_standards() {
        let hex = |name: &str, key: Option<&str>, text: &str| {
            let (_, make) = ALGORITHMS
                .iter()
                .find(|(algorithm, _)| *algorithm == name)
                .expect("it is there");
            let bytes = make(key.map(str::as_bytes), text.as_bytes());
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let question = "what do ya want for nothing?";
        assert_eq!(
            hex("md5", Some("Jefe"), question),
            "750c783e6ab0b503eaa86e310a5db738"
        );
        assert_eq!(
            hex("sha1", Some("Jefe"), question),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            hex("sha256", Some("Jefe"), question),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(hex("md5", None, ""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(
            hex("sha1", None, ""),
            "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        );
        assert_eq!(
            hex("sha3-256", None, ""),
            "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"
        );
    }
}
