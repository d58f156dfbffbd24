//! `UpdateTable`'s changes of indexes and of throughput, in all Regions of a global table at once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    api::{Context, input, refuse},
    capacity::Throughput,
    definition::{Attributes, IndexRequest, check_indexes},
    index::{CHANGE_TIME, Definition, Index, Kind, Status},
    item::invalid,
    settings::{Billing, ThroughputRequest},
    table::Table,
    tables::{Tables, not_found},
};
use crate::error::AwsError;

#[derive(Debug, Deserialize)]
pub(crate) enum IndexUpdate {
    Create(IndexRequest),
    Update(Json),
    #[serde(rename_all = "PascalCase")]
    Delete {
        index_name: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexThroughput {
    index_name: String,
    provisioned_throughput: ThroughputRequest,
}

/// Adds an index to a table, active from the second of the two times on.
pub(crate) fn add_index(
    table: &mut Table,
    definition: Definition,
    throughput: Option<ThroughputRequest>,
    (now, active_at): (Timestamp, Timestamp),
) -> Result<(), AwsError> {
    let is_global = definition.kind == Kind::Global;
    let mut index = Index::new(definition, &table.schema, active_at);
    match (&table.settings.throughput, throughput) {
        (Some(_), Some(asked)) if is_global => index.throughput = Some(Throughput::new(asked.rates()?, now)),
        (Some(_), None) if is_global => {
            return Err(invalid(format!(
                "One or more parameter values were invalid: ProvisionedThroughput is not specified for index: {}",
                index.definition.name
            )));
        }
        (None, Some(_)) => {
            return Err(invalid(format!(
                "One or more parameter values were invalid: ProvisionedThroughput should not be specified for index: {} \
                 when BillingMode is PAY_PER_REQUEST",
                index.definition.name
            )));
        }
        _ => {}
    }
    table.add_index(index);
    Ok(())
}

/// Provisions a table anew or puts it on demand. Global indexes that had no throughput get the table's, until they are
/// given their own.
pub(crate) fn set_billing(table: &mut Table, billing: Billing, now: Timestamp) {
    let indexes = table.indexes.iter_mut().filter(|i| i.definition.kind == Kind::Global);
    let settings = &mut table.settings;
    match billing {
        Billing::OnDemand => {
            settings.throughput = None;
            settings.on_demand_since = Some(now);
            indexes.for_each(|index| index.throughput = None);
        }
        Billing::Provisioned(rates) => {
            match &mut settings.throughput {
                Some(throughput) => throughput.set(rates, now),
                none => *none = Some(Throughput::new(rates, now)),
            }
            for index in indexes {
                index.throughput.get_or_insert_with(|| Throughput::new(rates, now));
            }
        }
    }
}

pub(crate) fn update_indexes(
    context: &Context<'_>,
    tables: &mut Tables,
    (name, regions): (&str, &BTreeSet<String>),
    mut attributes: Attributes,
    updates: Vec<IndexUpdate>,
) -> Result<(), AwsError> {
    let table = tables.named(context.region, name)?;
    attributes.add(&table.schema);
    for index in &table.indexes {
        attributes.add(&index.definition.schema);
    }
    let is_changing = |table: &Table| table.indexes.iter().any(|i| i.status(context.now) != Status::Active);
    for update in updates {
        let table = tables.named(context.region, name)?;
        match update {
            IndexUpdate::Create(request) => {
                if is_changing(table) {
                    return Err(limit_exceeded(
                        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
                    ));
                }
                let definition = attributes.index(&request, Kind::Global, &table.schema)?;
                let mut all: Vec<Definition> = table.indexes.iter().map(|i| i.definition.clone()).collect();
                all.push(definition.clone());
                check_indexes(&all)?;
                attributes
                    .check_all_used(std::iter::once(&table.schema).chain(all.iter().map(|d| &d.schema)))?;
                let active_at = context.now.saturating_add(CHANGE_TIME).unwrap_or(context.now);
                for table in tables.in_regions(regions, name) {
                    let throughput = request.provisioned_throughput;
                    add_index(table, definition.clone(), throughput, (context.now, active_at))?;
                }
            }
            IndexUpdate::Delete { index_name } => {
                known(table, &index_name, context)?;
                if is_changing(table) {
                    return Err(limit_exceeded(
                        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
                    ));
                }
                for table in tables.in_regions(regions, name) {
                    let mut indexes = table.indexes.iter_mut();
                    if let Some(index) = indexes.find(|i| i.definition.name == index_name) {
                        index.delete(context.now);
                    }
                }
            }
            IndexUpdate::Update(request) => {
                refuse(&request, &["OnDemandThroughput", "WarmThroughput"])?;
                let request: IndexThroughput = input(request)?;
                known(table, &request.index_name, context)?;
                let rates = request.provisioned_throughput.rates()?;
                for table in tables.in_regions(regions, name) {
                    let mut indexes = table.indexes.iter_mut();
                    let index = indexes.find(|i| i.definition.name == request.index_name);
                    match index.and_then(|i| i.throughput.as_mut()) {
                        Some(throughput) => throughput.set(rates, context.now),
                        None => {
                            return Err(invalid(
                                "One or more parameter values were invalid: ProvisionedThroughput of an index needs a \
                                 table with BillingMode PROVISIONED",
                            ));
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Refuses unless the table has that global index and it is not being deleted.
fn known(table: &Table, name: &str, context: &Context<'_>) -> Result<(), AwsError> {
    let mut global = table.indexes.iter().filter(|i| i.definition.kind == Kind::Global);
    if global.any(|i| i.definition.name == name && i.status(context.now) != Status::Deleting) {
        return Ok(());
    }
    Err(not_found(format!("Requested resource not found: Index: {name} not found")))
}

pub(crate) fn limit_exceeded(message: &str) -> AwsError {
    AwsError::new(400, "LimitExceededException", message)
}
