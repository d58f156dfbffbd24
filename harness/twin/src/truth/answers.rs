//! What each name was answered last, and what it would be answered now.

use std::collections::BTreeMap;

/// Names that are watched; those that are asked for after that are not.
const NAMES_MAX: usize = 1_000;

#[derive(Debug)]
struct Seen {
    given: String,
    due: String,
}

/// The names that were asked for.
#[derive(Debug, Default)]
pub(super) struct Answers {
    by_name: BTreeMap<String, Seen>,
}

impl Answers {
    /// Notes an answer that is given; says what it was the time before, if it is another now.
    pub(super) fn give(&mut self, name: &str, answer: &str) -> Option<String> {
        if let Some(seen) = self.by_name.get_mut(name) {
            if seen.given == answer {
                return None;
            }
            return Some(std::mem::replace(&mut seen.given, answer.to_owned()));
        }
        if self.by_name.len() >= NAMES_MAX {
            return None;
        }
        self.by_name.insert(name.to_owned(), Seen { given: answer.to_owned(), due: answer.to_owned() });
        Some(String::new())
    }

    /// The names that would be answered with something else than when this was asked last: name, then and now.
    pub(super) fn review(&mut self, answer: impl Fn(&str) -> String) -> Vec<(String, String, String)> {
        let mut changed = Vec::new();
        for (name, seen) in &mut self.by_name {
            let now = answer(name);
            if now != seen.due {
                let before = std::mem::replace(&mut seen.due, now.clone());
                changed.push((name.clone(), before, now));
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_when_it_changes_and_due_before_it_is_given() {
        let mut answers = Answers::default();
        assert_eq!(answers.give("n", "1"), Some(String::new()));
        assert_eq!(answers.give("n", "1"), None);
        let two = |_: &str| "2".to_owned();
        assert_eq!(answers.review(two), [("n".to_owned(), "1".to_owned(), "2".to_owned())]);
        assert_eq!(answers.review(two), []);
        assert_eq!(answers.give("n", "2"), Some("1".to_owned()));
    }
}
