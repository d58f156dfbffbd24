//! What somebody who made a slip of the pen probably meant.

/// The name that is fewest edits away, if it is near enough to be what was meant.
pub fn nearest(meant: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let near = meant.chars().count() / 3;
    names
        .into_iter()
        .map(|name| (edits(meant, &name), name))
        .filter(|(edits, _)| *edits <= near.max(2))
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let replace = row.get(j).copied().unwrap_or(0) + usize::from(left != *right);
            let delete = row.get(j + 1).copied().unwrap_or(0) + 1;
            let insert = next.get(j).copied().unwrap_or(0) + 1;
            next.push(replace.min(delete).min(insert));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_known_and_something_else_is_not() {
        let names = || ["devices", "strategy"].map(str::to_owned);
        assert_eq!(nearest("devcies", names()).as_deref(), Some("devices"));
        assert_eq!(nearest("quotas", names()), None);
    }
}
