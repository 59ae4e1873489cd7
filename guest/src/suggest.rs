//! Suggests the name that a mistyped one was probably meant to be.

/// The candidate most similar to `name`, if it is close enough to be a typo.
pub(crate) fn nearest<'a>(name: &str, candidates: &'a [String]) -> Option<&'a str> {
    let close = |candidate: &&String| candidate.len().abs_diff(name.len()) <= 3;
    let scored = candidates
        .iter()
        .filter(close)
        .map(|candidate| (distance(name, candidate), candidate));
    let (edits, best) = scored.min_by_key(|(edits, _)| *edits)?;
    (edits <= 1 + name.len() / 6).then_some(best)
}

/// Optimal string alignment distance: insertions, deletions, substitutions, and swaps of
/// neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitute = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitute.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_recognised_and_a_stranger_is_not() {
        let names = ["prometheus.query".to_owned(), "text.wordcount".to_owned()];
        assert_eq!(
            nearest("prometheus.qurey", &names),
            Some("prometheus.query")
        );
        assert_eq!(nearest("text.wordcuont", &names), Some("text.wordcount"));
        assert_eq!(nearest("deploy.scale", &names), None);
    }
}
