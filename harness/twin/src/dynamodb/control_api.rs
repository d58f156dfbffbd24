//! Operations on tables: create, describe, replicate, delete, time to live, tags.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, input, seconds, table_name},
    item::invalid,
    stream::View,
    table::{KeyAttribute, Schema, Table},
    tables::{Tables, not_found},
};
use crate::error::AwsError;

/// Table names in one page of a list, as AWS has it.
const TABLES_PER_PAGE_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeDefinition {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeySchemaElement {
    attribute_name: String,
    key_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamSpecification {
    stream_enabled: bool,
    stream_view_type: Option<View>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateTable {
    table_name: String,
    attribute_definitions: Vec<AttributeDefinition>,
    key_schema: Vec<KeySchemaElement>,
    stream_specification: Option<StreamSpecification>,
    #[serde(default)]
    tags: Vec<Tag>,
    global_secondary_indexes: Option<Json>,
    local_secondary_indexes: Option<Json>,
}

pub(crate) fn create_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: CreateTable = input(request)?;
    if request.global_secondary_indexes.is_some() || request.local_secondary_indexes.is_some() {
        return Err(invalid("The twin has no secondary indexes"));
    }
    check_name(&request.table_name)?;
    let schema = schema(&request)?;
    let mut table = Table::new(&request.table_name, context.region, context.account, schema, context.now);
    table.tags = request.tags.into_iter().map(|t| (t.key, t.value)).collect();
    if let Some(view) = view(request.stream_specification.as_ref())? {
        table.enable_stream(view, context.now);
    }
    let mut tables = context.db.tables.lock();
    let table = tables.create(table)?;
    Ok(json!({"TableDescription": description(table)}))
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if (3..=255).contains(&name.len()) && name.chars().all(is_allowed) {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: 3 to 255 of \
         [a-zA-Z0-9_.-]"
    )))
}

fn schema(request: &CreateTable) -> Result<Schema, AwsError> {
    let attribute = |key_type: &str| -> Result<Option<KeyAttribute>, AwsError> {
        let Some(element) = request.key_schema.iter().find(|e| e.key_type == key_type) else {
            return Ok(None);
        };
        let name = &element.attribute_name;
        let definition = request.attribute_definitions.iter().find(|d| d.attribute_name == *name);
        let kind =
            definition.map(|d| d.attribute_type.clone()).filter(|k| ["S", "N", "B"].contains(&k.as_str()));
        let kind = kind.ok_or_else(|| {
            invalid(format!(
                "One or more parameter values were invalid: Some index key attributes are not defined in \
                 AttributeDefinitions. Keys: [{name}]"
            ))
        })?;
        Ok(Some(KeyAttribute { name: name.clone(), kind }))
    };
    let hash = attribute("HASH")?.ok_or_else(|| invalid("Invalid KeySchema: No hash key found"))?;
    let range = attribute("RANGE")?;
    let keys = 1 + usize::from(range.is_some());
    if request.key_schema.len() != keys || request.attribute_definitions.len() != keys {
        return Err(invalid(
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match \
             number of attributes defined in AttributeDefinitions",
        ));
    }
    Ok(Schema { hash, range })
}

