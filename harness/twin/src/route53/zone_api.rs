//! Operations on hosted zones, record sets and changes.

use jiff::Timestamp;

use crate::{
    call::{Call, Reply},
    error::AwsError,
    route53::{
        Route53, api,
        change::{Action, Change},
        name,
        record::{RecordKey, RecordSet, RecordType},
        xml,
        zone::ChangeInfo,
        zone_xml::{
            ChangeInfoXml, ChangeRequest, ChangeResponse, ChangeXml, CreateRequest, DelegationSet,
            ListRecordsResponse, ListZonesByNameResponse, ListZonesResponse, RecordSetXml, RecordSetsXml,
            ZoneResponse, ZoneXml, ZonesXml, invalid,
        },
    },
};

/// Record sets in one page of a listing.
const RECORDS_PAGE_MAX: usize = 300;
const PENDING: &str = "PENDING";
const INSYNC: &str = "INSYNC";

/// Notes a change that was made just now and tells of it as Route 53 does: pending at first.
fn submitted(route53: &Route53, now: Timestamp, comment: Option<String>) -> ChangeInfoXml {
    let change = ChangeInfo { id: api::id('C'), submitted: now, comment };
    let told = ChangeInfoXml::new(&change, PENDING);
    route53.zones.lock().note(change);
    told
}

pub(crate) fn create(route53: &Route53, now: Timestamp, call: &Call) -> Result<Reply, AwsError> {
    let request: CreateRequest = xml::read(&call.body)?;
    let config = request.hosted_zone_config;
    if config.as_ref().and_then(|c| c.private_zone) == Some(true) {
        return invalid("The twin has no private hosted zones");
    }
    let zone = ZoneXml::new(route53.zones.lock().create(
        api::id('Z'),
        &request.name,
        &request.caller_reference,
        config.and_then(|c| c.comment),
    )?);
    let location = format!("https://route53.amazonaws.com/2013-04-01{}", zone.id);
    let body = ZoneResponse {
        hosted_zone: zone,
        change_info: Some(submitted(route53, now, None)),
        delegation_set: DelegationSet::shared(),
    };
    let mut reply = xml::reply(201, "CreateHostedZoneResponse", &body)?;
    reply.headers.push(("location", location));
    Ok(reply)
}

pub(crate) fn get(route53: &Route53, id: &str) -> Result<Reply, AwsError> {
    let zone = ZoneXml::new(route53.zones.lock().get(id)?);
    let body = ZoneResponse { hosted_zone: zone, change_info: None, delegation_set: DelegationSet::shared() };
    xml::reply(200, "GetHostedZoneResponse", &body)
}

pub(crate) fn list(route53: &Route53, call: &Call) -> Result<Reply, AwsError> {
    let zones = route53.zones.lock();
    let page = api::page(call, zones.iter(), |z| &z.id)?;
    let body = ListZonesResponse {
        hosted_zones: ZonesXml { zone: page.items.into_iter().map(ZoneXml::new).collect() },
        marker: call.query("marker").unwrap_or_default(),
        is_truncated: page.next.is_some(),
        next_marker: page.next.map(|z| z.id.clone()),
        max_items: page.count_max,
    };
    xml::reply(200, "ListHostedZonesResponse", &body)
}

pub(crate) fn list_by_name(route53: &Route53, call: &Call) -> Result<Reply, AwsError> {
    let (dns_name, zone_id) = (call.query("dnsname"), call.query("hostedzoneid").map(api::bare));
    if dns_name.is_none() && zone_id.is_some() {
        return invalid("hostedzoneid needs dnsname");
    }
    let from = dns_name.map(|n| (name::sort_key(&name::absolute(n)), zone_id.unwrap_or_default()));
    let count_max = api::count_max(call, api::PAGE_MAX)?;
    let zones = route53.zones.lock();
    let mut sorted: Vec<_> = zones.iter().map(|z| ((name::sort_key(&z.name), z.id.as_str()), z)).collect();
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut rest =
        sorted.into_iter().filter(|(key, _)| from.as_ref().is_none_or(|f| key >= f)).map(|(_, z)| z);
    let zone = rest.by_ref().take(count_max).map(ZoneXml::new).collect();
    let next = rest.next();
    let body = ListZonesByNameResponse {
        hosted_zones: ZonesXml { zone },
        dns_name,
        hosted_zone_id: zone_id,
        is_truncated: next.is_some(),
        next_dns_name: next.map(|z| z.name.clone()),
        next_hosted_zone_id: next.map(|z| z.id.clone()),
        max_items: count_max,
    };
    xml::reply(200, "ListHostedZonesByNameResponse", &body)
}

