//! Calls that were answered, counted by Region, service and operation: what a design costs in calls, and where it is
//! throttled.
//!
//! A call counts by what its caller was told, a fault's answer too; one that was told nothing, since its connection was
//! reset or it was given up, does not count. Off until it is switched on, which begins the counts anew; off, a call costs
//! a relaxed load. The twin's own calls count too: those of stacks and schedules.

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
        let is_throttled = is_throttled(reply);
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

/// How services say that a call came too soon, besides a status of 429.
const THROTTLED: [(u16, &str); 4] =
    [(400, "Throttling"), (400, "ThroughputExceeded"), (400, "TooManyRequestsException"), (503, "SlowDown")];

/// Services put the name of an error into a header or the body.
fn is_throttled(reply: &Reply) -> bool {
    let says = |name: &str| {
        let is_in = |text: &[u8]| text.windows(name.len()).any(|t| t == name.as_bytes());
        reply.headers.iter().any(|(_, value)| is_in(value.as_bytes())) || is_in(&reply.body)
    };
    reply.status == 429 || THROTTLED.iter().any(|(status, name)| reply.status == *status && says(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::AwsError;

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

    #[test]
    fn every_service_is_known_to_throttle_as_it_says_it() {
        for service in api::SERVICES {
            let throttled = api::refusal(service, &api::throttled(service, "Any"));
            assert!(is_throttled(&throttled), "{service}: {} {:?}", throttled.status, throttled.body);
            let error = AwsError::new(400, "ValidationException", "no");
            assert!(!is_throttled(&api::refusal(service, &error)), "{service}");
            let error = AwsError::new(503, "ServiceUnavailableException", "no");
            assert!(!is_throttled(&api::refusal(service, &error)), "{service}");
        }
    }
}
