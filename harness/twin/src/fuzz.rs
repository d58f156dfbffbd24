//! Fuzz targets, and what they share. A target is a test: `cargo test` gives it random inputs within [`INPUTS_MAX`] and
//! [`TIME_MAX`], `cargo bolero test` gives it inputs by coverage for as long as one likes (README, "Fuzzing").
//!
//! Random bytes would never get past the first check of a parser. So what a fuzzer makes up is not the input but a
//! *script*: which of the target's realistic seeds to take and how to change it. The empty script is the first seed.
//! Targets that reach into private parts stand beside them, as `fuzz` modules of their own.

mod deploy;
mod http;
mod policy;
mod query;
mod shadow;
mod site;
mod sql;
mod storage;

use std::time::Duration;

/// Inputs of one target in one `cargo test`, and the time that it may take: whichever comes first.
pub(crate) const INPUTS_MAX: usize = 2_000;
pub(crate) const TIME_MAX: Duration = Duration::from_millis(150);
/// Bytes of a script: about eight edits, so that most inputs are still much like their seed.
pub(crate) const SCRIPT_BYTES_MAX: usize = 40;
/// An input is cut to this.
const INPUT_BYTES_MAX: usize = 16 * 1024;
/// A part is repeated so often at the most.
const REPEATS_MAX: usize = 64;

/// What breaks parsers of any language here. Targets name their own besides.
const TOKENS: [&str; 26] = [
    "0",
    "-1",
    "1e999",
    "0.1",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "é",
    "𝄞",
    "(",
    ")",
    "[",
    "{",
    "*",
    "%00",
];

/// Checks a target with many scripts (`&[u8]`). A macro, since the target is named after the function that it stands in.
macro_rules! scripts {
    ($check:expr) => {{
        let check = std::panic::AssertUnwindSafe($check);
        bolero::check!()
            .with_iterations($crate::fuzz::INPUTS_MAX)
            .with_test_time($crate::fuzz::TIME_MAX)
            .with_max_len($crate::fuzz::SCRIPT_BYTES_MAX)
            .for_each(|script: &[u8]| {
                let check = &check;
                check(script);
            });
    }};
}
/// Checks a target with many inputs: seeds, its own tokens, and what must hold of each input (`&[u8]`).
macro_rules! fuzz {
    ($seeds:expr, $tokens:expr, $check:expr) => {{
        let seeds: Vec<&[u8]> = $seeds.iter().map(|seed| seed.as_ref()).collect();
        let check = $check;
        $crate::fuzz::scripts!(|script: &[u8]| {
            let input = $crate::fuzz::Shown($crate::fuzz::mutated(&seeds, &$tokens, script));
            check(&input.0);
        });
    }};
}
pub(crate) use {fuzz, scripts};

/// An input that is printed when a check of it panics: the fuzzer knows its script only.
pub(crate) struct Shown(pub(crate) Vec<u8>);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "a failed test says why")]
            {
                eprintln!("the input was: {}", self.0.escape_ascii());
            }
        }
    }
}

/// The seed that a script names, changed as it says.
pub(crate) fn mutated(seeds: &[&[u8]], tokens: &[&str], script: &[u8]) -> Vec<u8> {
    let mut script = Script(script.iter());
    let mut text = seeds[script.below(seeds.len())].to_vec();
    while let Some(edit) = script.next() {
        let at = script.place(text.len() + 1);
        let end = (at + script.below(24)).min(text.len());
        match edit % 9 {
            0 if at < text.len() => text[at] = script.next().unwrap_or_default(),
            1 => text.insert(at, script.next().unwrap_or_default()),
            2 => drop(text.drain(at..end)),
            3 => text.truncate(at),
            // A part again and again, where it stands: what nests and what is listed.
            4 => {
                let part = text[at..end].repeat(script.below(REPEATS_MAX));
                text.splice(at..at, part);
            }
            // A part somewhere else.
            5 => {
                let part = text[at..end].to_vec();
                let to = script.place(text.len() + 1);
                text.splice(to..to, part);
            }
            // The rest from another seed.
            6 => {
                let other = seeds[script.below(seeds.len())];
                let from = script.place(other.len() + 1);
                text.truncate(at);
                text.extend_from_slice(&other[from..]);
            }
            // A token, in place of a part or before it.
            n => {
                let token = script.below(tokens.len() + TOKENS.len());
                let token = tokens.get(token).unwrap_or_else(|| &TOKENS[token - tokens.len()]);
                let end = if n == 7 { end } else { at };
                text.splice(at..end, token.bytes());
            }
        }
        text.truncate(INPUT_BYTES_MAX);
    }
    text
}

/// What is left of a script; zeros behind its end.
pub(crate) struct Script<'a>(std::slice::Iter<'a, u8>);

impl<'a> Script<'a> {
    pub(crate) fn new(script: &'a [u8]) -> Self {
        Self(script.iter())
    }

    fn next(&mut self) -> Option<u8> {
        self.0.next().copied()
    }

    /// A small number.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.next().unwrap_or_default()) % limit.max(1)
    }

    /// A place in a text.
    fn place(&mut self, limit: usize) -> usize {
        (usize::from(self.next().unwrap_or_default()) << 8 | usize::from(self.next().unwrap_or_default()))
            % limit.max(1)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_changes_a_seed() {
        let seeds: [&[u8]; 2] = [b"first", b"second"];
        let changed = |script: &[u8]| String::from_utf8(mutated(&seeds, &["TOKEN"], script)).unwrap();
        assert_eq!(changed(&[]), "first");
        assert_eq!(changed(&[1]), "second");
        assert_eq!(changed(&[0, 2, 0, 1, 3]), "ft");
        assert_eq!(changed(&[0, 4, 0, 4, 1, 3]), "firstttt");
        assert_eq!(changed(&[0, 6, 0, 2, 0, 1, 0, 3]), "fiond");
        assert_eq!(changed(&[0, 8, 0, 5, 0, 0]), "firstTOKEN");
    }
}
