//! The members of requests on items, with their expressions parsed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{input, refuse, table_name},
    capacity::Detail,
    condition::project,
    expression::{Condition, Path, Placeholders, parse_condition, parse_projection},
    item::{Item, invalid},
    tables::Written,
    update::{Update, parse_update},
};
use crate::error::AwsError;

/// Parameters of the API before expressions. Ignoring them would write without the condition that was asked for.
pub(crate) const LEGACY_PARAMETERS: [&str; 7] = [
    "Expected",
    "AttributeUpdates",
    "ConditionalOperator",
    "AttributesToGet",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
];

/// The members of all item operations. Each takes those that are its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ItemRequest {
    pub(crate) table_name: String,
    pub(crate) item: Option<Item>,
    pub(crate) key: Option<Item>,
    pub(crate) index_name: Option<String>,
    condition_expression: Option<String>,
    update_expression: Option<String>,
    key_condition_expression: Option<String>,
    filter_expression: Option<String>,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    expression_attribute_values: Option<Item>,
    return_values: Option<String>,
    return_values_on_condition_check_failure: Option<String>,
    return_consumed_capacity: Option<String>,
    #[serde(default)]
    pub(crate) consistent_read: bool,
    pub(crate) exclusive_start_key: Option<Item>,
    pub(crate) limit: Option<usize>,
    pub(crate) scan_index_forward: Option<bool>,
    pub(crate) select: Option<String>,
    pub(crate) segment: Option<usize>,
    pub(crate) total_segments: Option<usize>,
}

/// The expressions of a request, parsed.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    pub(crate) condition: Option<Condition>,
    pub(crate) update: Option<Update>,
    pub(crate) key_condition: Option<Condition>,
    pub(crate) filter: Option<Condition>,
    pub(crate) projection: Option<Vec<Path>>,
}

/// Which image an operation is to return: its `ReturnValues`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReturnValues {
    None,
    AllOld,
    AllNew,
    UpdatedOld,
    UpdatedNew,
}

impl ReturnValues {
    /// The image that is asked for. `written` are the paths that an update writes.
    pub(crate) fn answer(self, change: &Written, written: &[Path]) -> Json {
        let attributes = match self {
            Self::None => None,
            Self::AllOld => change.old.as_ref().map(|item| json!(**item)),
            Self::AllNew => change.new.as_ref().map(|item| json!(**item)),
            Self::UpdatedOld | Self::UpdatedNew => {
                let image = if self == Self::UpdatedOld { &change.old } else { &change.new };
                let kept = image.as_ref().map(|item| project(item, written));
                kept.filter(|kept| !kept.is_empty()).map(|kept| json!(kept))
            }
        };
        attributes.map_or_else(|| json!({}), |a| json!({"Attributes": a}))
    }
}

impl ItemRequest {
    pub(crate) fn parse(request: Json) -> Result<(Self, Expressions), AwsError> {
        refuse(&request, &LEGACY_PARAMETERS)?;
        let mut request: Self = input(request)?;
        let name = table_name(&request.table_name).to_owned();
        request.table_name = name;
        let mut placeholders = Placeholders::new(
            request.expression_attribute_names.take(),
            request.expression_attribute_values.take(),
        );
        let p = &mut placeholders;
        let condition = |text: &Option<String>, p: &mut Placeholders| {
            text.as_deref().map(|t| parse_condition(t, p)).transpose()
        };
        let expressions = Expressions {
            condition: condition(&request.condition_expression, p)?,
            key_condition: condition(&request.key_condition_expression, p)?,
            filter: condition(&request.filter_expression, p)?,
            update: request.update_expression.as_deref().map(|t| parse_update(t, p)).transpose()?,
            projection: request
                .projection_expression
                .as_deref()
                .map(|t| parse_projection(t, p))
                .transpose()?,
        };
        placeholders.check_all_used()?;
        Ok((request, expressions))
    }

    pub(crate) fn key(&self) -> Result<&Item, AwsError> {
        self.key.as_ref().ok_or_else(|| invalid("The parameter 'Key' is required but was not present"))
    }

    /// What `ReturnValues` asks for; updates have all of them, puts and deletes two.
    pub(crate) fn return_values(&self, is_update: bool) -> Result<ReturnValues, AwsError> {
        let wanted = self.return_values.as_deref().unwrap_or("NONE");
        match wanted {
            "NONE" => Ok(ReturnValues::None),
            "ALL_OLD" => Ok(ReturnValues::AllOld),
            "ALL_NEW" if is_update => Ok(ReturnValues::AllNew),
            "UPDATED_OLD" if is_update => Ok(ReturnValues::UpdatedOld),
            "UPDATED_NEW" if is_update => Ok(ReturnValues::UpdatedNew),
            _ => Err(invalid(format!("Return values set to invalid value: {wanted}"))),
        }
    }

    /// Whether a condition that fails is to show the item.
    pub(crate) fn shows_old_on_failure(&self) -> Result<bool, AwsError> {
        match self.return_values_on_condition_check_failure.as_deref().unwrap_or("NONE") {
            "NONE" => Ok(false),
            "ALL_OLD" => Ok(true),
            other => Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'returnValuesOnConditionCheckFailure' failed to satisfy \
                 constraint: Member must satisfy enum value set: [ALL_OLD, NONE]"
            ))),
        }
    }

    pub(crate) fn detail(&self) -> Result<Detail, AwsError> {
        Detail::parse(self.return_consumed_capacity.as_deref())
    }
}
