//! What somebody who made a slip of the pen probably meant.

/// The name that is fewest edits away, if it is near enough to be what was meant.
pub fn nearest(meant: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let near = meant.chars().count() / 3;
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(meant, &name), name))
        .filter(|(edits, _)| *edits <= near.max(2))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_known_and_something_else_is_not() {
        let names = || ["devices", "strategy"].map(str::to_owned);
        assert_eq!(nearest("devcies", names()).as_deref(), Some("devices"));
        assert_eq!(nearest("quotas", names()), None);
        // Two letters that changed places are one slip.
        assert_eq!(nearest("hodl", ["heal", "hold"].map(str::to_owned)).as_deref(), Some("hold"));
    }
}
