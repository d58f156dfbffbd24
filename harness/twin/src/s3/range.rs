//! `Range` of a GET: one range of bytes. Several ranges, or what is no range, are ignored as S3 does.

use std::ops::Range;

use crate::error::AwsError;

/// The bytes asked for of `length`; `None` is all of them.
pub(super) fn parse(header: Option<&str>, length: u64) -> Result<Option<Range<u64>>, AwsError> {
    let Some((from, to)) = header.and_then(|h| h.strip_prefix("bytes=")).and_then(|r| r.split_once('-'))
    else {
        return Ok(None);
    };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(length),
        (Ok(from), Err(_)) if to.is_empty() => from..length,
        (Err(_), Ok(last)) if from.is_empty() => length.saturating_sub(last)..length,
        _ => return Ok(None),
    };
    if range.is_empty() {
        return Err(AwsError::new(416, "InvalidRange", "The requested range is not satisfiable")
            .with("RangeRequested", header.unwrap_or_default())
            .with("ActualObjectSize", length.to_string()));
    }
    Ok(Some(range))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// For all headers, a range that is answered lies in the object and is not empty.
        #[test]
        fn a_range_lies_in_the_object(header in "bytes=[0-9]{0,3}-[0-9]{0,3}", length in 0u64..500) {
            if let Ok(Some(range)) = parse(Some(&header), length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }

    #[test]
    fn ranges_are_read_as_http_has_them() {
        let ranges = [("bytes=0-4", 0..5), ("bytes=5-", 5..10), ("bytes=-3", 7..10), ("bytes=8-99", 8..10)];
        for (header, range) in ranges {
            assert_eq!(parse(Some(header), 10).unwrap(), Some(range), "{header}");
        }
        for header in ["bytes=0-1,3-4", "bytes=4-2", "items=0-1", "bytes=-", "bytes=x-y"] {
            assert_eq!(parse(Some(header), 10).unwrap(), None, "{header}");
        }
        for header in ["bytes=10-", "bytes=-0", "bytes=99-100"] {
            assert_eq!(parse(Some(header), 10).unwrap_err().code, "InvalidRange", "{header}");
        }
        assert_eq!(parse(None, 10).unwrap(), None);
    }
}
