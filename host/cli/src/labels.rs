//! Labels of a command line: what runs are found by.

use std::collections::BTreeMap;

/// Labels that a run may have, and bytes of all of them.
const MAX: usize = 64;
const MAX_BYTES: usize = 8 << 10;

/// The labels that these words are, each `KEY=VALUE`.
pub(super) fn labels(words: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut labels = BTreeMap::new();
    for word in words {
        let (key, value) = word
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| format!("--label `{word}` must be KEY=VALUE"))?;
        labels.insert(key.to_owned(), value.to_owned());
    }
    let bytes = labels.iter().map(|(key, value)| key.len() + value.len());
    if labels.len() > MAX || bytes.sum::<usize>() > MAX_BYTES {
        return Err(format!(
            "a run has at most {MAX} labels, of {MAX_BYTES} bytes together"
        ));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_a_key_and_there_are_not_too_many() {
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            labels(&words)
        };
        let two = of(&["a=1", "b=x=y"]).expect("labels");
        assert_eq!((&*two["a"], &*two["b"]), ("1", "x=y"));
        for bad in ["a", "=1", ""] {
            assert!(of(&[bad]).is_err(), "{bad}");
        }
        let many: Vec<String> = (0..65).map(|n| format!("k{n}=1")).collect();
        assert!(labels(&many).is_err());
        assert!(labels(&[format!("k={}", "x".repeat(MAX_BYTES))]).is_err());
    }
}
