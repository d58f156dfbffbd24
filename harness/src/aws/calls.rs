//! Counts every attempt of every call: succeeded, throttled, or failed. What is throttled slows its operation's pace; any other
//! answer, be it that something is not there, shows that there is room and restores it.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_iot::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::FinalizerInterceptorContextRef},
    error::BoxError,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use gameday_report::record::ApiCalls;
use parking_lot::Mutex;

use super::Pace;

/// Counts, shared by all clients.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pace: Pace,
    counts: Arc<Mutex<BTreeMap<Key, Count>>>,
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
        Self { pace, counts: Arc::default() }
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

fn is_throttle(response: &aws_sdk_iot::config::http::HttpResponse) -> bool {
    let code = response.headers().get("x-amzn-errortype").unwrap_or_default();
    let named = |text: &str| text.contains("Throttl") || text.contains("TooManyRequests");
    response.status().as_u16() == 429
        || named(code)
        || response.body().bytes().is_some_and(|body| named(&String::from_utf8_lossy(body)))
}
