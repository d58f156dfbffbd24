//! Operations on what tables are set to: time to live, point-in-time recovery, tags.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, TableName, input, table_name},
    item::invalid,
    table::Table,
    tables::{Tables, not_found},
};
use crate::error::AwsError;

/// Tags of a table, as AWS has it.
const TAGS_MAX: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateTimeToLive {
    table_name: String,
    time_to_live_specification: TimeToLiveSpecification,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLiveSpecification {
    enabled: bool,
    attribute_name: String,
}

pub(crate) fn update_time_to_live(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: UpdateTimeToLive = input(request)?;
    let TimeToLiveSpecification { enabled, attribute_name } = request.time_to_live_specification;
    let name = table_name(&request.table_name);
    let mut tables = context.db.tables.lock();
    let table = tables.named(context.region, name)?;
    if enabled == table.ttl_attribute().is_some() {
        let state = if enabled { "enabled" } else { "disabled" };
        return Err(invalid(format!("TimeToLive is already {state}")));
    }
    if !enabled && table.ttl_attribute() != Some(attribute_name.as_str()) {
        return Err(invalid(format!("TimeToLive is active on a different AttributeName: {attribute_name}")));
    }
    // Set once, it holds in every replica; version 2017.11.29 has it in each Region on its own.
    let mut regions = if table.legacy { std::collections::BTreeSet::new() } else { table.replicas.clone() };
    regions.insert(context.region.to_owned());
    for table in tables.in_regions(&regions, name) {
        table.set_ttl_attribute(enabled.then(|| attribute_name.clone()));
    }
    Ok(json!({"TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute_name}}))
}

pub(crate) fn describe_time_to_live(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TableName = input(request)?;
    let mut tables = context.db.tables.lock();
    let table = tables.named(context.region, table_name(&request.table_name))?;
    Ok(json!({"TimeToLiveDescription": match table.ttl_attribute() {
        Some(name) => json!({"TimeToLiveStatus": "ENABLED", "AttributeName": name}),
        None => json!({"TimeToLiveStatus": "DISABLED"}),
    }}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateContinuousBackups {
    table_name: String,
    point_in_time_recovery_specification: RecoverySpecification,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecoverySpecification {
    point_in_time_recovery_enabled: bool,
    recovery_period_in_days: Option<u32>,
}

fn backed_up<'a>(
    context: &Context<'_>,
    tables: &'a mut Tables,
    name: &str,
) -> Result<&'a mut Table, AwsError> {
    let name = table_name(name);
    tables
        .get_mut(context.region, name)
        .ok_or_else(|| AwsError::new(400, "TableNotFoundException", format!("Table not found: {name}")))
}

pub(crate) fn update_continuous_backups(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: UpdateContinuousBackups = input(request)?;
    let wanted = request.point_in_time_recovery_specification;
    let mut tables = context.db.tables.lock();
    let settings = &mut backed_up(context, &mut tables, &request.table_name)?.settings;
    settings.set_recovery(
        wanted.point_in_time_recovery_enabled,
        wanted.recovery_period_in_days,
        context.now,
    )?;
    Ok(settings.backups(context.now))
}

pub(crate) fn describe_continuous_backups(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TableName = input(request)?;
    let mut tables = context.db.tables.lock();
    Ok(backed_up(context, &mut tables, &request.table_name)?.settings.backups(context.now))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagResource {
    resource_arn: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

fn resource<'a>(context: &Context<'_>, tables: &'a mut Tables, arn: &str) -> Result<&'a mut Table, AwsError> {
    let table = tables.get_mut(context.region, table_name(arn)).filter(|t| t.arn == arn);
    table.ok_or_else(|| not_found(format!("Requested resource not found: ResourcArn: {arn} not found")))
}

/// Adds tags, or none of them if they would be too many.
pub(crate) fn add_tags(tags: &mut BTreeMap<String, String>, more: Vec<Tag>) -> Result<(), AwsError> {
    let mut all = tags.clone();
    all.extend(more.into_iter().map(|t| (t.key, t.value)));
    if all.len() > TAGS_MAX {
        return Err(invalid(format!("The number of tags exceeds the limit of {TAGS_MAX}")));
    }
    *tags = all;
    Ok(())
}

pub(crate) fn tag_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TagResource = input(request)?;
    let mut tables = context.db.tables.lock();
    let table = resource(context, &mut tables, &request.resource_arn)?;
    add_tags(&mut table.tags, request.tags)?;
    Ok(json!({}))
}

pub(crate) fn untag_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TagResource = input(request)?;
    let mut tables = context.db.tables.lock();
    let table = resource(context, &mut tables, &request.resource_arn)?;
    table.tags.retain(|key, _| !request.tag_keys.contains(key));
    Ok(json!({}))
}

pub(crate) fn list_tags_of_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TagResource = input(request)?;
    let mut tables = context.db.tables.lock();
    let tags = &resource(context, &mut tables, &request.resource_arn)?.tags;
    let tags: Vec<Json> = tags.iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
    Ok(json!({"Tags": tags}))
}
