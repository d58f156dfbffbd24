//! Counts every attempt of every call: succeeded, throttled, or failed. The pace of its operation
//! learns from each answer whether there was room, be it that something is not there.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_iot::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::FinalizerInterceptorContextRef},
    error::BoxError,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use gameday_report::record::ApiCalls;
use jiff::{Timestamp, fmt::rfc2822};
use parking_lot::Mutex;

use super::Pace;

/// Counts, shared by all clients.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pace: Pace,
    counts: Arc<Mutex<BTreeMap<Key, Count>>>,
    /// By Region, how far this machine's clock was ahead of it at the last answer.
    ahead_us: Arc<Mutex<BTreeMap<String, i64>>>,
}

/// Region, service, operation.
type Key = (String, String, String);

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    ok: u64,
    throttled: u64,
    failed: u64,
}

impl Calls {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, counts: Arc::default(), ahead_us: Arc::default() }
    }

    pub(super) fn interceptor(&self, region: &str) -> Counter {
        Counter { region: region.to_owned(), calls: self.clone() }
    }

    /// All attempts so far, and those of them that were throttled.
    pub(crate) fn total(&self) -> (u64, u64) {
        let counts = self.counts.lock();
        let all = counts.values().map(|count| count.ok + count.throttled + count.failed).sum();
        (all, counts.values().map(|count| count.throttled).sum())
    }

    /// How far this machine's clock is ahead of a Region's, by the last answer that it gave: within half a second and the time
    /// that an answer takes. None: no answer said so.
    pub(crate) fn clock_ahead_us(&self, region: &str) -> Option<i64> {
        self.ahead_us.lock().get(region).copied()
    }

    /// Everything counted so far, by Region, service and operation.
    pub(crate) fn list(&self) -> Vec<ApiCalls> {
        self.counts
            .lock()
            .iter()
            .map(|((region, service, operation), count)| ApiCalls {
                caller: "harness".to_owned(),
                region: region.clone(),
                service: service.clone(),
                operation: operation.clone(),
                ok: count.ok,
                throttled: count.throttled,
                failed: count.failed,
            })
            .collect()
    }
}

/// The SDK's hook after each attempt.
#[derive(Debug)]
pub(super) struct Counter {
    region: String,
    calls: Calls,
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "count attempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = config
            .load::<Metadata>()
            .map_or_else(Default::default, |m| (m.service().to_lowercase(), m.name().to_owned()));
        let succeeded = context.output_or_error().is_some_and(|outcome| outcome.is_ok());
        let throttled = !succeeded && context.response().is_some_and(is_throttle);
        match context.response() {
            Some(_) if throttled => self.calls.pace.throttled(&self.region, &operation),
            Some(_) => self.calls.pace.went(&self.region, &operation),
            // No answer says nothing of quotas.
            None => {}
        }
        let date = context.response().and_then(|response| response.headers().get("date"));
        if let Some(ahead_us) = date.and_then(|date| ahead_us(date, Timestamp::now())) {
            self.calls.ahead_us.lock().insert(self.region.clone(), ahead_us);
        }
        let mut counts = self.calls.counts.lock();
        let count = counts.entry((self.region.clone(), service, operation)).or_default();
        match (succeeded, throttled) {
            (true, _) => count.ok += 1,
            (false, true) => count.throttled += 1,
            (false, false) => count.failed += 1,
        }
        Ok(())
    }
}

/// How far `now` is ahead of what a `Date` header says: on average half a second has gone since then.
fn ahead_us(date: &str, now: Timestamp) -> Option<i64> {
    const HALF_US: i64 = 500_000;
    let said = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(now.as_microsecond().saturating_sub(said.as_microsecond()).saturating_sub(HALF_US))
}

fn is_throttle(response: &aws_sdk_iot::config::http::HttpResponse) -> bool {
    let code = response.headers().get("x-amzn-errortype").unwrap_or_default();
    let named = |text: &str| text.contains("Throttl") || text.contains("TooManyRequests");
    response.status().as_u16() == 429
        || named(code)
        || response.body().bytes().is_some_and(|body| named(&String::from_utf8_lossy(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_tells_how_far_a_clock_is_off() {
        let now: Timestamp = "2026-11-23T12:00:10.5Z".parse().unwrap();
        let ahead = |date| ahead_us(date, now);
        assert_eq!(ahead("Mon, 23 Nov 2026 12:00:10 GMT"), Some(0));
        assert_eq!(ahead("Mon, 23 Nov 2026 12:00:15 GMT"), Some(-5_000_000));
        assert_eq!(ahead("Mon, 23 Nov 2026 11:00:10 GMT"), Some(3_600_000_000));
        assert_eq!(ahead("noon"), None);
    }
}
