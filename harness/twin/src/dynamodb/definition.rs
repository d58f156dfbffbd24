//! Key schemas and indexes as requests define them, checked against the attribute definitions beside them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    index::{Definition, Kind, Projection},
    item::invalid,
    key::{KeyAttribute, Schema},
    settings::ThroughputRequest,
};
use crate::error::AwsError;

/// As AWS has it.
const GLOBAL_INDEXES_MAX: usize = 20;
/// As AWS has it.
const LOCAL_INDEXES_MAX: usize = 5;
/// Attributes that all indexes of a table include together, as AWS has it.
const INCLUDED_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributeDefinition {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeySchemaElement {
    attribute_name: String,
    key_type: String,
}

/// A secondary index of `CreateTable` or `UpdateTable`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IndexRequest {
    index_name: String,
    key_schema: Vec<KeySchemaElement>,
    projection: ProjectionRequest,
    pub(crate) provisioned_throughput: Option<ThroughputRequest>,
    on_demand_throughput: Option<Json>,
    warm_throughput: Option<Json>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProjectionRequest {
    projection_type: Option<String>,
    non_key_attributes: Option<BTreeSet<String>>,
}

/// Attribute types by name.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    kinds: BTreeMap<String, String>,
}

impl Attributes {
    pub(crate) fn parse(definitions: Vec<AttributeDefinition>) -> Result<Self, AwsError> {
        let mut kinds = BTreeMap::new();
        for AttributeDefinition { attribute_name: name, attribute_type: kind } in definitions {
            if !["S", "N", "B"].contains(&kind.as_str()) {
                return Err(invalid(format!(
                    "1 validation error detected: Value '{kind}' at 'attributeDefinitions.member.attributeType' failed to \
                     satisfy constraint: Member must satisfy enum value set: [B, N, S]"
                )));
            }
            if kinds.insert(name.clone(), kind).is_some() {
                return Err(invalid(format!(
                    "One or more parameter values were invalid: Cannot have two attributes with the same name: {name}"
                )));
            }
        }
        Ok(Self { kinds })
    }

    /// Adds attributes that the table has already.
    pub(crate) fn add(&mut self, schema: &Schema) {
        for attribute in schema.attributes() {
            self.kinds.entry(attribute.name.clone()).or_insert_with(|| attribute.kind.clone());
        }
    }

    pub(crate) fn schema(&self, elements: &[KeySchemaElement]) -> Result<Schema, AwsError> {
        let attribute = |element: &KeySchemaElement| {
            let name = &element.attribute_name;
            let kind = self.kinds.get(name).ok_or_else(|| {
                invalid(format!(
                    "One or more parameter values were invalid: Some index key attributes are not defined in \
                     AttributeDefinitions. Keys: [{name}], AttributeDefinitions: {:?}",
                    self.kinds.keys().collect::<Vec<_>>()
                ))
            })?;
            Ok(KeyAttribute { name: name.clone(), kind: kind.clone() })
        };
        let is = |element: &KeySchemaElement, key_type: &str| element.key_type == key_type;
        match elements {
            [hash] if is(hash, "HASH") => Ok(Schema { hash: attribute(hash)?, range: None }),
            [hash, range] if is(hash, "HASH") && is(range, "RANGE") => {
                if hash.attribute_name == range.attribute_name {
                    return Err(invalid(
                        "Invalid KeySchema: Both the Hash Key and the Range Key element in the KeySchema have the same name",
                    ));
                }
                Ok(Schema { hash: attribute(hash)?, range: Some(attribute(range)?) })
            }
            _ => Err(invalid("Invalid KeySchema: one HASH element, and perhaps one RANGE element after it")),
        }
    }

