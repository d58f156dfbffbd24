//! `AWS::DynamoDB::Table` and `AWS::DynamoDB::GlobalTable`.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value as Json, json};

use super::{Failure, Job, Made, text, typed};

/// A table becomes active within this.
const ACTIVE_TRIES_MAX: u32 = 600;
const ACTIVE_WAIT: Duration = Duration::from_millis(100);
const TYPED: &[&str] = &[
    "DeletionProtectionEnabled",
    "Enabled",
    "ReadCapacityUnits",
    "SSEEnabled",
    "WriteCapacityUnits",
    "MaxReadRequestUnits",
    "MaxWriteRequestUnits",
];
/// What creating passes on as it is.
const PASSED: &[&str] = &[
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
];
/// What one call of an update changes.
const CAPACITY: &[&str] =
    &["BillingMode", "DeletionProtectionEnabled", "ProvisionedThroughput", "TableClass"];
/// What an update changes besides.
const CHANGED: &[&str] = &["StreamSpecification", "Replicas", "TimeToLiveSpecification", "Tags"];
/// What is taken and does nothing in the twin.
const IGNORED: &[&str] = &[
    "ContributorInsightsSpecification",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
    "WriteOnDemandThroughputSettings",
];

pub(super) async fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    let name = job.name(properties, "TableName", 255);
    let mut request = typed(super::picked(properties, PASSED), TYPED);
    request["TableName"] = json!(name);
    let replicas = replicas(job, properties);
    if let Some(view) = view(job, properties) {
        request["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": view});
    }
    let tags: Vec<Json> =
        job.tags(&properties["Tags"]).iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
    request["Tags"] = json!(tags);
    if job.kind == "AWS::DynamoDB::GlobalTable" && !own_replica(job, properties) {
        let region = job.region;
        return Err(Failure::new(format!("Replicas must contain the Region of the stack, {region}")));
    }
    rpc(job, "CreateTable", &request).await?;
    finish(job, &name, properties, &replicas).await.map_err(|failure| failure.leaving(&name))
}

async fn finish(
    job: &Job<'_>,
    name: &str,
    properties: &Json,
    replicas: &BTreeSet<String>,
) -> Result<Made, Failure> {
    let mut made = active(job, name).await?;
    for region in replicas {
        replicate(job, name, "Create", region).await?;
        made = active(job, name).await?;
    }
    let ttl = typed(properties["TimeToLiveSpecification"].clone(), TYPED);
    if ttl["Enabled"] == true {
        time_to_live(job, name, &ttl).await?;
    }
    Ok(made)
}

async fn rpc(job: &Job<'_>, operation: &str, body: &Json) -> Result<Json, Failure> {
    job.client().rpc("dynamodb", &format!("DynamoDB_20120810.{operation}"), body).await
}

async fn replicate(job: &Job<'_>, name: &str, action: &str, region: &str) -> Result<(), Failure> {
    let update = json!({"TableName": name, "ReplicaUpdates": [{ action: {"RegionName": region} }]});
    rpc(job, "UpdateTable", &update).await.map(drop)
}

async fn time_to_live(job: &Job<'_>, name: &str, ttl: &Json) -> Result<(), Failure> {
    let request = json!({"TableName": name, "TimeToLiveSpecification": ttl});
    rpc(job, "UpdateTimeToLive", &request).await.map(drop)
}

/// The Regions of the replicas but this one.
fn replicas(job: &Job<'_>, properties: &Json) -> BTreeSet<String> {
    regions(properties).filter(|region| region != job.region).collect()
}

fn own_replica(job: &Job<'_>, properties: &Json) -> bool {
    regions(properties).any(|region| region == job.region)
}

fn regions(properties: &Json) -> impl Iterator<Item = String> {
    properties["Replicas"].as_array().into_iter().flatten().filter_map(|replica| text(&replica["Region"]))
}

