//! Operations on tables: create, describe, update, delete, list.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, TableName, input, refuse, table_name},
    definition::{
        AttributeDefinition, Attributes, IndexRequest, KeySchemaElement, check_indexes, check_name,
    },
    description::description,
    index::{Definition, Kind},
    index_api::{IndexUpdate, add_index, limit_exceeded, set_billing, update_indexes},
    item::invalid,
    setting_api::{Tag, add_tags},
    settings::{SettingsRequest, no_throughput},
    stream::View,
    table::Table,
    tables::Tables,
};
use crate::error::AwsError;

/// Table names in one page of a list, as AWS has it.
const TABLES_PER_PAGE_MAX: usize = 100;
/// Tables of a Region, as AWS has it.
const TABLES_MAX: usize = 2500;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamSpecification {
    stream_enabled: bool,
    stream_view_type: Option<View>,
}

impl StreamSpecification {
    /// The view of the stream that is asked for; none to have no stream.
    fn view(&self) -> Result<Option<View>, AwsError> {
        match (self.stream_enabled, self.stream_view_type) {
            (false, _) => Ok(None),
            (true, Some(view)) => Ok(Some(view)),
            (true, None) => Err(invalid(
                "One or more parameter values were invalid: StreamEnabled is true and StreamViewType is missing",
            )),
        }
    }
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
    #[serde(default)]
    global_secondary_indexes: Vec<IndexRequest>,
    #[serde(default)]
    local_secondary_indexes: Vec<IndexRequest>,
    #[serde(flatten)]
    settings: SettingsRequest,
}

pub(crate) fn create_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    refuse(
        &request,
        &[
            "ResourcePolicy",
            "OnDemandThroughput",
            "WarmThroughput",
            "GlobalTableSourceArn",
            "GlobalTableSettingsReplicationMode",
            "VectorIndexes",
        ],
    )?;
    let request: CreateTable = input(request)?;
    let name = table_name(&request.table_name);
    check_name("tableName", name)?;
    let attributes = Attributes::parse(request.attribute_definitions)?;
    let schema = attributes.schema(&request.key_schema)?;
    let mut definitions = Vec::new();
    for (kind, list) in
        [(Kind::Global, &request.global_secondary_indexes), (Kind::Local, &request.local_secondary_indexes)]
    {
        for index in list {
            definitions.push((attributes.index(index, kind, &schema)?, index.provisioned_throughput));
        }
    }
    let all: Vec<Definition> = definitions.iter().map(|(d, _)| d.clone()).collect();
    check_indexes(&all)?;
    attributes.check_all_used(std::iter::once(&schema).chain(all.iter().map(|d| &d.schema)))?;
    let billing = request.settings.billing()?.ok_or_else(no_throughput)?;
    let mut table = Table::new(name, context.region, context.account, schema, context.now);
    request.settings.apply(&mut table.settings, (context.region, context.account));
    set_billing(&mut table, billing, context.now);
    for (definition, throughput) in definitions {
        add_index(&mut table, definition, throughput, (context.now, context.now))?;
    }
    add_tags(&mut table.tags, request.tags)?;
    if let Some(view) = request.stream_specification.map(|s| s.view()).transpose()?.flatten() {
        table.enable_stream(view, context.now);
    }
    let mut tables = context.db.tables.lock();
    if tables.of_region(context.region).count() >= TABLES_MAX {
        return Err(limit_exceeded(&format!("Subscriber limit exceeded: {TABLES_MAX} tables in a Region")));
    }
    let table = tables.create(table)?;
    Ok(json!({"TableDescription": description(table, context.now)}))
}

pub(crate) fn describe_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TableName = input(request)?;
    let mut tables = context.db.tables.lock();
    let table = tables.named(context.region, table_name(&request.table_name))?;
    table.settle(context.now);
    Ok(json!({"Table": description(table, context.now)}))
}