pub(crate) fn delete(route53: &Route53, now: Timestamp, id: &str) -> Result<Reply, AwsError> {
    route53.zones.lock().delete(id)?;
    let body = ChangeResponse { change_info: submitted(route53, now, None) };
    xml::reply(200, "DeleteHostedZoneResponse", &body)
}

pub(crate) fn change(route53: &Route53, now: Timestamp, id: &str, call: &Call) -> Result<Reply, AwsError> {
    let ChangeRequest { change_batch } = xml::read(&call.body)?;
    let read = |c: ChangeXml| {
        let Some(action) = Action::parse(&c.action) else {
            return invalid(&format!("Action is CREATE, DELETE or UPSERT, not {}", c.action));
        };
        Ok(Change { action, set: c.resource_record_set.read()? })
    };
    let changes = change_batch.changes.change.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if changes.is_empty() {
        return invalid("Invalid request: Expected at least one change");
    }
    let checked =
        changes.iter().filter(|c| c.action != Action::Delete).filter_map(|c| c.set.health_check_id.as_ref());
    for check in checked {
        route53.checks.lock().get(check)?;
    }
    // Held while the change is made, so that no instance comes in between.
    let traffic = route53.traffic.lock();
    let owned = |c: &Change| traffic.owner(id, &c.set.name, c.set.kind).is_some();
    if let Some(change) = changes.iter().find(|c| owned(c)) {
        let message = format!("[{} belongs to a traffic policy instance]", change.set.label());
        return Err(AwsError::new(400, "InvalidChangeBatch", message));
    }
    route53.zones.lock().change(id, &changes)?;
    let body = ChangeResponse { change_info: submitted(route53, now, change_batch.comment) };
    xml::reply(200, "ChangeResourceRecordSetsResponse", &body)
}

pub(crate) fn get_change(route53: &Route53, id: &str) -> Result<Reply, AwsError> {
    // A change is in force when the call that made it returns.
    let change_info = ChangeInfoXml::new(route53.zones.lock().noted(id)?, INSYNC);
    xml::reply(200, "GetChangeResponse", &ChangeResponse { change_info })
}

pub(crate) fn list_records(route53: &Route53, id: &str, call: &Call) -> Result<Reply, AwsError> {
    let start = start(call)?;
    let count_max = api::count_max(call, RECORDS_PAGE_MAX)?;
    let traffic = route53.traffic.lock();
    let zones = route53.zones.lock();
    let (page, next) = zones.get(id)?.list(start.as_ref(), count_max);
    let told = |set: &RecordSet| RecordSetXml {
        traffic_policy_instance_id: traffic.owner(id, &set.name, set.kind).map(|i| i.id.clone()),
        ..RecordSetXml::new(set)
    };
    let body = ListRecordsResponse {
        resource_record_sets: RecordSetsXml { set: page.into_iter().map(told).collect() },
        is_truncated: next.is_some(),
        next_record_name: next.map(|s| s.name.clone()),
        next_record_type: next.map(|s| s.kind.as_str()),
        next_record_identifier: next.and_then(|s| s.set_identifier.clone()),
        max_items: count_max,
    };
    xml::reply(200, "ListResourceRecordSetsResponse", &body)
}

