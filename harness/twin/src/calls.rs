//! Calls that were answered, counted by Region, service and operation: what a design costs in calls, and where it is
//! throttled.
//!
//! Off until it is switched on, which begins the counts anew; off, a call costs a relaxed load. The twin's own calls count
//! too: those of stacks and schedules.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use serde::Serialize;

use crate::{
    api,
    call::{Call, Reply},
};

/// Kinds of calls that are told apart; what comes after is not counted. All operations of AWS's models are fewer.
const KINDS_MAX: usize = 5_000;

/// Counts, if they are on.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    on: AtomicBool,
    counts: Mutex<BTreeMap<Kind, Count>>,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Kind {
    region: String,
    service: String,
    operation: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    /// All of them.
    answered: u64,
    /// Refused for their rate.
    throttled: u64,
    /// Refused for another reason.
    refused: u64,
}

/// One line of the list.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Counted {
    #[serde(flatten)]
    kind: Kind,
    #[serde(flatten)]
    count: Count,
}

impl Calls {
    /// Begins anew, or stops.
    pub(crate) fn set(&self, on: bool) {
        if on {
            self.counts.lock().clear();
        }
        self.on.store(on, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, call: &Call, reply: &Reply) {
        if !self.on.load(Ordering::Relaxed) {
            return;
        }
        let kind = Kind {
            region: call.region.clone(),
            service: call.service.clone(),
            operation: api::operation(call),
        };
        let is_throttled = reply.status == 429 || reply.status == 400 && says_throttled(reply);
        let mut counts = self.counts.lock();
        if counts.len() >= KINDS_MAX && !counts.contains_key(&kind) {
            return;
        }
        let count = counts.entry(kind).or_default();
        count.answered += 1;
        count.throttled += u64::from(is_throttled);
        count.refused += u64::from(reply.status >= 400 && !is_throttled);
    }

    pub(crate) fn list(&self) -> Vec<Counted> {
        self.counts.lock().iter().map(|(kind, count)| Counted { kind: kind.clone(), count: *count }).collect()
    }
}

/// Services spell it differently, and put it into a header or the body.
fn says_throttled(reply: &Reply) -> bool {
    let names = |text: &[u8]| {
        [&b"Throttling"[..], b"ThroughputExceeded"].iter().any(|w| text.windows(w.len()).any(|t| t == *w))
    };
    reply.headers.iter().any(|(_, value)| names(value.as_bytes())) || names(&reply.body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_counted_by_operation_from_when_it_is_switched_on() {
        let calls = Calls::default();
        let call = Call::json_rpc("us-east-1", "states", "AWSStepFunctions.StartExecution", &json!({}));
        calls.count(&call, &Reply::json(200, &json!({})));
        assert_eq!(calls.list(), []);
        calls.set(true);
        calls.count(&call, &Reply::json(200, &json!({})));
        calls.count(&call, &Reply::json(400, &json!({"__type": "ThrottlingException"})));
        calls.count(&call, &Reply::json(400, &json!({"__type": "StateMachineDoesNotExist"})));
        let listed = calls.list();
        assert_eq!(listed[0].kind.operation, "StartExecution");
        assert_eq!(listed[0].count, Count { answered: 3, throttled: 1, refused: 1 });
        calls.set(true);
        assert_eq!(calls.list(), []);
    }
}
