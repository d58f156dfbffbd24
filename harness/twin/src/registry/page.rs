//! Paging as IoT's list calls do it: an opaque token that names the last item of the page before, and a page size that
//! AWS caps at 250.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::error::AwsError;

use super::invalid;

/// AWS's largest page.
const PAGE_SIZE_MAX: usize = 250;
/// The page when none is asked for.
const PAGE_SIZE_DEFAULT: usize = 25;

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Paging {
    after: Option<String>,
    size: usize,
}

impl Paging {
    pub(crate) fn parse(token: Option<&str>, size: Option<&str>) -> Result<Self, AwsError> {
        Self::sized(token, size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    }

    /// Paging of a list that has another page size when none is asked for, and another largest one.
    pub(crate) fn sized(
        token: Option<&str>,
        size: Option<&str>,
        default: usize,
        max: usize,
    ) -> Result<Self, AwsError> {
        let size = match size {
            Some(text) => text.parse::<usize>().map_err(|_| invalid("page size is not a number"))?,
            None => default,
        };
        if !(1..=max).contains(&size) {
            return Err(invalid(format!(
                "1 validation error detected: Value '{size}' of the page size failed to satisfy constraint: Member \
                 must have value between 1 and {max}"
            )));
        }
        Self::new(token, size)
    }

    pub(super) fn new(token: Option<&str>, size: usize) -> Result<Self, AwsError> {
        Ok(Self { after: token.map(decode).transpose()?, size })
    }

    /// The page begins behind this key.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The page of `items`, and the token of the next one. `key` names an item; items come sorted by it, and those up to
    /// [`Paging::after`] may be left out.
    pub(crate) fn take<T>(
        &self,
        items: impl Iterator<Item = T>,
        key: impl Fn(&T) -> &str,
    ) -> (Vec<T>, Option<String>) {
        let mut page = Vec::new();
        for item in items {
            if self.after().is_some_and(|after| key(&item) <= after) {
                continue;
            }
            if page.len() == self.size {
                let next = page.last().map(|last| URL_SAFE_NO_PAD.encode(key(last)));
                return (page, next);
            }
            page.push(item);
        }
        (page, None)
    }
}

fn decode(token: &str) -> Result<String, AwsError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| invalid("Invalid token"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// For all lists and page sizes, the pages joined are the list, and none is larger than asked.
        #[test]
        fn pages_join_to_the_whole(all in proptest::collection::btree_set("[a-c]{1,4}", 0..40), size in 1usize..9) {
            let mut seen = Vec::new();
            let mut token = None;
            loop {
                let paging = Paging::parse(token.as_deref(), Some(&size.to_string())).unwrap();
                let (items, next) = paging.take(all.iter().cloned(), |s| s.as_str());
                prop_assert!(items.len() <= size);
                seen.extend(items);
                match next {
                    Some(next) => token = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), all.clone());
            prop_assert_eq!(seen.len(), all.len());
        }
    }

    #[test]
    fn page_sizes_are_bounded() {
        for size in ["0", "251", "-1", "x"] {
            assert_eq!(
                Paging::parse(None, Some(size)).unwrap_err().code,
                "InvalidRequestException",
                "{size}"
            );
        }
        assert!(Paging::parse(None, Some("250")).is_ok() && Paging::parse(None, None).is_ok());
    }

    #[test]
    fn a_forged_token_is_refused() {
        assert!(Paging::parse(Some("%%"), None).is_err());
    }
}
