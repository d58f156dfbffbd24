//! The operations of global tables of version 2017.11.29. The current version has `UpdateTable`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, input, seconds},
    index::Definition,
    item::invalid,
    legacy::Group,
    stream::View,
    table::Table,
    tables::Tables,
};
use crate::error::AwsError;

/// Names in one page of a list, as AWS has it.
const NAMES_PER_PAGE_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RegionName {
    region_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateGlobalTable {
    global_table_name: String,
    replication_group: Vec<RegionName>,
}

pub(crate) fn create_global_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: CreateGlobalTable = input(request)?;
    let name = request.global_table_name;
    let regions: BTreeSet<String> = request.replication_group.into_iter().map(|r| r.region_name).collect();
    if regions.is_empty() {
        return Err(invalid("A replication group has one Region at least"));
    }
    let mut tables = context.db.tables.lock();
    if tables.groups.contains_key(&name) {
        return Err(AwsError::new(
            400,
            "GlobalTableAlreadyExistsException",
            format!("Global table with name: '{name}' already exists."),
        ));
    }
    join(&mut tables, context, &name, &regions)?;
    tables.groups.insert(name.clone(), Group { created: context.now, regions });
    describe(&tables, context, &name)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateGlobalTable {
    global_table_name: String,
    replica_updates: Vec<ReplicaUpdate>,
}

#[derive(Debug, Deserialize)]
enum ReplicaUpdate {
    Create(RegionName),
    Delete(RegionName),
}

pub(crate) fn update_global_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: UpdateGlobalTable = input(request)?;
    let name = request.global_table_name;
    let mut tables = context.db.tables.lock();
    let group = tables.groups.get(&name).ok_or_else(|| unknown(&name))?.clone();
    let mut regions = group.regions.clone();
    for update in request.replica_updates {
        match update {
            ReplicaUpdate::Create(RegionName { region_name }) => {
                if !regions.insert(region_name.clone()) {
                    return Err(AwsError::new(
                        400,
                        "ReplicaAlreadyExistsException",
                        format!(
                            "Global table with name: '{name}' already has a replica in region: '{region_name}'"
                        ),
                    ));
                }
            }
            ReplicaUpdate::Delete(RegionName { region_name }) => {
                if !regions.remove(&region_name) {
                    return Err(AwsError::new(
                        400,
                        "ReplicaNotFoundException",
                        format!("Global table with name: '{name}' has no replica in region: '{region_name}'"),
                    ));
                }
            }
        }
    }
    if regions.is_empty() {
        return Err(invalid("A replication group has one Region at least"));
    }
    // Removing a replica leaves its table where it is.
    if !regions.is_subset(&group.regions) {
        check(&tables, context, &name, &regions)?;
    }
    for gone in group.regions.difference(&regions) {
        tables.detach(gone, &name);
    }
    if !regions.is_subset(&group.regions) {
        join(&mut tables, context, &name, &regions)?;
    }
    tables.groups.insert(name.clone(), Group { regions, ..group });
    describe(&tables, context, &name)
}

/// Makes one global table of the tables of these Regions.
fn join(
    tables: &mut Tables,
    context: &Context<'_>,
    name: &str,
    regions: &BTreeSet<String>,
) -> Result<(), AwsError> {
    check(tables, context, name, regions)?;
    for table in tables.in_regions(regions, name) {
        table.legacy = true;
        table.replicas = regions.iter().filter(|r| **r != table.region).cloned().collect();
    }
    Ok(())
}

/// That version replicates only tables that are empty and equal in keys and indexes, and that have both images in their
/// streams.
fn check(
    tables: &Tables,
    context: &Context<'_>,
    name: &str,
    regions: &BTreeSet<String>,
) -> Result<(), AwsError> {
    let mut first: Option<&Table> = None;
    for region in regions {
        if !context.regions.contains(region) {
            return Err(invalid(format!("Region {region} is not a Region of the twin")));
        }
        let table = tables.get(region, name).ok_or_else(|| {
            AwsError::new(400, "TableNotFoundException", format!("Table not found: {name} in {region}"))
        })?;
        if !table.legacy && !table.replicas.is_empty() {
            return Err(invalid(format!(
                "Table {name} in {region} is part of a global table of version 2019.11.21"
            )));
        }
        if table.stream.as_ref().is_none_or(|s| s.view != View::NewAndOldImages) {
            return Err(invalid(format!(
                "Table {name} in {region} must have stream enabled with view type: NEW_AND_OLD_IMAGES"
            )));
        }
        if table.size().0 > 0 {
            return Err(invalid(format!("Table {name} in {region} must be empty")));
        }
        let definitions = |table: &Table| -> Vec<Definition> {
            let mut all: Vec<_> = table.indexes.iter().map(|i| i.definition.clone()).collect();
            all.sort_by(|a, b| a.name.cmp(&b.name));
            all
        };
        if first.is_some_and(|f| f.schema != table.schema || definitions(f) != definitions(table)) {
            return Err(invalid(format!("Tables {name} differ in their key schema or indexes")));
        }
        first = Some(table);
    }
    Ok(())
}

fn unknown(name: &str) -> AwsError {
    AwsError::new(
        400,
        "GlobalTableNotFoundException",
        format!("Global table with name: '{name}' does not exist."),
    )
}

fn describe(tables: &Tables, context: &Context<'_>, name: &str) -> Result<Json, AwsError> {
    let group = tables.groups.get(name).ok_or_else(|| unknown(name))?;
    let replicas = group.regions.iter().map(|r| json!({"RegionName": r, "ReplicaStatus": "ACTIVE"}));
    Ok(json!({"GlobalTableDescription": {
        "GlobalTableName": name,
        "GlobalTableArn": format!("arn:aws:dynamodb::{}:global-table/{name}", context.account),
        "GlobalTableStatus": "ACTIVE",
        "CreationDateTime": seconds(group.created),
        "ReplicationGroup": replicas.collect::<Vec<_>>(),
    }}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GlobalTableName {
    global_table_name: String,
}

pub(crate) fn describe_global_table(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: GlobalTableName = input(request)?;
    describe(&context.db.tables.lock(), context, &request.global_table_name)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListGlobalTables {
    exclusive_start_global_table_name: Option<String>,
    limit: Option<usize>,
    region_name: Option<String>,
}

pub(crate) fn list_global_tables(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: ListGlobalTables = input(request)?;
    let limit = request.limit.unwrap_or(NAMES_PER_PAGE_MAX).clamp(1, NAMES_PER_PAGE_MAX);
    let tables = context.db.tables.lock();
    let start = request.exclusive_start_global_table_name;
    let found: Vec<(&String, &Group)> = tables
        .groups
        .iter()
        .filter(|(name, _)| start.as_ref().is_none_or(|s| *name > s))
        .filter(|(_, group)| request.region_name.as_ref().is_none_or(|r| group.regions.contains(r)))
        .collect();
    let page: Vec<Json> = found
        .iter()
        .take(limit)
        .map(|(name, group)| {
            let regions: Vec<Json> = group.regions.iter().map(|r| json!({"RegionName": r})).collect();
            json!({"GlobalTableName": name, "ReplicationGroup": regions})
        })
        .collect();
    let mut answer = json!({"GlobalTables": page});
    if found.len() > limit
        && let Some((name, _)) = found.get(limit - 1)
    {
        answer["LastEvaluatedGlobalTableName"] = json!(name);
    }
    Ok(answer)
}
