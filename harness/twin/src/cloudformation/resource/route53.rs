//! The types of `AWS::Route53`.

use axum::http::Method;
use bytes::Bytes;
use quick_xml::escape::escape;
use serde_json::{Map, Value as Json, json};

use super::{Failure, Job, Made, own_tags, required, text};
use crate::cloudformation::client::{Rest, element};

const BASE: &str = "/2013-04-01";
/// What `UpdateHealthCheck` cannot change.
const FIXED: [&str; 3] = ["MeasureLatency", "RequestInterval", "Type"];
/// What of a record set's properties is no member of the record set.
const NO_MEMBERS: [&str; 3] = ["Comment", "HostedZoneId", "HostedZoneName"];

async fn send(job: &Job<'_>, method: Method, path: &str, body: String) -> Result<String, Failure> {
    let rest = Rest { body: Bytes::from(body), ..Rest::default() };
    let reply = job.client().send("route53", method, &format!("{BASE}/{path}"), rest).await?;
    Ok(String::from_utf8_lossy(&reply.body).into_owned())
}

/// A value as an element. Items of a list are named after it: `Regions` holds `Region`.
fn xml(name: &str, value: &Json) -> String {
    let inner = match value {
        Json::Object(map) => map.iter().map(|(name, value)| xml(name, value)).collect(),
        Json::Array(list) => {
            let item = name.strip_suffix('s').unwrap_or(name);
            list.iter().map(|value| xml(item, value)).collect()
        }
        other => escape(text(other).unwrap_or_default()).into_owned(),
    };
    format!("<{name}>{inner}</{name}>")
}

pub(super) async fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    match job.kind {
        "AWS::Route53::HealthCheck" => {
            let request = json!({
                "CallerReference": uuid::Uuid::new_v4().to_string(),
                "HealthCheckConfig": properties["HealthCheckConfig"],
            });
            let answer =
                send(job, Method::POST, "healthcheck", xml("CreateHealthCheckRequest", &request)).await?;
            let id = element(&answer, "Id").unwrap_or_default();
            tag(job, "healthcheck", &id, &properties["HealthCheckTags"]).await.map_err(|f| f.leaving(&id))?;
            Ok(Made::new(id.clone(), [("HealthCheckId", json!(id))]))
        }
        "AWS::Route53::HostedZone" => {
            let mut request = json!({
                "Name": required(properties, "Name")?,
                "CallerReference": uuid::Uuid::new_v4().to_string(),
            });
            if let Some(config) = properties.get("HostedZoneConfig") {
                request["HostedZoneConfig"] = config.clone();
            }
            let answer =
                send(job, Method::POST, "hostedzone", xml("CreateHostedZoneRequest", &request)).await?;
            let id = element(&answer, "Id").unwrap_or_default().replace("/hostedzone/", "");
            tag(job, "hostedzone", &id, &properties["HostedZoneTags"]).await.map_err(|f| f.leaving(&id))?;
            Ok(zone(&id, &answer))
        }
        "AWS::Route53::RecordSet" => {
            change(job, properties, vec![("CREATE", record(properties)?)]).await?;
            Ok(Made::new(required(properties, "Name")?, []))
        }
        "AWS::Route53::RecordSetGroup" => {
            change(job, properties, records("CREATE", properties)?).await?;
            Ok(Made::new(format!("{}-{}-{}", job.stack_name, job.logical, super::suffix()), []))
        }
        other => Err(Failure::new(format!("The twin does not make resources of type {other}"))),
    }
}

fn zone(id: &str, answer: &str) -> Made {
    let servers: Vec<&str> = answer
        .split("<NameServer>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</NameServer>").map(|(name, _)| name))
        .collect();
    Made::new(id, [("Id", json!(id)), ("NameServers", json!(servers))])
}

async fn tag(job: &Job<'_>, kind: &str, id: &str, tags: &Json) -> Result<(), Failure> {
    let tags: Vec<Json> =
        own_tags(tags).iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    if tags.is_empty() {
        return Ok(());
    }
    let body = xml("ChangeTagsForResourceRequest", &json!({"AddTags": tags})).replace("<AddTag>", "<Tag>");
    let body = body.replace("</AddTag>", "</Tag>");
    send(job, Method::POST, &format!("tags/{kind}/{id}"), body).await.map(drop)
}

/// A record set as the API has it.
fn record(properties: &Json) -> Result<Json, Failure> {
    let mut record: Map<String, Json> = properties.as_object().cloned().unwrap_or_default();
    record.retain(|name, _| !NO_MEMBERS.contains(&name.as_str()));
    if let Some(values) = properties["ResourceRecords"].as_array() {
        let values: Option<Vec<Json>> = values.iter().map(|v| Some(json!({"Value": text(v)?}))).collect();
        let values = values.ok_or_else(|| Failure::new("ResourceRecords must be a list of strings"))?;
        record.insert("ResourceRecords".to_owned(), json!(values));
    }
    Ok(Json::Object(record))
}

