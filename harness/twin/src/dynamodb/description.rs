//! A table as AWS describes it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{
    api::seconds,
    definition::schema_json,
    index::{Index, Kind, Projection, Status},
    key::Schema,
    settings::throughput_json,
    table::Table,
};

pub(crate) fn description(table: &Table, now: Timestamp) -> Json {
    let (count, bytes) = table.size();
    let schemas = std::iter::once(&table.schema).chain(table.indexes.iter().map(|i| &i.definition.schema));
    let attributes: BTreeMap<&str, &str> =
        schemas.flat_map(Schema::attributes).map(|a| (a.name.as_str(), a.kind.as_str())).collect();
    let mut description = json!({
        "TableName": table.name,
        "TableArn": table.arn,
        "TableId": table.id,
        "TableStatus": "ACTIVE",
        "CreationDateTime": seconds(table.created),
        "KeySchema": schema_json(&table.schema),
        "AttributeDefinitions": attributes
            .iter()
            .map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind}))
            .collect::<Vec<_>>(),
        "ItemCount": count,
        "TableSizeBytes": bytes,
    });
    table.settings.describe(&mut description);
    for (kind, member) in [(Kind::Global, "GlobalSecondaryIndexes"), (Kind::Local, "LocalSecondaryIndexes")] {
        let indexes = table.indexes.iter().filter(|i| i.definition.kind == kind && !i.is_gone(now));
        let indexes: Vec<Json> = indexes.map(|index| index_json(table, index, now)).collect();
        if !indexes.is_empty() {
            description[member] = json!(indexes);
        }
    }
    if let Some(stream) = &table.stream {
        description["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": stream.view});
        description["LatestStreamArn"] = json!(stream.arn);
        description["LatestStreamLabel"] = json!(stream.label);
    }
    if table.legacy {
        description["GlobalTableVersion"] = json!("2017.11.29");
    } else if !table.replicas.is_empty() {
        description["GlobalTableVersion"] = json!("2019.11.21");
        let replica = |region: &String| json!({"RegionName": region, "ReplicaStatus": "ACTIVE"});
        description["Replicas"] = json!(table.replicas.iter().map(replica).collect::<Vec<_>>());
    }
    description
}

fn index_json(table: &Table, index: &Index, now: Timestamp) -> Json {
    let definition = &index.definition;
    let projection = match &definition.projection {
        Projection::All => json!({"ProjectionType": "ALL"}),
        Projection::KeysOnly => json!({"ProjectionType": "KEYS_ONLY"}),
        Projection::Include(names) => json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": names}),
    };
    let mut description = json!({
        "IndexName": definition.name,
        "IndexArn": format!("{}/index/{}", table.arn, definition.name),
        "KeySchema": schema_json(&definition.schema),
        "Projection": projection,
        "ItemCount": index.count(),
        "IndexSizeBytes": index.bytes(),
    });
    if definition.kind == Kind::Global {
        let (status, backfilling) = match index.status(now) {
            Status::Creating => ("CREATING", Some(true)),
            Status::Active => ("ACTIVE", None),
            Status::Deleting => ("DELETING", None),
        };
        description["IndexStatus"] = json!(status);
        if let Some(backfilling) = backfilling {
            description["Backfilling"] = json!(backfilling);
        }
        description["ProvisionedThroughput"] = throughput_json(index.throughput.as_ref());
    }
    description
}
