//! The value of a secret, its name, and where it comes from.

use std::pin::Pin;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes that a value has at least: a shorter one would hide words that are no secrets.
const SHORTEST: usize = 8;
/// Bytes that it may have: what a variable of Linux can hold, less its name.
const LONGEST: usize = 64 << 10;
/// Bytes that a name may have.
const LONGEST_NAME: usize = 100;

/// The value of a secret. It is not shown by any format, and its memory is wiped when the last copy is gone.
#[derive(Clone)]
pub struct SecretValue(Arc<Zeroizing<String>>);

/// Why a text cannot be the value of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadValue {
    /// It would hide words that are no secrets.
    #[error("it has {0} bytes, and a value of less than {SHORTEST} would hide other words, too")]
    Short(usize),
    /// A variable could not hold it.
    #[error("it has more than {} KiB", LONGEST >> 10)]
    Long,
    /// A variable could not hold it.
    #[error("it is not text, or holds a zero byte")]
    NoText,
}

impl SecretValue {
    /// Takes a value.
    ///
    /// # Errors
    /// When it cannot be hidden or handed to a program.
    pub fn new(text: impl Into<Zeroizing<String>>) -> Result<Self, BadValue> {
        let text = text.into();
        match text.len() {
            _ if text.contains('\0') => Err(BadValue::NoText),
            short if short < SHORTEST => Err(BadValue::Short(short)),
            long if long > LONGEST => Err(BadValue::Long),
            _ => Ok(Self(Arc::new(text))),
        }
    }

    /// The same from bytes, without one line ending at their end, which programs and editors put there.
    ///
    /// # Errors
    /// As [`SecretValue::new`].
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Self, BadValue> {
        let text = std::str::from_utf8(&bytes).map_err(|_| BadValue::NoText)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        Self::new(text.strip_suffix('\r').unwrap_or(text).to_owned())
    }

    /// The text, for the program that is to get it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue")
    }
}

/// Whether a text can be the name of a secret: words of letters, digits, `_`, `-` and `.`, joined by slashes.
///
/// # Errors
/// What is wrong, in words that follow the name.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let word = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        !word.is_empty() && word.chars().all(plain) && word.chars().any(|c| c != '.')
    };
    match name.len() {
        0 => Err("is empty"),
        1..=LONGEST_NAME if name.split('/').all(word) => Ok(()),
        1..=LONGEST_NAME => {
            Err("is no name of a secret: words of letters, digits, `_`, `-` and `.`, joined by `/`")
        }
        _ => Err("has more than 100 bytes"),
    }
}

/// Why a secret is not there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SecretError {
    /// One line for a person.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// A future of a value.
pub type Getting<'a> = Pin<Box<dyn Future<Output = Result<SecretValue, SecretError>> + Send + 'a>>;

/// Where values come from.
pub trait SecretSource: Send + Sync {
    /// The value of a secret, as it is now.
    fn get<'a>(&'a self, name: &'a str) -> Getting<'a>;
}