pub(crate) fn delete_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: TableName = input(request)?;
    let table = context.db.tables.lock().delete(context.region, table_name(&request.table_name))?;
    let mut description = description(&table, context.now);
    description["TableStatus"] = json!("DELETING");
    Ok(json!({"TableDescription": description}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateTable {
    table_name: String,
    #[serde(default)]
    attribute_definitions: Vec<AttributeDefinition>,
    #[serde(default)]
    global_secondary_index_updates: Vec<IndexUpdate>,
    #[serde(default)]
    replica_updates: Vec<ReplicaUpdate>,
    stream_specification: Option<StreamSpecification>,
    #[serde(flatten)]
    settings: SettingsRequest,
}

#[derive(Debug, Deserialize)]
enum ReplicaUpdate {
    Create(Json),
    Delete(RegionName),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RegionName {
    region_name: String,
}

pub(crate) fn update_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    refuse(
        &request,
        &[
            "OnDemandThroughput",
            "WarmThroughput",
            "GlobalTableWitnessUpdates",
            "GlobalTableSettingsReplicationMode",
            "DisassociationProtectionEnabled",
            "VectorIndexUpdates",
        ],
    )?;
    if request.get("MultiRegionConsistency").is_some_and(|c| c != "EVENTUAL") {
        return Err(invalid("The twin does not have strong consistency between Regions"));
    }
    let request: UpdateTable = input(request)?;
    let name = table_name(&request.table_name);
    let billing = request.settings.billing()?;
    let mut tables = context.db.tables.lock();
    let table = tables.named(context.region, name)?;
    table.settle(context.now);
    let is_nothing = request.settings.is_empty()
        && request.global_secondary_index_updates.is_empty()
        && request.replica_updates.is_empty()
        && request.stream_specification.is_none();
    if is_nothing {
        return Err(invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or \
             SSESpecification or ReplicaUpdates is required",
        ));
    }
    // Replicas of the current version are kept aligned. Class, protection and key are each table's own there too.
    let mut regions = if table.legacy { BTreeSet::new() } else { table.replicas.clone() };
    regions.insert(context.region.to_owned());
    request.settings.apply(&mut table.settings, (context.region, context.account));
    if let Some(billing) = billing {
        for table in tables.in_regions(&regions, name) {
            set_billing(table, billing, context.now);
        }
    }
    if let Some(specification) = &request.stream_specification {
        update_stream(context, &mut tables, name, specification)?;
    }
    if !request.global_secondary_index_updates.is_empty() {
        let attributes = Attributes::parse(request.attribute_definitions)?;
        update_indexes(
            context,
            &mut tables,
            (name, &regions),
            attributes,
            request.global_secondary_index_updates,
        )?;
    }
    for update in request.replica_updates {
        update_replica(context, &mut tables, name, update)?;
    }
    Ok(json!({"TableDescription": description(tables.named(context.region, name)?, context.now)}))
}

fn update_stream(
    context: &Context<'_>,
    tables: &mut Tables,
    name: &str,
    specification: &StreamSpecification,
) -> Result<(), AwsError> {
    let table = tables.named(context.region, name)?;
    match (specification.view()?, &table.stream) {
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

fn update_replica(
    context: &Context<'_>,
    tables: &mut Tables,
    name: &str,
    update: ReplicaUpdate,
) -> Result<(), AwsError> {
    match update {
        ReplicaUpdate::Create(request) => {
            refuse(
                &request,
                &[
                    "KMSMasterKeyId",
                    "ProvisionedThroughputOverride",
                    "OnDemandThroughputOverride",
                    "GlobalSecondaryIndexes",
                    "TableClassOverride",
                ],
            )?;
            let RegionName { region_name } = input(request)?;
            if !context.regions.contains(&region_name) {
                return Err(invalid(format!("Region {region_name} is not a Region of the twin")));
            }
            tables.add_replica((context.region, name), &region_name, context.account, context.now)
        }
        ReplicaUpdate::Delete(RegionName { region_name }) => {
            let table = tables.named(context.region, name)?;
            if table.legacy || !table.replicas.contains(&region_name) {
                return Err(AwsError::new(
                    400,
                    "ReplicaNotFoundException",
                    format!("Replica not found in Region {region_name}"),
                ));
            }
            tables.delete(&region_name, name).map(|_| ())
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