    /// Every attribute that is defined must be part of a key.
    pub(crate) fn check_all_used<'a>(
        &self,
        schemas: impl Iterator<Item = &'a Schema>,
    ) -> Result<(), AwsError> {
        let used: BTreeSet<&String> = schemas.flat_map(Schema::attributes).map(|a| &a.name).collect();
        let unused: Vec<&String> = self.kinds.keys().filter(|name| !used.contains(name)).collect();
        if unused.is_empty() {
            return Ok(());
        }
        Err(invalid(format!(
            "One or more parameter values were invalid: Some AttributeDefinitions are not used. AttributeDefinitions: \
             {unused:?}, keys used: {used:?}"
        )))
    }

    /// The definition of an index of a table with this schema.
    pub(crate) fn index(
        &self,
        request: &IndexRequest,
        kind: Kind,
        table: &Schema,
    ) -> Result<Definition, AwsError> {
        check_name("indexName", &request.index_name)?;
        if request.on_demand_throughput.is_some() || request.warm_throughput.is_some() {
            return Err(invalid("The twin does not have OnDemandThroughput and WarmThroughput of an index"));
        }
        let schema = self.schema(&request.key_schema)?;
        if kind == Kind::Local
            && (schema.hash != table.hash || schema.range.is_none() || table.range.is_none())
        {
            return Err(invalid(format!(
                "One or more parameter values were invalid: Index KeySchema does not have the same leading hash key as \
                 table KeySchema, or no range key, for index: {}",
                request.index_name
            )));
        }
        let included = request.projection.non_key_attributes.clone().filter(|names| !names.is_empty());
        let projection = match (request.projection.projection_type.as_deref(), included) {
            (Some("ALL"), None) => Projection::All,
            (Some("KEYS_ONLY"), None) => Projection::KeysOnly,
            (Some("INCLUDE"), Some(names)) => Projection::Include(names),
            (Some("ALL" | "KEYS_ONLY"), Some(_)) => {
                return Err(invalid(
                    "One or more parameter values were invalid: ProjectionType is not INCLUDE, but NonKeyAttributes is \
                     specified",
                ));
            }
            (Some("INCLUDE"), None) => {
                return Err(invalid(
                    "One or more parameter values were invalid: ProjectionType is INCLUDE, but NonKeyAttributes is not \
                     specified",
                ));
            }
            (other, _) => {
                return Err(invalid(format!(
                    "One or more parameter values were invalid: Unknown ProjectionType: {}",
                    other.unwrap_or("null")
                )));
            }
        };
        Ok(Definition { name: request.index_name.clone(), kind, schema, projection })
    }
}

/// What holds of all indexes of a table together.
pub(crate) fn check_indexes(definitions: &[Definition]) -> Result<(), AwsError> {
    let of_kind = |kind: Kind| definitions.iter().filter(|d| d.kind == kind).count();
    if of_kind(Kind::Global) > GLOBAL_INDEXES_MAX || of_kind(Kind::Local) > LOCAL_INDEXES_MAX {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Number of indexes exceeds {GLOBAL_INDEXES_MAX} global or \
             {LOCAL_INDEXES_MAX} local ones"
        )));
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = definitions.iter().find(|d| !names.insert(&d.name)) {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Duplicate index name: {}",
            twice.name
        )));
    }
    let included = definitions.iter().map(|d| match &d.projection {
        Projection::Include(names) => names.len(),
        _ => 0,
    });
    if included.sum::<usize>() > INCLUDED_MAX {
        return Err(invalid(format!(
            "One or more parameter values were invalid: NonKeyAttributes of all indexes exceed {INCLUDED_MAX}"
        )));
    }
    Ok(())
}

/// Names of tables and indexes.
pub(crate) fn check_name(member: &str, name: &str) -> Result<(), AwsError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if (3..=255).contains(&name.len()) && name.chars().all(is_allowed) {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: 3 to 255 of \
         [a-zA-Z0-9_.-]"
    )))
}

/// A key schema as descriptions have it.
pub(crate) fn schema_json(schema: &Schema) -> Json {
    let types = ["HASH", "RANGE"];
    let elements = schema.attributes().zip(types);
    elements.map(|(a, key_type)| json!({"AttributeName": a.name, "KeyType": key_type})).collect()
}