fn records<'a>(action: &'a str, group: &Json) -> Result<Vec<(&'a str, Json)>, Failure> {
    group["RecordSets"].as_array().into_iter().flatten().map(|r| Ok((action, record(r)?))).collect()
}

/// One batch of changes in the zone that the properties name.
async fn change(job: &Job<'_>, properties: &Json, changes: Vec<(&str, Json)>) -> Result<(), Failure> {
    if changes.is_empty() {
        return Ok(());
    }
    let zone = match text(&properties["HostedZoneId"]) {
        Some(id) => id,
        None => zone_named(job, &required(properties, "HostedZoneName")?).await?,
    };
    let mut batch = json!({
        "Changes": changes
            .into_iter()
            .map(|(action, record)| json!({"Action": action, "ResourceRecordSet": record}))
            .collect::<Vec<_>>(),
    });
    if let Some(comment) = properties.get("Comment") {
        batch["Comment"] = comment.clone();
    }
    let body = xml("ChangeResourceRecordSetsRequest", &json!({"ChangeBatch": batch}));
    send(job, Method::POST, &format!("hostedzone/{zone}/rrset/"), body).await.map(drop)
}

async fn zone_named(job: &Job<'_>, name: &str) -> Result<String, Failure> {
    let rest = Rest { query: &[("dnsname", name), ("maxitems", "1")], ..Rest::default() };
    let path = format!("{BASE}/hostedzonesbyname");
    let reply = job.client().send("route53", Method::GET, &path, rest).await?;
    let answer = String::from_utf8_lossy(&reply.body).into_owned();
    let zone = answer.split_once("<HostedZone>").map(|(_, zone)| zone).unwrap_or_default();
    let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    match (element(zone, "Name"), element(zone, "Id")) {
        (Some(found), Some(id)) if bare(&found) == bare(name) => Ok(id.replace("/hostedzone/", "")),
        _ => Err(Failure::new(format!("No hosted zones named {name} found"))),
    }
}

pub(super) async fn update(job: &Job<'_>, id: &str, old: &Json, new: &Json) -> Result<Made, Failure> {
    match job.kind {
        "AWS::Route53::HealthCheck" => {
            let mut config = new["HealthCheckConfig"].as_object().cloned().unwrap_or_default();
            config.retain(|name, _| !FIXED.contains(&name.as_str()));
            let body = xml("UpdateHealthCheckRequest", &Json::Object(config));
            send(job, Method::POST, &format!("healthcheck/{id}"), body).await?;
            Ok(Made::new(id, [("HealthCheckId", json!(id))]))
        }
        "AWS::Route53::HostedZone" => {
            let (before, after) = (&old["HostedZoneConfig"]["Comment"], &new["HostedZoneConfig"]["Comment"]);
            if before != after {
                let body = xml("UpdateHostedZoneCommentRequest", &json!({"Comment": after}));
                send(job, Method::POST, &format!("hostedzone/{id}"), body).await?;
            }
            let answer = send(job, Method::GET, &format!("hostedzone/{id}"), String::new()).await?;
            Ok(zone(id, &answer))
        }
        "AWS::Route53::RecordSet" => {
            change(job, new, vec![("DELETE", record(old)?), ("CREATE", record(new)?)]).await?;
            Ok(Made::new(id, []))
        }
        _ => {
            let mut changes = records("DELETE", old)?;
            changes.extend(records("CREATE", new)?);
            change(job, new, changes).await?;
            Ok(Made::new(id, []))
        }
    }
}

pub(super) async fn delete(job: &Job<'_>, id: &str, properties: &Json) -> Result<(), Failure> {
    match job.kind {
        "AWS::Route53::HealthCheck" => {
            send(job, Method::DELETE, &format!("healthcheck/{id}"), String::new()).await.map(drop)
        }
        "AWS::Route53::HostedZone" => {
            send(job, Method::DELETE, &format!("hostedzone/{id}"), String::new()).await.map(drop)
        }
        "AWS::Route53::RecordSet" => {
            gone(change(job, properties, vec![("DELETE", record(properties)?)]).await)
        }
        _ => gone(change(job, properties, records("DELETE", properties)?).await),
    }
}

/// A record that somebody else deleted is fine.
fn gone(deleted: Result<(), Failure>) -> Result<(), Failure> {
    match deleted {
        Err(failure) if failure.reason.contains("not found") => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_items_named_after_them() {
        let value = json!({"Regions": ["a", "b&c"], "Port": 80});
        let wanted =
            "<Config><Port>80</Port><Regions><Region>a</Region><Region>b&amp;c</Region></Regions></Config>";
        assert_eq!(xml("Config", &value), wanted);
    }
}
