//! What a list of objects shows: keys behind a point, in order, with those below a delimiter rolled up to one prefix.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use super::object::Object;

/// AWS's largest page, and the one when none is asked for.
pub(super) const KEYS_MAX: usize = 1_000;

/// Which objects are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: &'a str,
    /// Keys and prefixes up to this one are left out.
    pub(super) after: &'a str,
    pub(super) max: usize,
}

/// One page.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page<'a> {
    pub(super) keys: Vec<&'a str>,
    pub(super) prefixes: Vec<&'a str>,
    /// The last key or prefix of this page, if there is another page.
    pub(super) next: Option<&'a str>,
}

impl Listing<'_> {
    pub(super) fn page<'a>(&self, objects: &'a BTreeMap<String, Object>) -> Page<'a> {
        let mut page = Page::default();
        let mut last = "";
        let from = if self.after < self.prefix { self.prefix } else { self.after };
        let keys = objects.range::<str, _>((Excluded(self.after), Unbounded)).map(|(key, _)| key.as_str());
        let keys = keys.skip_while(|key| *key < from).take_while(|key| key.starts_with(self.prefix));
        for key in keys {
            let rolled = self.rolled_up(key);
            // Rolled up already, here or on the page before.
            if rolled.is_some_and(|entry| entry == last || entry <= self.after) {
                continue;
            }
            if page.keys.len() + page.prefixes.len() == self.max {
                page.next = (self.max > 0).then_some(last);
                return page;
            }
            match rolled {
                Some(entry) => page.prefixes.push(entry),
                None => page.keys.push(key),
            }
            last = rolled.unwrap_or(key);
        }
        page
    }

    /// What a key is rolled up to, if the delimiter is in the rest of it.
    fn rolled_up<'a>(&self, key: &'a str) -> Option<&'a str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.get(self.prefix.len()..)?;
        key.get(..self.prefix.len() + rest.find(self.delimiter)? + self.delimiter.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::s3::object::Properties;

    fn objects(keys: &BTreeSet<String>) -> BTreeMap<String, Object> {
        let object = Object::new(Bytes::new(), Properties::default(), Timestamp::UNIX_EPOCH);
        keys.iter().map(|key| (key.clone(), object.clone())).collect()
    }

    proptest! {
        /// For all keys, prefixes, delimiters and page sizes: the pages joined are one large page, each entry once.
        #[test]
        fn pages_join_to_the_whole(
            keys in proptest::collection::btree_set("[ab/]{1,5}", 0..30),
            prefix in "[ab/]{0,2}",
            delimiter in prop_oneof![Just(""), Just("/")],
            max in 1usize..5,
        ) {
            let objects = objects(&keys);
            let all = Listing { prefix: &prefix, delimiter, after: "", max: KEYS_MAX }.page(&objects);
            let (mut seen, mut prefixes, mut after) = (Vec::new(), Vec::new(), String::new());
            loop {
                let page = Listing { prefix: &prefix, delimiter, after: &after, max }.page(&objects);
                prop_assert!(page.keys.len() + page.prefixes.len() <= max);
                seen.extend(page.keys);
                prefixes.extend(page.prefixes);
                match page.next {
                    Some(next) => after = next.to_owned(),
                    None => break,
                }
            }
            prop_assert_eq!(&seen, &all.keys);
            prop_assert_eq!(&prefixes, &all.prefixes);
            let hidden = |key: &str| prefixes.iter().any(|p| key.starts_with(p));
            for key in keys.iter().filter(|k| k.starts_with(&prefix)) {
                prop_assert!(seen.contains(&key.as_str()) != hidden(key), "{}", key);
            }
        }
    }

    #[test]
    fn a_delimiter_makes_folders() {
        let keys = ["a/1", "a/2", "b", "c/d/e"].map(str::to_owned).into();
        let objects = objects(&keys);
        let page = Listing { prefix: "", delimiter: "/", after: "", max: 10 }.page(&objects);
        assert_eq!((page.keys, page.prefixes), (vec!["b"], vec!["a/", "c/"]));
        let page = Listing { prefix: "c/", delimiter: "/", after: "", max: 10 }.page(&objects);
        assert_eq!((page.keys, page.prefixes), (vec![], vec!["c/d/"]));
        let none = Listing { prefix: "", delimiter: "", after: "", max: 0 }.page(&objects);
        assert_eq!(none, Page::default());
    }
}
