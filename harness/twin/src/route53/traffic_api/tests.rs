//! Calls as clients make them, and what DNS answers of it.

use jiff::Timestamp;

use super::*;
use crate::route53::{
    Answer, RecordType,
    api::{bare, element},
    traffic_document::tests::failover,
};

fn with_zone() -> (Route53, String) {
    let route53 = Route53::new();
    let made = route53.text(
        "POST /hostedzone",
        "<CreateHostedZoneRequest><Name>example.com</Name><CallerReference>r</CallerReference>\
         </CreateHostedZoneRequest>",
    );
    let zone = bare(element(&made, "Id")).to_owned();
    (route53, zone)
}

fn health_check(route53: &Route53, reference: &str) -> String {
    let body = format!(
        "<CreateHealthCheckRequest><CallerReference>{reference}</CallerReference><HealthCheckConfig><Type>HTTPS</Type>\
         <FullyQualifiedDomainName>a.example.com</FullyQualifiedDomainName><FailureThreshold>1</FailureThreshold>\
         </HealthCheckConfig></CreateHealthCheckRequest>"
    );
    element(&route53.text("POST /healthcheck", &body), "Id").to_owned()
}

fn escaped(document: &serde_json::Value) -> String {
    quick_xml::escape::escape(document.to_string().as_str()).into_owned()
}

fn policy(route53: &Route53, name: &str, document: &serde_json::Value) -> String {
    let body = format!(
        "<CreateTrafficPolicyRequest><Name>{name}</Name><Document>{}</Document></CreateTrafficPolicyRequest>",
        escaped(document)
    );
    let made = route53.call("POST /trafficpolicy", &body).unwrap();
    assert_eq!(made.reply.status, 201);
    element(std::str::from_utf8(&made.reply.body).unwrap(), "Id").to_owned()
}

fn instance(zone: &str, name: &str, policy: &str, version: u32) -> String {
    format!(
        "<CreateTrafficPolicyInstanceRequest><HostedZoneId>{zone}</HostedZoneId><Name>{name}</Name><TTL>10</TTL>\
         <TrafficPolicyId>{policy}</TrafficPolicyId><TrafficPolicyVersion>{version}</TrafficPolicyVersion>\
         </CreateTrafficPolicyInstanceRequest>"
    )
}

fn update(policy: &str, version: u32) -> String {
    format!(
        "<UpdateTrafficPolicyInstanceRequest><TTL>20</TTL><TrafficPolicyId>{policy}</TrafficPolicyId>\
         <TrafficPolicyVersion>{version}</TrafficPolicyVersion></UpdateTrafficPolicyInstanceRequest>"
    )
}

fn answer(route53: &Route53, name: &str) -> Option<String> {
    match route53.answer(name, Some(RecordType::A)) {
        Answer::Found(set) => Some(set.values[0].clone()),
        _ => None,
    }
}

#[test]
fn an_instance_answers_and_fails_over() {
    let (route53, zone) = with_zone();
    let (one, two) = (health_check(&route53, "1"), health_check(&route53, "2"));
    let id = policy(&route53, "iot", &failover(&one, &two));
    let made = route53.text("POST /trafficpolicyinstance", &instance(&zone, "Fleet.example.com", &id, 1));
    assert_eq!((element(&made, "State"), element(&made, "Name")), ("Applied", "fleet.example.com."));
    assert_eq!(element(&made, "TrafficPolicyType"), "CNAME");
    let primary = Some("p-ats.iot.us-east-1.amazonaws.com".to_owned());
    assert_eq!(answer(&route53, "fleet.example.com"), primary);
    for checker in 0..16 {
        route53.observe(&one, checker, &Err("down".to_owned()), Timestamp::UNIX_EPOCH);
    }
    assert_eq!(answer(&route53, "fleet.example.com"), Some("s-ats.iot.us-west-2.amazonaws.com".to_owned()));

    let instance_id = element(&made, "Id");
    let listed = route53.text(&format!("GET /hostedzone/{zone}/rrset?name=fleet.example.com"), "");
    assert_eq!(listed.matches(&format!("<TrafficPolicyInstanceId>{instance_id}<")).count(), 2);
    let full = route53.call(&format!("DELETE /hostedzone/{zone}"), "").unwrap_err();
    assert_eq!(full.code, "HostedZoneNotEmpty");
    let used = route53.call(&format!("DELETE /trafficpolicy/{id}/1"), "").unwrap_err();
    assert_eq!((used.status, used.code), (400, "TrafficPolicyInUse"));
    route53.text(&format!("DELETE /trafficpolicyinstance/{instance_id}"), "");
    assert_eq!(answer(&route53, "fleet.example.com"), None);
    route53.text(&format!("DELETE /trafficpolicy/{id}/1"), "");
    assert_eq!(
        route53.call(&format!("GET /trafficpolicy/{id}/1"), "").unwrap_err().code,
        "NoSuchTrafficPolicy"
    );
}

#[test]
fn an_instances_records_are_changed_through_it_only() {
    let (route53, zone) = with_zone();
    let id = policy(&route53, "iot", &failover("", ""));
    route53.text("POST /trafficpolicyinstance", &instance(&zone, "fleet.example.com", &id, 1));
    let change = "<ChangeResourceRecordSetsRequest><ChangeBatch><Changes><Change><Action>DELETE</Action>\
                  <ResourceRecordSet><Name>fleet.example.com</Name><Type>CNAME</Type><SetIdentifier>PRIMARY\
                  </SetIdentifier><Failover>PRIMARY</Failover><TTL>10</TTL><ResourceRecords><ResourceRecord><Value>\
                  p-ats.iot.us-east-1.amazonaws.com</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>\
                  </Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>";
    let error = route53.call(&format!("POST /hostedzone/{zone}/rrset"), change).unwrap_err();
    assert_eq!(error.code, "InvalidChangeBatch");
    assert!(answer(&route53, "fleet.example.com").is_some());
}

