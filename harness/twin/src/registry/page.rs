//! Paging as IoT's list calls do it: an opaque token, and a page size that AWS caps at 250.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::error::AwsError;

use super::invalid;

/// AWS's largest page.
const PAGE_SIZE_MAX: usize = 250;
/// AWS's page when none is asked for.
const PAGE_SIZE_DEFAULT: usize = 25;

/// The page behind `token`, and the token of the next one. `key` names an item; items come sorted by it.
pub(crate) fn page<T>(
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> &str,
    token: Option<&str>,
    size: Option<&str>,
) -> Result<(Vec<T>, Option<String>), AwsError> {
    let size = match size {
        Some(text) => text.parse::<usize>().map_err(|_| invalid("page size is not a number"))?,
        None => PAGE_SIZE_DEFAULT,
    };
    let size = size.clamp(1, PAGE_SIZE_MAX);
    let after = token.map(decode).transpose()?;
    let mut page = Vec::new();
    for item in items {
        if after.as_deref().is_some_and(|after| key(&item) <= after) {
            continue;
        }
        if page.len() == size {
            let next = page.last().map(|last| URL_SAFE_NO_PAD.encode(key(last)));
            return Ok((page, next));
        }
        page.push(item);
    }
    Ok((page, None))
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
    use super::*;

    #[test]
    fn pages_join_to_the_whole() {
        let all: Vec<String> = (0..57).map(|n| format!("t{n:03}")).collect();
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let (items, next) =
                page(all.iter().cloned(), |s| s.as_str(), token.as_deref(), Some("10")).unwrap();
            assert!(items.len() <= 10);
            seen.extend(items);
            match next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_forged_token_is_refused() {
        assert!(page(["a"].iter(), |s| s, Some("%%"), None).is_err());
    }
}
