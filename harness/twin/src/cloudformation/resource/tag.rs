//! Tags in an update: what is new or different is set, what is gone is taken away, each service in its own words.

use std::collections::BTreeMap;

use axum::http::Method;
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{Failure, Job, Made, own_tags, segment, text};
use crate::cloudformation::client::Rest;

/// What differs between the tags of two properties.
#[derive(Debug, PartialEq)]
struct Change {
    set: BTreeMap<String, String>,
    gone: Vec<String>,
}

impl Change {
    fn between(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Self {
        let is_new = |(key, value): &(&String, &String)| old.get(*key) != Some(*value);
        Self {
            set: new.iter().filter(is_new).map(|(key, value)| (key.clone(), value.clone())).collect(),
            gone: old.keys().filter(|key| !new.contains_key(*key)).cloned().collect(),
        }
    }

    /// The tags to set as a list, whose members are called this.
    fn list(&self, key: &str, value: &str) -> Json {
        self.set.iter().map(|(k, v)| json!({key: k, value: v})).collect()
    }
}

/// Makes a resource's tags those of its new properties. Types whose tags cannot be changed are left alone.
pub(super) async fn update(job: &Job<'_>, made: &Made, old: &Json, new: &Json) -> Result<(), Failure> {
    let property = match job.kind {
        "AWS::Route53::HealthCheck" => "HealthCheckTags",
        "AWS::Route53::HostedZone" => "HostedZoneTags",
        _ => "Tags",
    };
    let (old, new) = (&old[property], &new[property]);
    if old == new {
        return Ok(());
    }
    // Those that have the stack's tags beneath their own fall back to them.
    let change = match job.kind {
        "AWS::DynamoDB::Table" | "AWS::Lambda::Function" | "AWS::StepFunctions::StateMachine" => {
            Change::between(&job.tags(old), &job.tags(new))
        }
        _ => Change::between(&own_tags(old), &own_tags(new)),
    };
    let arn = || text(&made.attributes.get("Arn").cloned().unwrap_or_default()).unwrap_or_default();
    let id = made.id.as_str();
    match job.kind {
        "AWS::DynamoDB::Table" => {
            let service = ("dynamodb", "DynamoDB_20120810.TagResource", "DynamoDB_20120810.UntagResource");
            let of = json!({"ResourceArn": arn()});
            rpc(job, service, of, ("Tags", change.list("Key", "Value")), ("TagKeys", &change)).await
        }
        "AWS::Events::Rule" => {
            let service = ("events", "AWSEvents.TagResource", "AWSEvents.UntagResource");
            let of = json!({"ResourceARN": arn()});
            rpc(job, service, of, ("Tags", change.list("Key", "Value")), ("TagKeys", &change)).await
        }
        "AWS::SQS::Queue" => {
            let service = ("sqs", "AmazonSQS.TagQueue", "AmazonSQS.UntagQueue");
            rpc(job, service, json!({"QueueUrl": id}), ("Tags", json!(change.set)), ("TagKeys", &change))
                .await
        }
        "AWS::StepFunctions::StateMachine" => {
            let service = ("states", "AWSStepFunctions.TagResource", "AWSStepFunctions.UntagResource");
            let of = json!({"resourceArn": id});
            rpc(job, service, of, ("tags", change.list("key", "value")), ("tagKeys", &change)).await
        }
        "AWS::IoT::ThingType" => iot(job, &format!("thingtype/{id}"), &change).await,
        "AWS::IoT::Policy" => iot(job, &format!("policy/{id}"), &change).await,
        "AWS::IoT::TopicRule" => iot(job, &format!("rule/{id}"), &change).await,
        "AWS::Lambda::Function" => lambda(job, &job.arn("lambda", &format!("function:{id}")), &change).await,
        "AWS::Route53::HealthCheck" => route53(job, &format!("healthcheck/{id}"), &change).await,
        "AWS::Route53::HostedZone" => route53(job, &format!("hostedzone/{id}"), &change).await,
        _ => Ok(()),
    }
}

/// JSON's protocols: the service and its two operations, what names the resource, and the members for what is set and
/// what is gone.
async fn rpc(
    job: &Job<'_>,
    (service, tag, untag): (&str, &str, &str),
    of: Json,
    (set_member, set): (&str, Json),
    (gone_member, change): (&str, &Change),
) -> Result<(), Failure> {
    if !change.gone.is_empty() {
        let mut request = of.clone();
        request[gone_member] = json!(change.gone);
        job.client().rpc(service, untag, &request).await?;
    }
    if !change.set.is_empty() {
        let mut request = of;
        request[set_member] = set;
        job.client().rpc(service, tag, &request).await?;
    }
    Ok(())
}

async fn iot(job: &Job<'_>, resource: &str, change: &Change) -> Result<(), Failure> {
    let arn = job.arn("iot", resource);
    if !change.gone.is_empty() {
        let request = json!({"resourceArn": arn, "tagKeys": change.gone});
        job.client().rest("iot", Method::POST, "/untag", &request).await?;
    }
    if !change.set.is_empty() {
        let request = json!({"resourceArn": arn, "tags": change.list("Key", "Value")});
        job.client().rest("iot", Method::POST, "/tags", &request).await?;
    }
    Ok(())
}

async fn lambda(job: &Job<'_>, arn: &str, change: &Change) -> Result<(), Failure> {
    let path = format!("/2017-03-31/tags/{}", segment(arn));
    if !change.gone.is_empty() {
        let query: Vec<(&str, &str)> = change.gone.iter().map(|key| ("tagKeys", key.as_str())).collect();
        let rest = Rest { query: &query, ..Rest::default() };
        job.client().send("lambda", Method::DELETE, &path, rest).await?;
    }
    if !change.set.is_empty() {
        job.client().rest("lambda", Method::POST, &path, &json!({"Tags": change.set})).await?;
    }
    Ok(())
}

async fn route53(job: &Job<'_>, resource: &str, change: &Change) -> Result<(), Failure> {
    use quick_xml::escape::escape;
    let mut body = String::new();
    if !change.set.is_empty() {
        let tags = change.set.iter().map(|(key, value)| {
            format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escape(key), escape(value))
        });
        body.extend(["<AddTags>", &tags.collect::<String>(), "</AddTags>"]);
    }
    if !change.gone.is_empty() {
        let keys = change.gone.iter().map(|key| format!("<Key>{}</Key>", escape(key)));
        body.extend(["<RemoveTagKeys>", &keys.collect::<String>(), "</RemoveTagKeys>"]);
    }
    let body = format!("<ChangeTagsForResourceRequest>{body}</ChangeTagsForResourceRequest>");
    let rest = Rest { body: Bytes::from(body), ..Rest::default() };
    job.client().send("route53", Method::POST, &format!("/2013-04-01/tags/{resource}"), rest).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_sets_what_differs_and_takes_away_what_is_gone() {
        let tags = |json: Json| own_tags(&json);
        let old =
            tags(json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}, {"Key": "c", "Value": "3"}]));
        let new = tags(json!({"a": "1", "b": "5", "d": "4"}));
        let change = Change::between(&old, &new);
        assert_eq!(change, Change { set: tags(json!({"b": "5", "d": "4"})), gone: vec!["c".to_owned()] });
        let none = Change::between(&new, &new);
        assert!(none.set.is_empty() && none.gone.is_empty());
    }
}
