//! What is set for a whole Region: which registry events are on, and the endpoints.

use serde_json::{Map, Value, json};

use super::{Api, Outcome, done, ok};
use crate::registry::invalid;

/// Registry events that AWS knows. The twin publishes those of things, their types and groups.
const EVENT_KINDS: [&str; 11] = [
    "CA_CERTIFICATE",
    "CERTIFICATE",
    "JOB",
    "JOB_EXECUTION",
    "POLICY",
    "THING",
    "THING_GROUP",
    "THING_GROUP_HIERARCHY",
    "THING_GROUP_MEMBERSHIP",
    "THING_TYPE",
    "THING_TYPE_ASSOCIATION",
];

impl Api<'_> {
    pub(super) fn setting(&self, operation: &str) -> Outcome {
        match operation {
            "DescribeEventConfigurations" => self.event_configurations(),
            "UpdateEventConfigurations" => self.update_event_configurations(),
            _ => self.endpoint(),
        }
    }

    fn event_configurations(&self) -> Outcome {
        let registry = self.region.registry.lock();
        let kinds: Map<String, Value> = EVENT_KINDS
            .iter()
            .map(|kind| ((*kind).to_owned(), json!({"Enabled": registry.events_enabled().contains(*kind)})))
            .collect();
        ok(&json!({"eventConfigurations": kinds}))
    }

    fn update_event_configurations(&self) -> Outcome {
        let body = self.call.json()?;
        let Some(kinds) = body["eventConfigurations"].as_object() else {
            return done();
        };
        if let Some(unknown) = kinds.keys().find(|kind| !EVENT_KINDS.contains(&kind.as_str())) {
            return Err(invalid(format!("Unknown event type {unknown}")));
        }
        let mut registry = self.region.registry.lock();
        for (kind, configuration) in kinds {
            registry.set_event(kind, configuration["Enabled"].as_bool().unwrap_or(false));
        }
        done()
    }

    fn endpoint(&self) -> Outcome {
        match self.call.query("endpointType") {
            Some("iot:Data-ATS") => ok(&json!({"endpointAddress": self.region.endpoint})),
            other => Err(invalid(format!("The twin has the endpoint type iot:Data-ATS only, got {other:?}"))),
        }
    }
}
