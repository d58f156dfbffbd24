//! Which operation a call is, by AWS's name of it, whether or not the twin has it. Paths are those of the service models
//! (`data/aws-rest-operations.csv`, those with the most literal segments first).

use std::{collections::BTreeMap, sync::LazyLock};

use crate::{call::Call, error::AwsError};

const REST: &str = include_str!("../../data/aws-rest-operations.csv");

/// Paths and names by service and method: a call is asked about while quotas or faults are on.
type Operations = BTreeMap<(&'static str, &'static str), Vec<(&'static str, &'static str)>>;

static OPERATIONS: LazyLock<Operations> = LazyLock::new(|| {
    let mut operations = Operations::new();
    for line in REST.lines().skip(1) {
        if let [service, method, path, name] = line.split(',').collect::<Vec<_>>()[..] {
            operations.entry((service, method)).or_default().push((path, name));
        }
    }
    operations
});

/// The operation's name; empty if no operation of the service looks like this.
pub(crate) fn operation(call: &Call) -> String {
    if let Some(target) = call.target() {
        return target.to_owned();
    }
    let service = match call.service.as_str() {
        "execute-api" => "iot",
        "cloudformation" | "sts" => {
            let form = super::query(&String::from_utf8_lossy(&call.body));
            return form.into_iter().find(|(name, _)| name == "Action").map(|(_, v)| v).unwrap_or_default();
        }
        other => other,
    };
    let segments = call.segments();
    let candidates = OPERATIONS.get(&(service, call.method.as_str())).map(Vec::as_slice).unwrap_or_default();
    let found = candidates.iter().find(|(path, _)| fits(path, &segments));
    found.map(|(_, name)| (*name).to_owned()).unwrap_or_default()
}

/// Whether a path is that of a pattern, in which `*` is any segment and `**` any rest.
pub(super) fn fits(pattern: &str, path: &[impl AsRef<str>]) -> bool {
    let mut path = path.iter();
    // A topic is one segment, but the twin takes its slashes as they are, too.
    let greedy = pattern == "topics/*";
    for part in pattern.split('/') {
        match (part, path.next()) {
            ("**", Some(_)) => return true,
            ("*", Some(_)) => {}
            (literal, Some(segment)) if literal == segment.as_ref() => {}
            _ => return false,
        }
    }
    greedy || path.next().is_none()
}

/// The error by which a service throttles.
pub(crate) fn throttled(service: &str, operation: &str) -> AwsError {
    const RATE: &str = "Rate exceeded";
    let is_table =
        operation.contains("Table") || operation.contains("TimeToLive") || operation.contains("Tag");
    match service {
        "dynamodb" if !is_table => AwsError::new(
            400,
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing your \
             provisioning level with the UpdateTable API.",
        ),
        "lambda" => AwsError::new(429, "TooManyRequestsException", "Rate Exceeded.")
            .with("Reason", "CallerRateLimitExceeded"),
        "iotdata" => AwsError::new(429, "ThrottlingException", RATE),
        "s3" => AwsError::new(503, "SlowDown", "Please reduce your request rate."),
        "cloudformation" | "route53" | "sts" => AwsError::new(400, "Throttling", RATE),
        "servicequotas" => AwsError::new(400, "TooManyRequestsException", RATE),
        _ => AwsError::throttled(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, Method};
    use bytes::Bytes;

    use super::*;

    fn name(service: &str, method: Method, path: &str, body: &'static str) -> String {
        operation(&Call {
            method,
            raw_path: path.to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
            region: "us-east-1".to_owned(),
            service: service.to_owned(),
        })
    }

    #[test]
    fn every_line_is_an_operation() {
        let read: usize = OPERATIONS.values().map(Vec::len).sum();
        assert_eq!(read, REST.lines().count() - 1);
    }

    #[test]
    fn operations_of_every_protocol_are_known() {
        assert_eq!(name("iot", Method::GET, "/things", ""), "ListThings");
        assert_eq!(name("iot", Method::POST, "/things/a%2Fb", ""), "CreateThing");
        assert_eq!(
            name("iot", Method::PUT, "/thing-groups/addThingToThingGroup", ""),
            "AddThingToThingGroup"
        );
        assert_eq!(name("iotdata", Method::POST, "/topics/a/b", ""), "Publish");
        assert_eq!(name("iotdata", Method::GET, "/things/t/shadow", ""), "GetThingShadow");
        assert_eq!(name("lambda", Method::POST, "/2015-03-31/functions/f/invocations", ""), "Invoke");
        let change = "/2013-04-01/hostedzone/Z1/rrset/";
        assert_eq!(name("route53", Method::POST, change, ""), "ChangeResourceRecordSets");
        assert_eq!(name("sts", Method::POST, "/", "Action=GetCallerIdentity&Version=1"), "GetCallerIdentity");
        assert_eq!(name("iot", Method::GET, "/no/such/path", ""), "");
    }
}
