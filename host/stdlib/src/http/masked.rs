//! Puts masks in place of values in bytes that may come piece by piece: a value may stand in two of them.

/// Masks the pieces of one answer.
pub(super) struct Masked {
    /// Each value with its mask.
    values: Vec<(Vec<u8>, Vec<u8>)>,
    /// The end of what has come, as long as a value could begin in it.
    held: Vec<u8>,
}

impl Masked {
    /// `taken` has each value after its mask.
    pub(super) fn new<'a>(taken: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let values = taken.map(|(mask, value)| (bytes(value), bytes(mask)));
        let mut values: Vec<_> = values.filter(|(value, _)| !value.is_empty()).collect();
        // Of two that begin alike the longer one is masked.
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self {
            values,
            held: Vec::new(),
        }
    }

    /// Whether there is nothing to mask.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What is certain after another piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let longest = self.values.first().map_or(1, |(value, _)| value.len());
        // Behind this no value can begin that is not whole.
        let certain = (self.held.len() + 1).saturating_sub(longest);
        self.until(certain)
    }

    /// What is left at the end.
    pub(super) fn end(&mut self) -> Vec<u8> {
        self.until(self.held.len())
    }

    /// All of some bytes at once.
    pub(super) fn whole(mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = self.push(bytes);
        out.extend(self.end());
        out
    }

    fn until(&mut self, certain: usize) -> Vec<u8> {
        let (mut out, mut at) = (Vec::with_capacity(certain), 0);
        while at < certain {
            let rest = &self.held[at..];
            let values = &mut self.values.iter();
            match values.find(|(value, _)| rest.starts_with(value)) {
                Some((value, mask)) => {
                    out.extend_from_slice(mask);
                    at += value.len();
                }
                None => {
                    out.push(self.held[at]);
                    at += 1;
                }
            }
        }
        self.held.drain(..at);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_masked_however_it_comes() {
        let text = b"a s3cret-one, twice: s3cret-ones3cret-one and s3cret-on, token-2!";
        let expected = "a [one], twice: [one][one] and [short]-on, [two]!";
        let values = [
            ("[none]", ""),
            ("[short]", "s3cret"),
            ("[one]", "s3cret-one"),
            ("[two]", "token-2"),
        ];
        for size in 1..text.len() {
            let mut masked = Masked::new(values.into_iter());
            let mut out = Vec::new();
            for piece in text.chunks(size) {
                out.extend(masked.push(piece));
            }
            out.extend(masked.end());
            assert_eq!(String::from_utf8(out).expect("text"), expected, "{size}");
        }
    }
}
