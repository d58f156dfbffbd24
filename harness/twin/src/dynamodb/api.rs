//! The JSON 1.0 codec of DynamoDB and DynamoDB Streams: which operation a call is, and how errors look.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::{DynamoDb, control_api, item::invalid, item_api, stream_api};
use crate::{
    call::{Call, Reply},
    error::AwsError,
};

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

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
    ("UpdateTimeToLive", control_api::update_time_to_live),
    ("DescribeTimeToLive", control_api::describe_time_to_live),
    ("TagResource", control_api::tag_resource),
    ("ListTagsOfResource", control_api::list_tags_of_resource),
    ("PutItem", item_api::put_item),
    ("GetItem", item_api::get_item),
    ("UpdateItem", item_api::update_item),
    ("DeleteItem", item_api::delete_item),
    ("Query", item_api::query),
    ("Scan", item_api::scan),
    ("BatchWriteItem", item_api::batch_write_item),
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
    let mut body = json!({"__type": format!("{namespace}#{}", error.code), "message": error.message});
    for (member, value) in &error.members {
        body[*member] = json!(value);
    }
    Reply::raw(error.status, CONTENT_TYPE, body.to_string())
}

/// The request as the operation's input. Whatever does not fit is a `ValidationException`, though AWS answers some
/// misfits with a `SerializationException`.
pub(crate) fn input<T: DeserializeOwned>(request: Json) -> Result<T, AwsError> {
    serde_json::from_value(request).map_err(|e| invalid(e.to_string()))
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
