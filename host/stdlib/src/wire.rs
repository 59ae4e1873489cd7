//! Bytes as the gate carries them, which carries text: a character up to U+00FF for each.

/// The characters for bytes.
pub(crate) fn chars(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The bytes for characters; none where one stands for no byte.
pub(crate) fn bytes(chars: &str) -> Option<Vec<u8>> {
    chars
        .chars()
        .map(|byte| u8::try_from(u32::from(byte)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_crosses() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes(&chars(&all)), Some(all));
        assert_eq!(bytes("\u{100}"), None);
    }
}
