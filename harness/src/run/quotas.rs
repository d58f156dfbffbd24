//! What will be in the fleet's way at a failover, read before anything is made and kept in the record: the secondary's CONNECT
//! quota as Service Quotas tells it, and how devices wait that it refuses. By these the report draws what was possible.

use gameday_report::record::{Backoff, Event, Quota};

use super::Game;
use crate::aws::describe;

/// Service Quotas' code of AWS IoT's data plane.
const SERVICE: &str = "iotcore";
/// What a bucket of the twin holds, in seconds of its rate. AWS publishes none for CONNECT.
const TWIN_BURST_S: f64 = 1.0;

impl Game {
    /// Writes down what the secondary takes. What cannot be read is said, and the report then has no bound to draw.
    pub(super) async fn record_quotas(&self) {
        let backoff = &self.scenario.fleet.backoff;
        let whole_ms = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.recorder.event(Event::Backoff(Backoff {
            min_ms: whole_ms(*backoff.min),
            max_ms: whole_ms(*backoff.max),
        }));
        if !self.target.endpoints.quotas_enforced {
            return self.note("The twin enforces no quotas: no CONNECT is throttled.".to_owned());
        }
        let clients = &self.aws.secondary;
        let asked =
            clients.quotas.get_service_quota().service_code(SERVICE).quota_code(Quota::CONNECTS).send().await;
        let quota = match asked {
            Ok(answer) => answer.quota,
            Err(error) => {
                let why = describe(&error);
                return self
                    .note(format!("The CONNECT quota of {} could not be read: {why}", clients.region));
            }
        };
        let Some((quota, value)) = quota.and_then(|quota| quota.value.map(|value| (quota, value))) else {
            return self.note(format!("{} says no CONNECT quota", clients.region));
        };
        self.recorder.event(Event::Quota(Quota {
            region: clients.region.clone(),
            service: SERVICE.to_owned(),
            code: Quota::CONNECTS.to_owned(),
            name: quota.quota_name.unwrap_or_default(),
            value,
            // It fills what it holds, and holds one at the least.
            burst: Some((value * TWIN_BURST_S).max(1.0)),
            source: "Service Quotas when the run began".to_owned(),
        }));
    }

    fn note(&self, text: String) {
        self.recorder.event(Event::Note { text });
    }
}
