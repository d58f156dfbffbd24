//! The JSON 1.0 codec of DynamoDB and DynamoDB Streams: which operation a call is, and how errors look.

use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

use super::{
    DynamoDb, batch_api, control_api, global_api, item::invalid, item_api, query_api, setting_api,
    stream_api, transaction_api,
};
use crate::{
    call::{Call, Reply},
    error::AwsError,
};

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// Members of errors that are structures: their text is JSON.
const JSON_MEMBERS: [&str; 2] = ["CancellationReasons", "Item"];

/// What an operation is given.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) db: &'a DynamoDb,
    pub(crate) account: &'a str,
    /// All Regions of the world.
    pub(crate) regions: &'a [String],
    /// The Region of the call.
    pub(crate) region: &'a str,
    pub(crate) now: Timestamp,
}

type Operation = fn(&Context<'_>, Json) -> Result<Json, AwsError>;

/// The operations that there are.
const OPERATIONS: &[(&str, Operation)] = &[
    ("CreateTable", control_api::create_table),
    ("DescribeTable", control_api::describe_table),
    ("UpdateTable", control_api::update_table),
    ("DeleteTable", control_api::delete_table),
    ("ListTables", control_api::list_tables),
    ("UpdateTimeToLive", setting_api::update_time_to_live),
    ("DescribeTimeToLive", setting_api::describe_time_to_live),
    ("UpdateContinuousBackups", setting_api::update_continuous_backups),
    ("DescribeContinuousBackups", setting_api::describe_continuous_backups),
    ("TagResource", setting_api::tag_resource),
    ("UntagResource", setting_api::untag_resource),
    ("ListTagsOfResource", setting_api::list_tags_of_resource),
    ("CreateGlobalTable", global_api::create_global_table),
    ("UpdateGlobalTable", global_api::update_global_table),
    ("DescribeGlobalTable", global_api::describe_global_table),
    ("ListGlobalTables", global_api::list_global_tables),
    ("PutItem", item_api::put_item),
    ("GetItem", item_api::get_item),
    ("UpdateItem", item_api::update_item),
    ("DeleteItem", item_api::delete_item),
    ("Query", query_api::query),
    ("Scan", query_api::scan),
    ("BatchWriteItem", batch_api::batch_write_item),
    ("BatchGetItem", batch_api::batch_get_item),
    ("TransactWriteItems", transaction_api::transact_write_items),
    ("TransactGetItems", transaction_api::transact_get_items),
    ("ListStreams", stream_api::list_streams),
    ("DescribeStream", stream_api::describe_stream),
    ("GetShardIterator", stream_api::get_shard_iterator),
    ("GetRecords", stream_api::get_records),
];

/// Answers a call.
pub(crate) fn handle(
    db: &DynamoDb,
    account: &str,
    regions: &[String],
    now: Timestamp,
    call: &Call,
) -> Result<Reply, AwsError> {
    let name = call.target().unwrap_or_default();
    let Some((_, operation)) = OPERATIONS.iter().find(|(n, _)| *n == name) else {
        let message = format!("The twin does not have the operation {name}");
        return Err(AwsError::new(400, "UnknownOperationException", message));
    };
    let context = Context { db, account, regions, region: &call.region, now };
    let answer = operation(&context, call.json()?)?;
    Ok(Reply::raw(200, CONTENT_TYPE, answer.to_string()))
}

/// An error as DynamoDB writes it.
pub(crate) fn error_reply(error: &AwsError) -> Reply {
    let namespace = match error.code {
        "ValidationException" => "com.amazon.coral.validate",
        "UnknownOperationException" | "SerializationException" | "ThrottlingException" => {
            "com.amazon.coral.service"
        }
        _ => "com.amazonaws.dynamodb.v20120810",
    };
    let message = if error.code == "TransactionCanceledException" { "Message" } else { "message" };
    let mut body = json!({"__type": format!("{namespace}#{}", error.code), message: error.message});
    for (member, value) in &error.members {
        let structure = JSON_MEMBERS.contains(member).then(|| serde_json::from_str(value).ok()).flatten();
        body[*member] = structure.unwrap_or_else(|| json!(value));
    }
    Reply::raw(error.status, CONTENT_TYPE, body.to_string())
}

/// The request as the operation's input. Whatever does not fit is a `ValidationException`, though AWS answers some
/// misfits with a `SerializationException`.
pub(crate) fn input<T: DeserializeOwned>(request: Json) -> Result<T, AwsError> {
    serde_json::from_value(request).map_err(|e| invalid(e.to_string()))
}

/// A request that names a table and nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TableName {
    pub(crate) table_name: String,
}

/// Refuses a request with a parameter that is not modelled and that changes what the request means.
pub(crate) fn refuse(request: &Json, parameters: &[&str]) -> Result<(), AwsError> {
    match parameters.iter().find(|p| request.get(p).is_some_and(|value| !value.is_null())) {
        None => Ok(()),
        Some(name) => Err(invalid(format!("The twin does not have the parameter {name}"))),
    }
}

/// A time as the JSON protocols write it.
pub(crate) fn seconds(at: Timestamp) -> Json {
    // Milliseconds of any date are far below 2^52.
    json!(at.as_millisecond() as f64 / 1000.0)
}

/// A table's name, also where an ARN was given.
pub(crate) fn table_name(name_or_arn: &str) -> &str {
    name_or_arn.split_once(":table/").map_or(name_or_arn, |(_, name)| name)
}

#[cfg(test)]
mod tests;
