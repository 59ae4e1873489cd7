//! `kael.crypto.jwt_sign` and `kael.crypto.jwt_verify`: JSON web tokens. They are actions of the host
//! because a key may be a secret, which no script sees.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::errors::ErrorKind as JwtError;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use kael_engine::failure::{ActionError, ErrorKind};

use crate::refusal::{invalid, params};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    claims: Map<String, Value>,
    key: Option<String>,
    secret: Option<String>,
    algorithm: Option<String>,
    kid: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verify {
    token: String,
    key: Option<Value>,
    secret: Option<String>,
    algorithm: Option<String>,
    audience: Option<Texts>,
    issuer: Option<Texts>,
    leeway: Option<u64>,
    validate_exp: Option<bool>,
    validate_nbf: Option<bool>,
    required_claims: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Texts {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        }
    }
}

/// Does what an action is for.
pub(crate) fn run(action: &str, text: &str) -> Result<Vec<u8>, ActionError> {
    let answer = match action {
        "jwt_sign" => sign(params(text)?)?,
        _ => verify(params(text)?)?,
    };
    Ok(answer.to_string().into_bytes())
}

fn sign(asked: Sign) -> Result<Value, ActionError> {
    let algorithm = named(asked.algorithm.as_deref().unwrap_or("RS256"))?;
    let key = one_of(asked.key, asked.secret)?;
    let key = encoding(algorithm, key.as_bytes())?;
    let mut header = Header::new(algorithm);
    header.kid = asked.kid;
    let token = jsonwebtoken::encode(&header, &asked.claims, &key);
    let token = token.map_err(|error| invalid(format!("the token cannot be signed: {error}")))?;
    Ok(Value::from(token))
}

fn verify(asked: Verify) -> Result<Value, ActionError> {
    let header = jsonwebtoken::decode_header(&asked.token)
        .map_err(|error| refused(format!("it is no token: {error}")))?;
    let key = match asked.key {
        Some(Value::String(text)) => {
            let text = one_of(Some(text), asked.secret)?;
            match keys_in(&text) {
                Some(keys) => Given::Key(Box::new(key_of(keys, header.kid.as_deref())?)),
                None => Given::Text(text),
            }
        }
        Some(keys) => {
            if asked.secret.is_some() {
                return Err(invalid("either `key` or `secret` is given"));
            }
            Given::Key(Box::new(key_of(keys, header.kid.as_deref())?))
        }
        None => Given::Text(one_of(None, asked.secret)?),
    };
    // The token says which algorithm it was signed by, and the key which ones are its own: a public
    // key is never taken for a shared one.
    let algorithm = header.alg;
    if let Some(wanted) = &asked.algorithm
        && named(wanted)? != algorithm
    {
        return Err(refused(format!("it is signed with {algorithm:?}")));
    }
    let key = key.decoding(algorithm)?;
    let mut rules = Validation::new(algorithm);
    rules.leeway = asked.leeway.unwrap_or(0);
    rules.validate_exp = asked.validate_exp.unwrap_or(true);
    rules.validate_nbf = asked.validate_nbf.unwrap_or(false);
    rules.required_spec_claims = match asked.required_claims {
        Some(names) => names.into_iter().collect(),
        None if rules.validate_exp => HashSet::from(["exp".to_owned()]),
        None => HashSet::new(),
    };
    rules.validate_aud = asked.audience.is_some();
    rules.aud = asked.audience.map(|audience| set(audience.list()));
    rules.iss = asked.issuer.map(|issuer| set(issuer.list()));
    let checked = jsonwebtoken::decode::<Map<String, Value>>(&asked.token, &key, &rules);
    let checked = checked.map_err(|error| refused(why(error.kind())))?;
    let header = serde_json::to_value(&header).unwrap_or_default();
    Ok(json!({ "header": header, "claims": checked.claims }))
}

fn set(texts: Vec<String>) -> HashSet<String> {
    texts.into_iter().collect()
}

/// What a token is checked with.
enum Given {
    Text(String),
    Key(Box<Jwk>),
}

impl Given {
    fn decoding(&self, algorithm: Algorithm) -> Result<DecodingKey, ActionError> {
        let key = match self {
            Self::Key(key) => DecodingKey::from_jwk(key),
            Self::Text(text) => {
                let bytes = text.as_bytes();
                match algorithm {
                    Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 if is_public(text) => {
                        return Err(refused(format!(
                            "it is signed with {algorithm:?}, which takes a shared key, and this one is public"
                        )));
                    }
                    Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                        Ok(DecodingKey::from_secret(bytes))
                    }
                    Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_pem(bytes),
                    Algorithm::EdDSA => DecodingKey::from_ed_pem(bytes),
                    _ => DecodingKey::from_rsa_pem(bytes),
                }
            }
        };
        key.map_err(|error| invalid(format!("the key is none for {algorithm:?}: {error}")))
    }
}