#[test]
fn a_new_version_is_taken_by_an_update() {
    let (route53, zone) = with_zone();
    let id = policy(&route53, "iot", &failover("", ""));
    let made = route53.text("POST /trafficpolicyinstance", &instance(&zone, "fleet.example.com", &id, 1));
    let mut document = failover("", "");
    document["Endpoints"]["p"]["Value"] = "new.example.org".into();
    let body = format!(
        "<CreateTrafficPolicyVersionRequest><Document>{}</Document><Comment>c</Comment>\
         </CreateTrafficPolicyVersionRequest>",
        escaped(&document)
    );
    let version = route53.text(&format!("POST /trafficpolicy/{id}"), &body);
    assert_eq!((element(&version, "Version"), element(&version, "Comment")), ("2", "c"));
    assert_eq!(answer(&route53, "fleet.example.com"), Some("p-ats.iot.us-east-1.amazonaws.com".to_owned()));
    let line = format!("POST /trafficpolicyinstance/{}", element(&made, "Id"));
    let updated = route53.text(&line, &update(&id, 2));
    assert_eq!((element(&updated, "TTL"), element(&updated, "State")), ("20", "Applied"));
    assert_eq!(answer(&route53, "fleet.example.com"), Some("new.example.org".to_owned()));
    let unknown = route53.call(&line, &update(&id, 3)).unwrap_err();
    assert_eq!(unknown.code, "NoSuchTrafficPolicy");

    let versions = route53.text(&format!("GET /trafficpolicies/{id}/versions?maxitems=1"), "");
    assert_eq!(element(&versions, "TrafficPolicyVersionMarker"), "2");
    let list = route53.text("GET /trafficpolicies", "");
    assert_eq!((element(&list, "LatestVersion"), element(&list, "TrafficPolicyCount")), ("2", "2"));
    let by_policy = |version: u32| {
        route53.text(&format!("GET /trafficpolicyinstances/trafficpolicy?id={id}&version={version}"), "")
    };
    assert!(
        by_policy(2).contains("<TrafficPolicyInstance>") && !by_policy(1).contains("<TrafficPolicyInstance>")
    );
    let by_zone = route53.text(&format!("GET /trafficpolicyinstances/hostedzone?id={zone}"), "");
    assert_eq!(element(&by_zone, "HostedZoneId"), zone);
    let count = route53.text("GET /trafficpolicyinstancecount", "");
    assert_eq!(element(&count, "TrafficPolicyInstanceCount"), "1");
}

#[test]
fn what_stands_in_the_way_is_the_instances_state() {
    let (route53, zone) = with_zone();
    let id = policy(&route53, "iot", &failover("none", ""));
    let made = route53.text("POST /trafficpolicyinstance", &instance(&zone, "fleet.example.com", &id, 1));
    assert_eq!(element(&made, "State"), "Failed");
    assert!(!element(&made, "Message").is_empty());
    assert_eq!(answer(&route53, "fleet.example.com"), None);
    let again = route53.call("POST /trafficpolicyinstance", &instance(&zone, "fleet.example.com", &id, 1));
    assert_eq!(again.unwrap_err().code, "TrafficPolicyInstanceAlreadyExists");
    let elsewhere =
        route53.call("POST /trafficpolicyinstance", &instance(&zone, "fleet.example.org", &id, 1));
    assert_eq!(elsewhere.unwrap_err().code, "InvalidInput");
    let no_zone = route53.call("POST /trafficpolicyinstance", &instance("Z0", "fleet.example.com", &id, 1));
    assert_eq!(no_zone.unwrap_err().code, "NoSuchHostedZone");
}

#[test]
fn instances_are_listed_page_by_page_and_limited() {
    let (route53, zone) = with_zone();
    let id = policy(&route53, "iot", &failover("", ""));
    for n in 0..5 {
        route53.text("POST /trafficpolicyinstance", &instance(&zone, &format!("f{n}.example.com"), &id, 1));
    }
    let sixth = route53.call("POST /trafficpolicyinstance", &instance(&zone, "f5.example.com", &id, 1));
    assert_eq!(sixth.unwrap_err().code, "TooManyTrafficPolicyInstances");
    let page = route53.text("GET /trafficpolicyinstances?maxitems=3", "");
    assert_eq!(element(&page, "IsTruncated"), "true");
    let next = format!(
        "hostedzoneid={}&trafficpolicyinstancename={}&trafficpolicyinstancetype={}",
        element(&page, "HostedZoneIdMarker"),
        element(&page, "TrafficPolicyInstanceNameMarker"),
        element(&page, "TrafficPolicyInstanceTypeMarker")
    );
    let rest = route53.text(&format!("GET /trafficpolicyinstances?{next}"), "");
    assert_eq!(rest.matches("<TrafficPolicyInstance>").count(), 2);
    let twice = policy_error(&route53, "iot");
    assert_eq!((twice.status, twice.code), (409, "TrafficPolicyAlreadyExists"));
}

fn policy_error(route53: &Route53, name: &str) -> AwsError {
    let body = format!(
        "<CreateTrafficPolicyRequest><Name>{name}</Name><Document>{}</Document></CreateTrafficPolicyRequest>",
        escaped(&failover("", ""))
    );
    route53.call("POST /trafficpolicy", &body).unwrap_err()
}