/// Where a listing starts: at a name, at a type of it, or at an identifier of that.
fn start(call: &Call) -> Result<Option<RecordKey>, AwsError> {
    let (kind, identifier) = (call.query("type"), call.query("identifier"));
    let Some(name) = call.query("name") else {
        return if kind.is_some() { invalid("type needs name") } else { Ok(None) };
    };
    if kind.is_none() && identifier.is_some() {
        return invalid("identifier needs name and type");
    }
    let kind = match kind.map(RecordType::parse) {
        Some(None) => return invalid("The twin has no records of this type"),
        Some(Some(kind)) => kind,
        None => RecordType::A,
    };
    let sort_name = name::sort_key(&name::absolute(name));
    Ok(Some(RecordKey { sort_name, kind, set_identifier: identifier.map(str::to_owned) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route53::{
        Answer,
        api::{bare, element},
    };

    const XMLNS: &str = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";

    fn with_zone() -> (Route53, String) {
        let route53 = Route53::new();
        let body = format!(
            "<CreateHostedZoneRequest {XMLNS}><Name>example.com</Name><CallerReference>r</CallerReference>\
             <HostedZoneConfig><Comment>game day</Comment></HostedZoneConfig></CreateHostedZoneRequest>"
        );
        let made = route53.call("POST /hostedzone", &body).unwrap();
        assert_eq!(made.reply.status, 201);
        let text = String::from_utf8(made.reply.body.to_vec()).unwrap();
        let id = bare(element(&text, "Id")).to_owned();
        assert!(made.reply.headers.iter().any(|(k, v)| *k == "location" && v.ends_with(&format!("/{id}"))));
        (route53, id)
    }

    fn failover(action: &str, role: &str, check: &str) -> String {
        let check =
            if check.is_empty() { String::new() } else { format!("<HealthCheckId>{check}</HealthCheckId>") };
        format!(
            "<Change><Action>{action}</Action><ResourceRecordSet><Name>fleet.example.com</Name><Type>CNAME</Type>\
             <SetIdentifier>{role}</SetIdentifier><Failover>{role}</Failover><TTL>10</TTL><ResourceRecords>\
             <ResourceRecord><Value>{role}.iot.amazonaws.com</Value></ResourceRecord></ResourceRecords>{check}\
             </ResourceRecordSet></Change>"
        )
    }

    fn batch(changes: &str) -> String {
        format!(
            "<ChangeResourceRecordSetsRequest {XMLNS}><ChangeBatch><Comment>c</Comment><Changes>{changes}</Changes>\
             </ChangeBatch></ChangeResourceRecordSetsRequest>"
        )
    }

    #[test]
    fn a_failover_pair_is_written_read_and_answered() {
        let (route53, id) = with_zone();
        let pair = failover("CREATE", "PRIMARY", "") + &failover("UPSERT", "SECONDARY", "");
        let changed = route53.text(&format!("POST /hostedzone/{id}/rrset/"), &batch(&pair));
        assert_eq!(element(&changed, "Status"), "PENDING");
        let change = route53.text(&format!("GET {}", element(&changed, "Id")), "");
        assert_eq!((element(&change, "Status"), element(&change, "Comment")), ("INSYNC", "c"));

        let listed = route53.text(&format!("GET /hostedzone/{id}/rrset?name=fleet.example.com"), "");
        assert_eq!(element(&listed, "Name"), "fleet.example.com.");
        assert_eq!((element(&listed, "TTL"), element(&listed, "Failover")), ("10", "PRIMARY"));
        assert_eq!(listed.matches("<ResourceRecordSet>").count(), 2);
        let Answer::Found(set) = route53.answer("FLEET.example.com", Some(RecordType::A)) else {
            panic!("the primary answers")
        };
        assert_eq!(set.values, ["PRIMARY.iot.amazonaws.com"]);
    }

    #[test]
    fn a_failed_batch_is_an_invalid_change_batch_with_all_messages() {
        let (route53, id) = with_zone();
        let line = format!("POST /hostedzone/{id}/rrset");
        let twice = failover("CREATE", "PRIMARY", "") + &failover("CREATE", "PRIMARY", "");
        let error = route53.call(&line, &batch(&twice)).unwrap_err();
        assert_eq!((error.status, error.code), (400, "InvalidChangeBatch"));
        assert_eq!(
            error.message,
            "[Tried to create resource record set [name='fleet.example.com.', type='CNAME', set \
             identifier='PRIMARY'] but it already exists]"
        );
        let listed = route53.text(&format!("GET /hostedzone/{id}/rrset"), "");
        assert_eq!(listed.matches("<ResourceRecordSet>").count(), 2, "nothing of the batch is applied");
    }

    #[test]
    fn batches_that_cannot_be_read_are_invalid_input() {
        let (route53, id) = with_zone();
        let line = format!("POST /hostedzone/{id}/rrset");
        let error = |changes: &str| route53.call(&line, &batch(changes)).unwrap_err();
        assert_eq!(error("").code, "InvalidInput");
        assert_eq!(error(&failover("MERGE", "PRIMARY", "")).code, "InvalidInput");
        assert_eq!(error(&failover("CREATE", "THIRD", "")).code, "InvalidInput");
        assert_eq!(error(&failover("CREATE", "PRIMARY", "none")).code, "NoSuchHealthCheck");
        let weighted = failover("CREATE", "PRIMARY", "").replace("<TTL>", "<Weight>1</Weight><TTL>");
        assert!(error(&weighted).message.contains("Weight"));
        let timeless = failover("CREATE", "PRIMARY", "").replace("<TTL>10</TTL>", "");
        assert!(error(&timeless).message.contains("Missing field 'TTL'"));
        assert_eq!(route53.call("POST /hostedzone/Z0/rrset", &batch(&weighted)).unwrap_err().status, 400);
    }

    #[test]
    fn records_are_listed_page_by_page() {
        let (route53, id) = with_zone();
        let pair = failover("CREATE", "PRIMARY", "") + &failover("CREATE", "SECONDARY", "");
        route53.text(&format!("POST /hostedzone/{id}/rrset/"), &batch(&pair));
        let first = route53.text(&format!("GET /hostedzone/{id}/rrset?maxitems=3"), "");
        assert_eq!((element(&first, "IsTruncated"), element(&first, "MaxItems")), ("true", "3"));
        let next = format!(
            "name={}&type={}&identifier={}",
            element(&first, "NextRecordName"),
            element(&first, "NextRecordType"),
            element(&first, "NextRecordIdentifier")
        );
        let rest = route53.text(&format!("GET /hostedzone/{id}/rrset?{next}"), "");
        assert_eq!(rest.matches("<ResourceRecordSet>").count(), 1);
        assert_eq!(element(&rest, "SetIdentifier"), "SECONDARY");
        assert!(route53.call(&format!("GET /hostedzone/{id}/rrset?type=A"), "").is_err());
    }

    #[test]
    fn zones_are_listed_found_by_name_and_deleted_when_empty() {
        let (route53, id) = with_zone();
        let listed = route53.text("GET /hostedzone", "");
        assert_eq!(element(&listed, "ResourceRecordSetCount"), "2");
        let by_name = |name: &str| route53.text(&format!("GET /hostedzonesbyname?dnsname={name}"), "");
        assert_eq!(element(&by_name("example.com"), "Id"), format!("/hostedzone/{id}"));
        assert!(!by_name("zzz.org").contains("<HostedZone>"));
        let got = route53.text(&format!("GET /hostedzone/%2Fhostedzone%2F{id}"), "");
        assert_eq!(element(&got, "PrivateZone"), "false");
        assert_eq!(got.matches("<NameServer>").count(), 4);

        let line = format!("POST /hostedzone/{id}/rrset/");
        route53.text(&line, &batch(&failover("CREATE", "PRIMARY", "")));
        let full = route53.call(&format!("DELETE /hostedzone/{id}"), "").unwrap_err();
        assert_eq!((full.status, full.code), (400, "HostedZoneNotEmpty"));
        route53.text(&line, &batch(&failover("DELETE", "PRIMARY", "")));
        route53.text(&format!("DELETE /hostedzone/{id}"), "");
        assert_eq!(route53.call(&format!("GET /hostedzone/{id}"), "").unwrap_err().status, 404);
    }
}
