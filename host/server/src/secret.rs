//! Random texts that stand for a caller: tokens, sessions and one-time links. The store has only
//! their SHA-256: they have 256 random bits, so nothing slower is needed.

use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

/// What a token begins with, so that people and scanners recognise it.
pub(crate) const TOKEN: &str = "kael_";

/// A new random text: `prefix`, then 43 letters, digits, `-` and `_`.
///
/// # Errors
/// When the system has no random numbers.
pub(crate) fn new(prefix: &str) -> std::io::Result<String> {
    use base64::Engine as _;
    let bytes = random::<32>()?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    Ok(format!("{prefix}{text}"))
}

/// Random bytes from the system.
///
/// # Errors
/// When the system has none.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| std::io::Error::other("the system has no random numbers"))?;
    Ok(bytes)
}

/// What the store has of a text.
#[must_use]
pub(crate) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Whether two texts are the same. How long that takes tells nothing of them: their hashes are compared.
pub(crate) fn same(one: &str, other: &str) -> bool {
    hash(one) == hash(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_new_and_can_stand_in_an_address() {
        let (one, other) = (new(TOKEN).expect("a text"), new(TOKEN).expect("a text"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 5 + 43);
        assert!(
            one.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_ne!(hash(&one), hash(&other));
        assert!(same(&one, &one.clone()) && !same(&one, &other) && !same(&one, ""));
    }
}