/// The key or the set of keys that a text is, as a server sends them.
fn keys_in(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    let is_key = value.get("keys").is_some() || value.get("kty").is_some();
    is_key.then_some(value)
}

/// Whether a text is a public key in any of its common forms, and so no shared one: PEM, the line of
/// an SSH key, or the base64 of DER.
fn is_public(text: &str) -> bool {
    let line = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let is_ssh = ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|word| line.starts_with(word));
    text.contains("-----BEGIN ") || is_ssh || is_der(line)
}

/// Whether a text is the base64 of one DER sequence.
fn is_der(text: &str) -> bool {
    let packed: String = text.split_whitespace().collect();
    let Ok(bytes) = STANDARD.decode(packed) else {
        return false;
    };
    let rest = |at: usize| bytes.len().checked_sub(at);
    match bytes.as_slice() {
        [0x30, 0x82, high, low, ..] => {
            rest(4) == Some(usize::from(u16::from_be_bytes([*high, *low])))
        }
        [0x30, 0x81, length, ..] => rest(3) == Some(usize::from(*length)),
        [0x30, length, ..] if *length < 0x80 => rest(2) == Some(usize::from(*length)),
        _ => false,
    }
}

/// A key of a set by the name in a token's header; a single key stands for itself.
fn key_of(keys: Value, kid: Option<&str>) -> Result<Jwk, ActionError> {
    let unreadable = |error: serde_json::Error| invalid(format!("`key` is no JWK: {error}"));
    if keys.get("keys").is_none() {
        return serde_json::from_value(keys).map_err(unreadable);
    }
    let set: JwkSet = serde_json::from_value(keys).map_err(unreadable)?;
    let found = match kid {
        Some(kid) => set.find(kid).cloned(),
        None if set.keys.len() == 1 => set.keys.into_iter().next(),
        None => {
            return Err(refused(
                "it names no key, and the set has several".to_owned(),
            ));
        }
    };
    let kid = kid.unwrap_or_default().escape_debug().to_string();
    found.ok_or_else(|| refused(format!("its key `{kid}` is not in the set")))
}

fn one_of(key: Option<String>, secret: Option<String>) -> Result<String, ActionError> {
    match (key, secret) {
        (Some(key), None) | (None, Some(key)) if key.is_empty() => Err(invalid("the key is empty")),
        (Some(key), None) | (None, Some(key)) => Ok(key),
        _ => Err(invalid("either `key` or `secret` is given")),
    }
}

fn named(name: &str) -> Result<Algorithm, ActionError> {
    name.parse().map_err(|_| {
        let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
        invalid(format!(
            "no algorithm `{shown}`: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA"
        ))
    })
}

fn encoding(algorithm: Algorithm, key: &[u8]) -> Result<EncodingKey, ActionError> {
    let made = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Ok(EncodingKey::from_secret(key)),
        Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(key),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(key),
        _ => EncodingKey::from_rsa_pem(key),
    };
    made.map_err(|_| {
        invalid(format!(
            "the key is no private key in PEM for {algorithm:?}"
        ))
    })
}

/// Why a token does not pass.
fn why(kind: &JwtError) -> String {
    match kind {
        JwtError::InvalidSignature => "its signature is not of this key".to_owned(),
        JwtError::ExpiredSignature => "it has expired".to_owned(),
        JwtError::ImmatureSignature => "it is not valid yet".to_owned(),
        JwtError::InvalidIssuer => "its issuer is another".to_owned(),
        JwtError::InvalidAudience => "its audience is another".to_owned(),
        JwtError::MissingRequiredClaim(name) => format!("it has no claim `{name}`"),
        JwtError::InvalidAlgorithm => "its algorithm is not of this key".to_owned(),
        _ => "it is no whole token".to_owned(),
    }
}