fn view(specification: Option<&StreamSpecification>) -> Result<Option<View>, AwsError> {
    match specification {
        Some(s) if s.stream_enabled => s.stream_view_type.map(Some).ok_or_else(|| {
            invalid("One or more parameter values were invalid: StreamEnabled is true and StreamViewType is missing")
        }),
        _ => Ok(None),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableName {
    table_name: String,
}

pub(crate) fn describe_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TableName = input(request)?;
    let mut tables = context.db.tables.lock();
    let table = tables.named(context.region, table_name(&request.table_name))?;
    Ok(json!({"Table": description(table)}))
}

pub(crate) fn delete_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TableName = input(request)?;
    let table = context.db.tables.lock().delete(context.region, table_name(&request.table_name))?;
    let mut description = description(&table);
    description["TableStatus"] = json!("DELETING");
    Ok(json!({"TableDescription": description}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateTable {
    table_name: String,
    #[serde(default)]
    replica_updates: Vec<ReplicaUpdate>,
    stream_specification: Option<StreamSpecification>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReplicaUpdate {
    create: Option<RegionName>,
    delete: Option<RegionName>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RegionName {
    region_name: String,
}

pub(crate) fn update_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: UpdateTable = input(request)?;
    let name = table_name(&request.table_name);
    let mut tables = context.db.tables.lock();
    tables.named(context.region, name)?;
    if let Some(specification) = &request.stream_specification {
        update_stream(context, &mut tables, name, specification)?;
    }
    for update in &request.replica_updates {
        if let Some(RegionName { region_name }) = &update.create {
            if !context.regions.contains(region_name) {
                return Err(invalid(format!("Region {region_name} is not a Region of the twin")));
            }
            tables.add_replica((context.region, name), region_name, context.account, context.now)?;
        }
        if let Some(RegionName { region_name }) = &update.delete {
            if !tables.named(context.region, name)?.replicas.contains(region_name) {
                return Err(AwsError::new(
                    400,
                    "ReplicaNotFoundException",
                    format!("Replica not found in Region {region_name}"),
                ));
            }
            tables.delete(region_name, name)?;
        }
    }
    Ok(json!({"TableDescription": description(tables.named(context.region, name)?)}))
}

fn update_stream(
    context: &Context<'_>,
    tables: &mut Tables,
    name: &str,
    specification: &StreamSpecification,
) -> Result<(), AwsError> {
    let table = tables.named(context.region, name)?;
    match (view(Some(specification))?, &table.stream) {
        (Some(_), Some(_)) => Err(invalid(format!("Table already has an enabled stream: TableName: {name}"))),
        (Some(view), None) => {
            table.enable_stream(view, context.now);
            Ok(())
        }
        (None, None) => Err(invalid(format!("Table has no stream to disable: TableName: {name}"))),
        (None, Some(_)) if !table.replicas.is_empty() => {
            Err(invalid("Stream cannot be disabled on a table that has replicas"))
        }
        (None, Some(_)) => {
            table.stream = None;
            Ok(())
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListTables {
    exclusive_start_table_name: Option<String>,
    limit: Option<usize>,
}

pub(crate) fn list_tables(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: ListTables = input(request)?;
    let limit = request.limit.unwrap_or(TABLES_PER_PAGE_MAX).clamp(1, TABLES_PER_PAGE_MAX);
    let tables = context.db.tables.lock();
    let start = request.exclusive_start_table_name;
    let mut names: Vec<String> = tables
        .of_region(context.region)
        .map(|t| t.name.clone())
        .filter(|name| start.as_ref().is_none_or(|s| name > s))
        .collect();
    let more = names.len() > limit;
    names.truncate(limit);
    let mut answer = json!({"TableNames": names});
    if more && let Some(last) = names.last() {
        answer["LastEvaluatedTableName"] = json!(last);
    }
    Ok(answer)
}

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
    if enabled == table.ttl_attribute.is_some() {
        let state = if enabled { "enabled" } else { "disabled" };
        return Err(invalid(format!("TimeToLive is already {state}")));
    }
    // Set once, it holds in every replica.
    let mut regions = table.replicas.clone();
    regions.insert(context.region.to_owned());
    for region in regions {
        if let Some(table) = tables.get_mut(&region, name) {
            table.ttl_attribute = enabled.then(|| attribute_name.clone());
        }
    }
    Ok(json!({"TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute_name}}))
}

pub(crate) fn describe_time_to_live(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TableName = input(request)?;
    let mut tables = context.db.tables.lock();
    let table = tables.named(context.region, table_name(&request.table_name))?;
    Ok(json!({"TimeToLiveDescription": match &table.ttl_attribute {
        Some(name) => json!({"TimeToLiveStatus": "ENABLED", "AttributeName": name}),
        None => json!({"TimeToLiveStatus": "DISABLED"}),
    }}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagResource {
    resource_arn: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

fn resource<'a>(context: &Context<'_>, tables: &'a mut Tables, arn: &str) -> Result<&'a mut Table, AwsError> {
    let table = tables.get_mut(context.region, table_name(arn)).filter(|t| t.arn == arn);
    table.ok_or_else(|| not_found(format!("Requested resource not found: ResourcArn: {arn} not found")))
}

pub(crate) fn tag_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TagResource = input(request)?;
    let mut tables = context.db.tables.lock();
    let table = resource(context, &mut tables, &request.resource_arn)?;
    table.tags.extend(request.tags.into_iter().map(|t| (t.key, t.value)));
    Ok(json!({}))
}

pub(crate) fn list_tags_of_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TagResource = input(request)?;
    let mut tables = context.db.tables.lock();
    let tags: &BTreeMap<String, String> = &resource(context, &mut tables, &request.resource_arn)?.tags;
    let tags: Vec<Json> = tags.iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
    Ok(json!({"Tags": tags}))
}

/// A table as AWS describes it.
fn description(table: &Table) -> Json {
    let keys = [Some(("HASH", &table.schema.hash)), table.schema.range.as_ref().map(|r| ("RANGE", r))];
    let keys: Vec<_> = keys.into_iter().flatten().collect();
    let sizes =
        table.rows().filter_map(|(_, row)| row.item.as_ref()).map(|i| super::item::item_size_bytes(i));
    let (count, bytes) = sizes.fold((0_usize, 0), |(count, bytes), size| (count + 1, bytes + size));
    let mut description = json!({
        "TableName": table.name,
        "TableArn": table.arn,
        "TableId": table.id,
        "TableStatus": "ACTIVE",
        "CreationDateTime": seconds(table.created),
        "KeySchema": keys.iter().map(|(t, a)| json!({"AttributeName": a.name, "KeyType": t})).collect::<Vec<_>>(),
        "AttributeDefinitions": keys
            .iter()
            .map(|(_, a)| json!({"AttributeName": a.name, "AttributeType": a.kind}))
            .collect::<Vec<_>>(),
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0, "NumberOfDecreasesToday": 0},
        "DeletionProtectionEnabled": false,
        "ItemCount": count,
        "TableSizeBytes": bytes,
    });
    if let Some(stream) = &table.stream {
        description["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": stream.view});
        description["LatestStreamArn"] = json!(stream.arn);
        description["LatestStreamLabel"] = json!(stream.label);
    }
    if !table.replicas.is_empty() {
        description["GlobalTableVersion"] = json!("2019.11.21");
        let replica = |region: &String| json!({"RegionName": region, "ReplicaStatus": "ACTIVE"});
        description["Replicas"] = json!(table.replicas.iter().map(replica).collect::<Vec<_>>());
    }
    description
}
