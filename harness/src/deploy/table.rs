//! The replicator's tables: the global table of events, and the secondary's own tables of state and errors.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateReplicationGroupMemberAction, KeySchemaElement, KeyType,
    ReplicationGroupUpdate, ScalarAttributeType, StreamSpecification, StreamViewType, TableStatus,
    TimeToLiveSpecification,
};
use replicator::tables::{ERRORS, EVENTS, STATE, Table};

use super::Site;
use crate::{
    aws::{RegionClients, describe},
    journal::Change,
};

/// A table becomes ACTIVE within this time.
const ACTIVE_S_MAX: u64 = 120;

impl Site<'_> {
    /// Creates the tables; the answer is the name of the global one.
    pub(super) async fn tables(&self) -> anyhow::Result<String> {
        let (primary, secondary) = (&self.aws.primary, &self.aws.secondary);
        let events = self.create(primary, EVENTS).await?;
        self.journal.intend(Change::Table { region: secondary.region.clone(), name: events.clone() })?;
        let replica = CreateReplicationGroupMemberAction::builder().region_name(&secondary.region).build()?;
        primary
            .dynamodb
            .update_table()
            .table_name(&events)
            .replica_updates(ReplicationGroupUpdate::builder().create(replica).build())
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| format!("table {events} could not be replicated to {}", secondary.region))?;
        active(secondary, &events).await?;
        if let Some(attribute) = EVENTS.ttl {
            let ttl = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(true).build()?;
            primary
                .dynamodb
                .update_time_to_live()
                .table_name(&events)
                .time_to_live_specification(ttl)
                .send()
                .await
                .map_err(|e| anyhow!(describe(&e)))?;
        }
        self.create(secondary, STATE).await?;
        self.create(secondary, ERRORS).await?;
        Ok(events)
    }

    /// A table's name in this run.
    pub(super) fn table_name(&self, table: Table) -> String {
        self.name(table.name.trim_start_matches("gameday-"))
    }

    async fn create(&self, clients: &RegionClients, table: Table) -> anyhow::Result<String> {
        let name = self.table_name(table);
        self.journal.intend(Change::Table { region: clients.region.clone(), name: name.clone() })?;
        let mut call =
            clients.dynamodb.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
        let keys = [(Some(table.partition_key), KeyType::Hash), (table.sort_key, KeyType::Range)];
        for (key, kind) in keys.into_iter().filter_map(|(key, kind)| Some((key?, kind))) {
            call = call
                .attribute_definitions(
                    AttributeDefinition::builder()
                        .attribute_name(key)
                        .attribute_type(ScalarAttributeType::S)
                        .build()?,
                )
                .key_schema(KeySchemaElement::builder().attribute_name(key).key_type(kind).build()?);
        }
        if table.global {
            call = call.stream_specification(
                StreamSpecification::builder()
                    .stream_enabled(true)
                    .stream_view_type(StreamViewType::NewAndOldImages)
                    .build()?,
            );
        }
        call.send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| format!("table {name} could not be created in {}", clients.region))?;
        active(clients, &name).await?;
        Ok(name)
    }

    /// The stream of the events' replica in the secondary.
    pub(super) async fn secondary_stream(&self, table: &str) -> anyhow::Result<String> {
        let described = self
            .aws
            .secondary
            .dynamodb
            .describe_table()
            .table_name(table)
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))?;
        described
            .table()
            .and_then(|t| t.latest_stream_arn())
            .map(str::to_owned)
            .with_context(|| format!("table {table} has no stream in the secondary"))
    }
}

async fn active(clients: &RegionClients, table: &str) -> anyhow::Result<()> {
    for _ in 0..ACTIVE_S_MAX * 4 {
        let described = clients.dynamodb.describe_table().table_name(table).send().await;
        // A replica may not be there at first.
        let status = described.ok().and_then(|d| d.table().and_then(|t| t.table_status().cloned()));
        if status == Some(TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    bail!("table {table} in {} was not ACTIVE after {ACTIVE_S_MAX} s", clients.region)
}
