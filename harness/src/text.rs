//! Text of others, on its way to a terminal.

/// Without what a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_but_text() {
        assert_eq!(plain("paged\u{1b}[2J the\non-call"), "paged\u{fffd}[2J the\u{fffd}on-call");
    }
}
