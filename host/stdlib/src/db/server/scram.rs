//! Proves to a server of PostgreSQL that the password is known, and has the server prove the same
//! (SCRAM-SHA-256, RFC 5802 and RFC 7677), without channel binding.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom as _;
use ring::{digest, hmac, pbkdf2, rand};

use super::failure::Failure;

/// Rounds that a server may ask for: each is work of this machine.
const MAX_ROUNDS: u32 = 100_000;
/// No channel binding.
const HEADER: &str = "n,,";
const NONSENSE: Failure = Failure::Nonsense("an unreadable step of SCRAM");

/// One exchange.
pub(super) struct Scram {
    nonce: String,
    /// What the server has to sign at the end, and with which key.
    expected: Option<(hmac::Key, String)>,
}

impl Scram {
    pub(super) fn new() -> Result<Self, Failure> {
        let mut bytes = [0; 18];
        let filled = rand::SystemRandom::new().fill(&mut bytes);
        let no_chance =
            |_| Failure::Unavailable("the system gives no random bytes".to_owned(), None);
        filled.map_err(no_chance)?;
        Ok(Self::of_nonce(STANDARD.encode(bytes)))
    }

    fn of_nonce(nonce: String) -> Self {
        Self {
            nonce,
            expected: None,
        }
    }

    /// The first message. The server knows the user already.
    pub(super) fn first(&self) -> String {
        format!("{HEADER}{}", self.bare())
    }

    fn bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// The answer to the server's challenge.
    pub(super) fn answer(&mut self, challenge: &[u8], password: &str) -> Result<String, Failure> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| NONSENSE)?;
        let mut parts = challenge.split(',');
        let mut part = |name: &str| parts.next()?.strip_prefix(name);
        let (Some(nonce), Some(salt), Some(rounds)) = (part("r="), part("s="), part("i=")) else {
            return Err(NONSENSE);
        };
        let salt = STANDARD.decode(salt).map_err(|_| NONSENSE)?;
        let rounds: u32 = rounds.parse().map_err(|_| NONSENSE)?;
        let rounds = NonZeroU32::new(rounds).filter(|rounds| rounds.get() <= MAX_ROUNDS);
        let (Some(rounds), true) = (rounds, nonce.starts_with(&self.nonce)) else {
            return Err(NONSENSE);
        };
        if nonce.len() == self.nonce.len() {
            return Err(NONSENSE);
        }
        let mut salted = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            &salt,
            password.as_bytes(),
            &mut salted,
        );
        let of_salted = |text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &salted), text);
        let own = of_salted(b"Client Key");
        let stored = digest::digest(&digest::SHA256, own.as_ref());
        let unproven = format!("c={},r={nonce}", STANDARD.encode(HEADER));
        let signed = format!("{},{challenge},{unproven}", self.bare());
        let signature = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, stored.as_ref()),
            signed.as_bytes(),
        );
        let proof = own.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = proof.map(|(a, b)| a ^ b).collect();
        let server = of_salted(b"Server Key");
        let key = hmac::Key::new(hmac::HMAC_SHA256, server.as_ref());
        self.expected = Some((key, signed));
        Ok(format!("{unproven},p={}", STANDARD.encode(proof)))
    }

    /// Checks that the server knows the password, too.
    pub(super) fn check(&self, last: &[u8]) -> Result<(), Failure> {
        let proof = last.strip_prefix(b"v=").and_then(|proof| {
            let end = proof.iter().position(|byte| *byte == b',');
            STANDARD.decode(&proof[..end.unwrap_or(proof.len())]).ok()
        });
        let (Some(proof), Some((key, signed))) = (proof, &self.expected) else {
            return Err(NONSENSE);
        };
        hmac::verify(key, signed.as_bytes(), &proof)
            .map_err(|_| Failure::Nonsense("the server does not know the password"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, whose client names its user.
    #[test]
    fn the_exchange_is_that_of_the_standard() {
        let mut scram = Scram::of_nonce("rOprNGfwEbeRWgbNEkqO".to_owned());
        let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let answer = scram.answer(challenge, "pencil").expect("an answer");
        assert!(
            answer.starts_with("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=")
        );
        let wrong = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert!(scram.check(wrong).is_err(), "it was made for another name");
        let (key, signed) = scram.expected.as_ref().expect("a proof");
        let own = format!("v={}", STANDARD.encode(hmac::sign(key, signed.as_bytes())));
        assert_eq!(scram.check(own.as_bytes()), Ok(()));
        assert!(scram.check(b"v=").is_err() && scram.check(b"e=no").is_err());
    }

    #[test]
    fn a_challenge_that_is_none_is_refused() {
        let mut scram = Scram::of_nonce("abc".to_owned());
        for challenge in [
            &b"r=other,s=W22Z,i=4096"[..],
            b"r=abc,s=W22Z,i=4096",
            b"r=abcd,s=W22Z,i=0",
            b"r=abcd,s=W22Z,i=100000000",
            b"r=abcd,s=?,i=4096",
            b"m=x,r=abcd,s=W22Z,i=4096",
            b"\xff",
        ] {
            assert!(scram.answer(challenge, "x").is_err(), "{challenge:?}");
        }
    }
}
