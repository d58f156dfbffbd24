//! Operations on health checks: their XML in and out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    call::{Call, Reply},
    error::AwsError,
    route53::{
        Route53,
        api::{self, Response},
        config::{Config, Settings},
        health_check::{Checker, HealthCheck, Observation},
        xml,
    },
    truth::Fact,
};

/// A checker's address: the first of its Region's range as AWS publishes it, counted up.
const ADDRESSES: [(&str, [u8; 4]); 8] = [
    ("us-east-1", [54, 243, 31, 192]),
    ("us-west-1", [54, 183, 255, 128]),
    ("us-west-2", [54, 244, 52, 192]),
    ("eu-west-1", [54, 228, 16, 0]),
    ("ap-southeast-1", [54, 255, 254, 192]),
    ("ap-southeast-2", [54, 252, 254, 192]),
    ("ap-northeast-1", [54, 250, 253, 192]),
    ("sa-east-1", [54, 232, 40, 64]),
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CreateRequest {
    caller_reference: String,
    health_check_config: Settings,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HealthCheckXml {
    id: String,
    caller_reference: String,
    health_check_config: Settings,
    health_check_version: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HealthCheckResponse {
    health_check: HealthCheckXml,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListResponse {
    health_checks: HealthChecksXml,
    marker: String,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    max_items: usize,
}

#[derive(Debug, Serialize)]
struct HealthChecksXml {
    #[serde(rename = "HealthCheck")]
    health_check: Vec<HealthCheckXml>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ObservationsResponse {
    health_check_observations: ObservationsXml,
}

#[derive(Debug, Serialize)]
struct ObservationsXml {
    #[serde(rename = "HealthCheckObservation")]
    observation: Vec<ObservationXml>,
}

#[derive(Debug, Serialize)]
struct ObservationXml {
    #[serde(rename = "Region")]
    region: String,
    #[serde(rename = "IPAddress")]
    ip_address: String,
    /// Absent until the checker's first probe is over.
    #[serde(rename = "StatusReport", skip_serializing_if = "Option::is_none")]
    report: Option<StatusReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatusReport {
    status: String,
    checked_time: String,
}

impl HealthCheckXml {
    fn new(check: &HealthCheck) -> Self {
        Self {
            id: check.id.clone(),
            caller_reference: check.caller_reference.clone(),
            health_check_config: check.config.settings(),
            health_check_version: check.version,
        }
    }
}

pub(crate) fn create(
    route53: &Route53,
    checkers: u32,
    now: Timestamp,
    call: &Call,
) -> Result<Response, AwsError> {
    let request: CreateRequest = xml::read(&call.body)?;
    let config = Config::new(&request.health_check_config)?;
    if request.caller_reference.is_empty() {
        return Err(AwsError::new(400, "InvalidInput", "CallerReference is required"));
    }
    let mut checks = route53.checks.lock();
    let (check, is_new) = checks.create(api::uuid(), &request.caller_reference, config, checkers, now)?;
    let body = HealthCheckResponse { health_check: HealthCheckXml::new(check) };
    let mut reply = xml::reply(201, "CreateHealthCheckResponse", &body)?;
    let location = format!("https://route53.amazonaws.com/2013-04-01/healthcheck/{}", check.id);
    reply.headers.push(("location", location));
    Ok(Response { reply, started: is_new.then(|| check.id.clone()) })
}

pub(crate) fn get(route53: &Route53, id: &str) -> Result<Reply, AwsError> {
    let checks = route53.checks.lock();
    let body = HealthCheckResponse { health_check: HealthCheckXml::new(checks.get(id)?) };
    xml::reply(200, "GetHealthCheckResponse", &body)
}

pub(crate) fn list(route53: &Route53, call: &Call) -> Result<Reply, AwsError> {
    let checks = route53.checks.lock();
    let page = api::page(call, checks.iter(), |c| &c.id)?;
    let body = ListResponse {
        health_checks: HealthChecksXml {
            health_check: page.items.into_iter().map(HealthCheckXml::new).collect(),
        },
        marker: call.query("marker").unwrap_or_default().to_owned(),
        is_truncated: page.next.is_some(),
        next_marker: page.next.map(|c| c.id.clone()),
        max_items: page.count_max,
    };
    xml::reply(200, "ListHealthChecksResponse", &body)
}

pub(crate) fn update(route53: &Route53, now: Timestamp, id: &str, call: &Call) -> Result<Reply, AwsError> {
    let request: Settings = xml::read(&call.body)?;
    let mut checks = route53.checks.lock();
    let check = checks.get_mut(id)?;
    let flip = check.update(&request, now)?;
    let version = check.version;
    route53.truth.stamp(|| Fact::HealthCheckSettings { check: id.to_owned(), version });
    if let Some(flip) = flip {
        let (healthy, after_s) = (flip.healthy, flip.after.as_secs());
        tracing::info!(health_check_id = id, healthy, after_s, "health check changed by its settings");
        route53.truth.stamp(|| check.fact());
    }
    let body = HealthCheckResponse { health_check: HealthCheckXml::new(check) };
    xml::reply(200, "UpdateHealthCheckResponse", &body)
}

pub(crate) fn delete(route53: &Route53, id: &str) -> Result<Reply, AwsError> {
    route53.checks.lock().delete(id)?;
    xml::reply(200, "DeleteHealthCheckResponse", &())
}

/// What each checker saw last.
pub(crate) fn status(route53: &Route53, id: &str) -> Result<Reply, AwsError> {
    let checks = route53.checks.lock();
    let check = checks.get(id)?;
    let observation = check.checkers.iter().enumerate().map(|(i, c)| observation(check, i, c.last.as_ref()));
    reply_observations("GetHealthCheckStatusResponse", observation.collect())
}

/// The last failure that each checker saw; checkers without one are left out.
pub(crate) fn last_failure_reason(route53: &Route53, id: &str) -> Result<Reply, AwsError> {
    let checks = route53.checks.lock();
    let check = checks.get(id)?;
    let failed =
        |(i, c): (usize, &Checker)| c.last_failure.as_ref().map(|seen| observation(check, i, Some(seen)));
    let observation = check.checkers.iter().enumerate().filter_map(failed).collect();
    reply_observations("GetHealthCheckLastFailureReasonResponse", observation)
}

fn reply_observations(root: &str, observation: Vec<ObservationXml>) -> Result<Reply, AwsError> {
    let body = ObservationsResponse { health_check_observations: ObservationsXml { observation } };
    xml::reply(200, root, &body)
}

fn observation(check: &HealthCheck, checker: usize, seen: Option<&Observation>) -> ObservationXml {
    let region = check.config.region(checker);
    let report = seen.map(|o| StatusReport { status: o.status.clone(), checked_time: xml::time(o.checked) });
    ObservationXml { region: region.to_owned(), ip_address: address(region, checker), report }
}

fn address(region: &str, checker: usize) -> String {
    let base = ADDRESSES.iter().find(|(name, _)| *name == region).map_or([127, 0, 0, 1], |(_, base)| *base);
    let offset = u32::try_from(checker / ADDRESSES.len()).unwrap_or_default();
    std::net::Ipv4Addr::from_bits(u32::from_be_bytes(base).wrapping_add(offset)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route53::api::element;

    const XMLNS: &str = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";

    /// As the SDK for Rust writes it.
    fn create_body(reference: &str) -> String {
        format!(
            "<CreateHealthCheckRequest {XMLNS}><CallerReference>{reference}</CallerReference><HealthCheckConfig>\
             <Port>8443</Port><Type>HTTPS</Type><ResourcePath>health?key=a&amp;b=c</ResourcePath>\
             <FullyQualifiedDomainName>health.us-east-1.example.com</FullyQualifiedDomainName>\
             <RequestInterval>10</RequestInterval><FailureThreshold>3</FailureThreshold>\
             <MeasureLatency>true</MeasureLatency><EnableSNI>true</EnableSNI></HealthCheckConfig>\
             </CreateHealthCheckRequest>"
        )
    }

    fn update_body(members: &str) -> String {
        format!("<UpdateHealthCheckRequest {XMLNS}>{members}</UpdateHealthCheckRequest>")
    }

    #[test]
    fn creating_twice_is_one_check_and_starts_its_checkers_once() {
        let route53 = Route53::new();
        let first = route53.call("POST /healthcheck", &create_body("r")).unwrap();
        assert_eq!(first.reply.status, 201);
        let id = first.started.expect("a new check is started");
        let (name, location) = &first.reply.headers[first.reply.headers.len() - 1];
        assert_eq!(*name, "location");
        assert_eq!(*location, format!("https://route53.amazonaws.com/2013-04-01/healthcheck/{id}"));
        let again = route53.call("POST /healthcheck", &create_body("r")).unwrap();
        assert_eq!((again.reply.status, again.started), (201, None));
        let text = route53.text(&format!("GET /healthcheck/{id}"), "");
        assert_eq!(element(&text, "ResourcePath"), "health?key=a&amp;b=c");
        assert_eq!(element(&text, "HealthCheckVersion"), "1");
        assert_eq!(element(&text, "Inverted"), "false");
    }

    #[test]
    fn updates_go_through_for_the_version_seen_only() {
        let route53 = Route53::new();
        let id = route53.call("POST /healthcheck", &create_body("r")).unwrap().started.unwrap();
        let line = format!("POST /healthcheck/{id}");
        let broken =
            update_body("<HealthCheckVersion>1</HealthCheckVersion><ResourcePath>/broken</ResourcePath>");
        let text = route53.text(&line, &broken);
        assert_eq!((element(&text, "ResourcePath"), element(&text, "HealthCheckVersion")), ("/broken", "2"));
        assert_eq!(route53.call(&line, &broken).unwrap_err().code, "HealthCheckVersionMismatch");
        let reset = update_body(
            "<ResetElements><ResettableElementName>ResourcePath</ResettableElementName></ResetElements>",
        );
        assert!(!route53.text(&line, &reset).contains("ResourcePath"));
        let odd = update_body("<SearchString>x</SearchString>");
        assert!(route53.call(&line, &odd).unwrap_err().message.contains("SearchString"));
        assert_eq!(route53.call("POST /healthcheck/none", &broken).unwrap_err().code, "NoSuchHealthCheck");
    }

    #[test]
    fn status_has_one_observation_a_checker() {
        let route53 = Route53::new();
        let id = route53.call("POST /healthcheck", &create_body("r")).unwrap().started.unwrap();
        let down = Err("HTTP Status Code 503, Service Unavailable".to_owned());
        route53.observe(&id, 1, &down, Timestamp::UNIX_EPOCH);
        let text = route53.text(&format!("GET /healthcheck/{id}/status"), "");
        assert_eq!(text.matches("<HealthCheckObservation>").count(), 16);
        assert!(text.contains("<Region>sa-east-1</Region><IPAddress>54.232.40.65</IPAddress>"));
        let reported = "<Region>us-west-1</Region><IPAddress>54.183.255.128</IPAddress><StatusReport><Status>Failure: \
                        HTTP Status Code 503, Service Unavailable</Status><CheckedTime>1970-01-01T00:00:00.000Z\
                        </CheckedTime></StatusReport>";
        assert!(text.contains(reported), "{text}");
        let failures = route53.text(&format!("GET /healthcheck/{id}/lastfailurereason"), "");
        assert_eq!(failures.matches("<HealthCheckObservation>").count(), 1);
    }

    #[test]
    fn lists_are_paged_and_deleted_checks_are_gone() {
        let route53 = Route53::new();
        let ids: Vec<String> = ["a", "b", "c"]
            .map(|r| route53.call("POST /healthcheck", &create_body(r)).unwrap().started.unwrap())
            .into();
        let first = route53.text("GET /healthcheck?maxitems=2", "");
        assert_eq!(
            (element(&first, "IsTruncated"), element(&first, "NextMarker")),
            ("true", ids[2].as_str())
        );
        let rest = route53.text(&format!("GET /healthcheck?maxitems=2&marker={}", ids[2]), "");
        assert_eq!((element(&rest, "IsTruncated"), element(&rest, "Id")), ("false", ids[2].as_str()));
        route53.text(&format!("DELETE /healthcheck/{}", ids[0]), "");
        let gone = route53.call(&format!("GET /healthcheck/{}", ids[0]), "").unwrap_err();
        assert_eq!((gone.status, gone.code), (404, "NoSuchHealthCheck"));
    }
}