fn refused(why: String) -> ActionError {
    ActionError::new(ErrorKind::Failed, format!("the token does not pass: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a shared key of some length";

    fn signed(claims: Value, algorithm: &str) -> String {
        let asked = json!({ "claims": claims, "key": KEY, "algorithm": algorithm, "kid": "k" });
        let token = run("jwt_sign", &asked.to_string()).expect("a token");
        serde_json::from_slice(&token).expect("a text")
    }

    fn checked(asked: Value) -> Result<Value, String> {
        let answer = run("jwt_verify", &asked.to_string()).map_err(|error| error.message)?;
        Ok(serde_json::from_slice(&answer).expect("JSON"))
    }

    #[test]
    fn a_token_passes_with_its_key_and_its_claims() {
        let token = signed(
            json!({ "exp": 4_000_000_000_u64, "iss": "me", "aud": "you" }),
            "HS384",
        );
        let ask = |more: Value| {
            let mut asked = json!({ "token": token, "key": KEY });
            for (name, value) in more.as_object().expect("a table") {
                asked[name] = value.clone();
            }
            checked(asked)
        };
        let passed = ask(json!({ "issuer": "me", "audience": ["x", "you"] })).expect("passes");
        assert_eq!(passed["header"]["kid"], "k");
        assert_eq!(passed["claims"]["iss"], "me");
        let fails = "the token does not pass: ";
        for (more, error) in [
            (
                json!({ "key": "another key" }),
                "its signature is not of this key",
            ),
            (json!({ "issuer": "other" }), "its issuer is another"),
            (json!({ "audience": "other" }), "its audience is another"),
            (json!({ "algorithm": "HS256" }), "it is signed with HS384"),
            (
                json!({ "required_claims": ["sub"] }),
                "it has no claim `sub`",
            ),
            (
                json!({ "key": "-----BEGIN PUBLIC KEY-----" }),
                "it is signed with HS384, which takes a shared key, and this one is public",
            ),
            (json!({ "token": "a.b.c" }), "it is no token: "),
        ] {
            let refused = ask(more).expect_err(error);
            assert!(refused.starts_with(&format!("{fails}{error}")), "{refused}");
        }
        let old = signed(json!({ "exp": 1 }), "HS256");
        let old = |exp: bool| checked(json!({ "token": old, "key": KEY, "validate_exp": exp }));
        assert_eq!(old(true), Err(format!("{fails}it has expired")));
        assert!(old(false).is_ok());
    }

    #[test]
    fn no_public_key_is_taken_for_a_shared_one() {
        let pem = include_str!("../../../tests/fixtures/jwt/rsa.pub.pem");
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let set = include_str!("../../../tests/fixtures/jwt/jwks.json");
        for key in [
            pem,
            &format!("\u{feff}{pem}"),
            &format!("Bag Attributes\n    friendlyName: x\n{pem}"),
            &der,
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ me@here",
            set,
        ] {
            let forged = json!({ "claims": { "sub": "admin" }, "key": key, "algorithm": "HS256" });
            let token = run("jwt_sign", &forged.to_string()).expect("anybody can sign so");
            let token: String = serde_json::from_slice(&token).expect("a text");
            let asked = json!({ "token": token, "key": key, "validate_exp": false });
            assert!(checked(asked).is_err(), "{key}");
        }
        assert!(!is_public("a shared key of some length") && !is_public("MIIx"));
    }

    #[test]
    fn a_token_without_a_signature_never_passes() {
        // {"alg":"none"}.{"exp":4000000000}.
        let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjQwMDAwMDAwMDB9.";
        assert!(checked(json!({ "token": token, "key": KEY })).is_err());
        assert!(checked(json!({ "token": token, "key": "" })).is_err());
    }

    #[test]
    fn keys_are_given_once_and_fit_their_algorithm() {
        let sign =
            |asked: Value| run("jwt_sign", &asked.to_string()).map_err(|error| error.message);
        for (asked, error) in [
            (json!({ "claims": {} }), "either `key` or `secret` is given"),
            (
                json!({ "claims": {}, "key": "a", "secret": "b" }),
                "either `key` or `secret` is given",
            ),
            (
                json!({ "claims": {}, "key": "a" }),
                "the key is no private key in PEM for RS256",
            ),
            (
                json!({ "claims": {}, "key": "a", "algorithm": "none" }),
                "no algorithm `none`: ",
            ),
        ] {
            let refused = sign(asked).expect_err(error);
            assert!(refused.starts_with(error), "{refused}");
        }
        let set = json!({ "keys": [] });
        let token = signed(json!({}), "HS256");
        let refused = checked(json!({ "token": token, "key": set })).expect_err("no key");
        assert_eq!(
            refused,
            "the token does not pass: its key `k` is not in the set"
        );
    }
}
