//! What a function's answer means for the batch it was given: the rules of `ReportBatchItemFailures`, retries and
//! bisecting. Pure.

use serde_json::Value as Json;

/// What a mapping says about failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryRules {
    /// None: until the records expire.
    pub(crate) retries_max: Option<u32>,
    pub(crate) bisect: bool,
    /// Whether the function reports which records failed.
    pub(crate) partial: bool,
}

/// How the batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    /// The function failed, or its answer is not understood.
    Failed,
    /// All before this record is done; this one and what follows is to be retried.
    FailedFrom(usize),
}

/// What to do with the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Advance,
    /// Try again from this record on.
    Retry {
        from: usize,
    },
    /// Try both halves, one after the other, the second one starting at this record.
    Split {
        at: usize,
    },
    /// Give the batch up.
    Discard,
}

/// Reads the function's answer. `sequences` are the batch's sequence numbers in order.
///
/// The lowest sequence number reported is the checkpoint.
pub(crate) fn verdict(sequences: &[String], failed: bool, payload: &[u8], rules: RetryRules) -> Verdict {
    match failures(sequences, failed, payload, rules.partial) {
        None => Verdict::Failed,
        Some(places) => places.into_iter().min().map_or(Verdict::Done, Verdict::FailedFrom),
    }
}

/// The places of the records that the function reports as failed. None: all have.
///
/// No list or an empty one is success. An identifier that is null, empty, misnamed or of no record in the batch, and a
/// member that is not known, fail the whole batch.
pub(crate) fn failures(ids: &[String], failed: bool, payload: &[u8], partial: bool) -> Option<Vec<usize>> {
    if failed {
        return None;
    }
    if !partial || payload.iter().all(u8::is_ascii_whitespace) {
        return Some(Vec::new());
    }
    let members = match serde_json::from_slice(payload) {
        Ok(Json::Null) => return Some(Vec::new()),
        Ok(Json::Object(members)) => members,
        _ => return None,
    };
    if members.keys().any(|name| name != "batchItemFailures") {
        return None;
    }
    let reported = match members.get("batchItemFailures") {
        None | Some(Json::Null) => return Some(Vec::new()),
        Some(Json::Array(reported)) => reported,
        Some(_) => return None,
    };
    let place = |failure: &Json| {
        let identifier = failure.get("itemIdentifier").and_then(Json::as_str)?;
        ids.iter().position(|id| id == identifier)
    };
    reported.iter().map(place).collect()
}

/// What follows from a verdict on a batch of so many records that has failed `failures` times before.
///
/// Splitting does not count as a retry. A checkpoint that has moved starts a batch of its own, which has not failed yet:
/// that is also how a bisect splits at the record that was reported. Where that is the first one, it halves.
pub(crate) fn next(verdict: Verdict, records: usize, failures: u32, rules: RetryRules) -> Next {
    match verdict {
        Verdict::Done => Next::Advance,
        Verdict::FailedFrom(from) if from > 0 => Next::Retry { from },
        Verdict::Failed | Verdict::FailedFrom(_) if rules.bisect && records > 1 => {
            Next::Split { at: records / 2 }
        }
        Verdict::Failed | Verdict::FailedFrom(_) => {
            if rules.retries_max.is_some_and(|max| failures >= max) {
                Next::Discard
            } else {
                Next::Retry { from: 0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: RetryRules = RetryRules { retries_max: Some(2), bisect: false, partial: true };

    fn judged(payload: &str) -> Verdict {
        let sequences = ["11", "12", "13"].map(str::to_owned);
        verdict(&sequences, false, payload.as_bytes(), RULES)
    }

    #[test]
    fn no_failures_are_success() {
        for payload in ["", "null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#] {
            assert_eq!(judged(payload), Verdict::Done, "{payload}");
        }
    }

    #[test]
    fn the_lowest_number_is_the_checkpoint() {
        let payload = r#"{"batchItemFailures":[{"itemIdentifier":"13"},{"itemIdentifier":"12"}]}"#;
        assert_eq!(judged(payload), Verdict::FailedFrom(1));
    }

    #[test]
    fn what_is_malformed_fails_the_whole_batch() {
        for payload in [
            "ok",
            r#""ok""#,
            "[]",
            r#"{"failures":[]}"#,
            r#"{"batchItemFailures":"12"}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"id":"12"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"99"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"12"},{"itemIdentifier":""}]}"#,
        ] {
            assert_eq!(judged(payload), Verdict::Failed, "{payload}");
        }
    }

    #[test]
    fn a_function_that_does_not_report_succeeds_or_fails_as_a_whole() {
        let rules = RetryRules { partial: false, ..RULES };
        let payload = br#"{"batchItemFailures":[{"itemIdentifier":"12"}]}"#;
        assert_eq!(verdict(&["12".to_owned()], false, payload, rules), Verdict::Done);
        assert_eq!(verdict(&["12".to_owned()], true, payload, rules), Verdict::Failed);
    }

    #[test]
    fn retries_end_where_the_mapping_says() {
        assert_eq!(next(Verdict::Failed, 3, 0, RULES), Next::Retry { from: 0 });
        assert_eq!(next(Verdict::FailedFrom(0), 3, 1, RULES), Next::Retry { from: 0 });
        assert_eq!(next(Verdict::FailedFrom(0), 3, 2, RULES), Next::Discard);
        assert_eq!(
            next(Verdict::FailedFrom(2), 3, 2, RULES),
            Next::Retry { from: 2 },
            "the checkpoint has moved"
        );
        let forever = RetryRules { retries_max: None, ..RULES };
        assert_eq!(next(Verdict::Failed, 3, u32::MAX, forever), Next::Retry { from: 0 });
    }

    #[test]
    fn bisecting_finds_the_one_record_and_costs_no_retry() {
        let rules = RetryRules { bisect: true, ..RULES };
        assert_eq!(next(Verdict::Failed, 5, 2, rules), Next::Split { at: 2 });
        assert_eq!(
            next(Verdict::FailedFrom(3), 5, 2, rules),
            Next::Retry { from: 3 },
            "at the record reported"
        );
        assert_eq!(next(Verdict::FailedFrom(0), 5, 2, rules), Next::Split { at: 2 });
        assert_eq!(next(Verdict::Failed, 1, 1, rules), Next::Retry { from: 0 });
        assert_eq!(next(Verdict::Failed, 1, 2, rules), Next::Discard);
    }
}
