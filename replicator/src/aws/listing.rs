//! Lists: whole ones within a bound, and what is not there.

use aws_sdk_iot::primitives::DateTime;

use crate::outcome::{Class, Failure, Outcome};

/// How many entries of a list that is read as a whole are read: principals of a thing, things of a
/// certificate, targets of a policy. Pages are for the rest.
pub(super) const LISTED_MAX: usize = 10_000;

/// How much of a list of the registry is asked for at once. A walk remembers its place after each page, so
/// the function that has five minutes must be able to work through one.
pub(super) const PAGE_SIZE: i32 = 50;

/// What is not there has an empty list.
pub(super) fn empty_if_absent(listed: Outcome<Vec<String>>) -> Outcome<Vec<String>> {
    Ok(if_there(listed)?.unwrap_or_default())
}

/// What is not there is `None`.
pub(super) fn if_there<T>(described: Outcome<T>) -> Outcome<Option<T>> {
    match described {
        Ok(described) => Ok(Some(described)),
        Err(failure) if failure.class == Class::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A time of the SDK in milliseconds; 0 if there is none.
pub(super) fn millis(time: Option<DateTime>) -> u64 {
    time.and_then(|time| u64::try_from(time.to_millis().ok()?).ok()).unwrap_or_default()
}

/// Refuses to read on.
pub(super) fn within(count: usize, step: &'static str) -> Outcome<()> {
    if count > LISTED_MAX {
        return Err(Failure::permanent(step, format!("more than {LISTED_MAX} entries")));
    }
    Ok(())
}

/// Collects all items of a paginator of the SDK, each through a function.
macro_rules! collect {
    ($step:expr, $pages:expr, $item:expr) => {{
        let mut pages = $pages;
        let mut listed = Vec::new();
        while let Some(item) = pages.next().await {
            let name: Option<String> = $item(item.map_err($crate::aws::errors::failure($step))?);
            listed.extend(name);
            $crate::aws::listing::within(listed.len(), $step)?;
        }
        Ok(listed)
    }};
}
pub(super) use collect;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_has_an_empty_list_and_other_failures_stay() {
        assert_eq!(empty_if_absent(Err(Failure::new(Class::NotFound, "s", "w"))), Ok(vec![]));
        assert_eq!(empty_if_absent(Err(Failure::transient("s", "w"))).unwrap_err().class, Class::Transient);
        assert_eq!(if_there(Ok(1)), Ok(Some(1)));
        assert_eq!(within(LISTED_MAX + 1, "s").unwrap_err().class, Class::Permanent);
    }
}