/// The view of the stream, which a table with replicas always has.
fn view(job: &Job<'_>, properties: &Json) -> Option<String> {
    let asked = text(&properties["StreamSpecification"]["StreamViewType"]);
    let is_replicated = !replicas(job, properties).is_empty();
    asked.or_else(|| is_replicated.then(|| "NEW_AND_OLD_IMAGES".to_owned()))
}

/// Waits until the table is active.
async fn active(job: &Job<'_>, name: &str) -> Result<Made, Failure> {
    for _ in 0..ACTIVE_TRIES_MAX {
        let answer = rpc(job, "DescribeTable", &json!({"TableName": name})).await?;
        let table = &answer["Table"];
        let replicas = table["Replicas"].as_array().into_iter().flatten();
        let is_there =
            |replica: &Json| replica["ReplicaStatus"].as_str().is_none_or(|status| status == "ACTIVE");
        if table["TableStatus"] == "ACTIVE" && replicas.clone().all(is_there) {
            let mut made = Made::new(name, [("Arn", table["TableArn"].clone())]);
            for (attribute, member) in [("StreamArn", "LatestStreamArn"), ("TableId", "TableId")] {
                if let Some(value) = table.get(member).filter(|value| value.is_string()) {
                    made.attributes.insert(attribute.to_owned(), value.clone());
                }
            }
            return Ok(made);
        }
        tokio::time::sleep(ACTIVE_WAIT).await;
    }
    Err(Failure::new(format!("Table {name} did not stabilize")))
}

pub(super) async fn update(job: &Job<'_>, id: &str, old: &Json, new: &Json) -> Result<Made, Failure> {
    let changed = super::super::change_set::changed(old, new);
    let unknown = |name: &&String| ![CAPACITY, CHANGED, IGNORED].concat().contains(&name.as_str());
    if let Some(name) = changed.iter().find(unknown) {
        return Err(Failure::new(format!("The twin cannot change {name} of a table in place")));
    }
    if changed.iter().any(|name| CAPACITY.contains(&name.as_str())) {
        let mut request = typed(super::picked(new, CAPACITY), TYPED);
        request["TableName"] = json!(id);
        rpc(job, "UpdateTable", &request).await?;
        active(job, id).await?;
    }
    let (before, after) = (view(job, old), view(job, new));
    if before != after {
        // A stream's view cannot be changed: the stream ends and another begins, with another ARN.
        if before.is_some() {
            stream(job, id, json!({"StreamEnabled": false})).await?;
        }
        if let Some(view) = after {
            stream(job, id, json!({"StreamEnabled": true, "StreamViewType": view})).await?;
        }
    }
    let (before, after) = (replicas(job, old), replicas(job, new));
    for region in before.difference(&after) {
        replicate(job, id, "Delete", region).await?;
    }
    for region in after.difference(&before) {
        replicate(job, id, "Create", region).await?;
    }
    let (before, after) = [old, new].map(|p| typed(p["TimeToLiveSpecification"].clone(), TYPED)).into();
    if before != after {
        if before["Enabled"] == true {
            let off = json!({"Enabled": false, "AttributeName": before["AttributeName"]});
            time_to_live(job, id, &off).await?;
        }
        if after["Enabled"] == true {
            time_to_live(job, id, &after).await?;
        }
    }
    active(job, id).await
}

async fn stream(job: &Job<'_>, name: &str, specification: Json) -> Result<(), Failure> {
    let request = json!({"TableName": name, "StreamSpecification": specification});
    rpc(job, "UpdateTable", &request).await.map(drop)
}

pub(super) async fn delete(job: &Job<'_>, id: &str, properties: &Json) -> Result<(), Failure> {
    for region in replicas(job, properties) {
        match replicate(job, id, "Delete", &region).await {
            Err(failure) if failure.is_not_found() => {}
            other => other?,
        }
    }
    rpc(job, "DeleteTable", &json!({"TableName": id})).await.map(drop)
}
