//! Names that someone who mistyped one may have meant.

/// Names near `name`, the nearest first, at most three; one alone that differs only in its dashes.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = name.to_lowercase().replace('_', "-");
    let limit = 1 + wanted.chars().count() / 3;
    let mut near: Vec<_> = known
        .map(|candidate| (distance(&wanted, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit || candidate.contains(&wanted))
        .collect();
    near.sort();
    near.dedup(); // lists may share a name
    if near.first().is_some_and(|(distance, _)| *distance == 0) {
        near.truncate(1);
    }
    near.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// What to say of the names that were found.
pub(super) fn hint(nearest: &[&str], before: &str, after: &str) -> String {
    if nearest.is_empty() {
        return "`secateur COMMAND --help` lists the options; a key is an option without its \
                dashes"
            .into();
    }
    let quoted: Vec<_> = nearest.iter().map(|name| format!("`{before}{name}{after}`")).collect();
    format!("did you mean {}?", quoted.join(" or "))
}

/// Insertions, deletions and replacements that lead from `a` to `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (a, b, expected) in [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn near_names_are_found_and_far_ones_not() {
        let known = || ["sparsity", "samples", "top-k", "top-p", "repetition-penalty"].into_iter();
        assert_eq!(nearest("sparsty", known()), ["sparsity"]);
        assert_eq!(nearest("top_k", known()), ["top-k"]);
        assert_eq!(nearest("penalty", known()), ["repetition-penalty"]);
        assert!(nearest("wibble", known()).is_empty());
    }
}
