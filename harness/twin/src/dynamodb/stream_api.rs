//! The DynamoDB Streams operations.
//!
//! An iterator is a value, not a handle: it names stream, shard, the sequence number after which it reads, and when it
//! was made. It is valid for 15 minutes, as AWS has it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{
    api::{Context, input, seconds},
    definition::schema_json,
    item::invalid,
    poison::poisoned,
    stream::{
        RECORDS_PER_SHARD_MAX, SHARDS, Stream, StreamName, parse_sequence, parse_shard_id, sequence_text,
        shard_id,
    },
    tables::{Tables, not_found},
};
use crate::error::AwsError;

/// Records in one answer, as AWS has it.
const RECORDS_MAX: usize = 1000;
/// Bytes in one answer, as AWS has it.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long an iterator is valid, as AWS has it.
const ITERATOR_VALID_S: i64 = 15 * 60;

#[derive(Debug, Serialize, Deserialize)]
struct ShardIterator {
    arn: String,
    shard: usize,
    after: u64,
    made_s: i64,
}

impl ShardIterator {
    fn text(&self) -> String {
        STANDARD.encode(json!(self).to_string())
    }

    fn parse(text: &str) -> Result<Self, AwsError> {
        let bytes = STANDARD.decode(text).ok();
        bytes.and_then(|b| serde_json::from_slice(&b).ok()).ok_or_else(|| invalid("Invalid ShardIterator"))
    }
}

fn stream<'a>(tables: &'a Tables, context: &Context<'_>, arn: &str) -> Result<&'a Stream, AwsError> {
    tables
        .stream(arn)
        .filter(|s| s.region == context.region)
        .ok_or_else(|| not_found(format!("Requested resource not found: Stream: {arn} not found")))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListStreams {
    table_name: Option<String>,
}

pub(crate) fn list_streams(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: ListStreams = input(request)?;
    let tables = context.db.tables.lock();
    let streams: Vec<Json> = tables
        .of_region(context.region)
        .filter(|t| request.table_name.as_ref().is_none_or(|name| t.name == *name))
        .filter_map(|t| t.stream.as_ref().map(|s| (t, s)))
        .map(|(t, s)| json!({"StreamArn": s.arn, "StreamLabel": s.label, "TableName": t.name}))
        .collect();
    Ok(json!({"Streams": streams}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeStream {
    stream_arn: String,
    exclusive_start_shard_id: Option<String>,
}

pub(crate) fn describe_stream(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: DescribeStream = input(request)?;
    let tables = context.db.tables.lock();
    let stream = stream(&tables, context, &request.stream_arn)?;
    let table = tables
        .of_region(context.region)
        .find(|t| t.stream.as_ref().is_some_and(|s| s.arn == stream.arn))
        .ok_or_else(|| not_found("Requested resource not found".to_owned()))?;
    let shards = (0..SHARDS)
        .map(|shard| {
            let first = stream.trimmed_through(shard).unwrap_or(0) + 1;
            json!({"ShardId": shard_id(shard),
                   "SequenceNumberRange": {"StartingSequenceNumber": sequence_text(first)}})
        })
        .filter(|s| {
            request
                .exclusive_start_shard_id
                .as_deref()
                .is_none_or(|start| s["ShardId"].as_str() > Some(start))
        });
    Ok(json!({"StreamDescription": {
        "StreamArn": stream.arn,
        "StreamLabel": stream.label,
        "StreamStatus": "ENABLED",
        "StreamViewType": stream.view,
        "CreationRequestDateTime": seconds(stream.created),
        "TableName": table.name,
        "KeySchema": schema_json(&table.schema),
        "Shards": shards.collect::<Vec<_>>(),
    }}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetShardIterator {
    stream_arn: String,
    shard_id: String,
    shard_iterator_type: String,
    sequence_number: Option<String>,
}

pub(crate) fn get_shard_iterator(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: GetShardIterator = input(request)?;
    let tables = context.db.tables.lock();
    let stream = stream(&tables, context, &request.stream_arn)?;
    let shard = parse_shard_id(&request.shard_id)
        .ok_or_else(|| not_found(format!("Requested resource not found: Shard: {}", request.shard_id)))?;
    let trimmed = stream.trimmed_through(shard).unwrap_or(0);
    let given = || {
        let sequence = request.sequence_number.as_deref().and_then(parse_sequence);
        sequence.ok_or_else(|| invalid("Invalid SequenceNumber"))
    };
    let after = match request.shard_iterator_type.as_str() {
        "TRIM_HORIZON" => trimmed,
        "LATEST" => stream.newest(shard).map_or(0, |n| *n.borrow()).max(trimmed),
        "AT_SEQUENCE_NUMBER" => given()?.saturating_sub(1),
        "AFTER_SEQUENCE_NUMBER" => given()?,
        other => return Err(invalid(format!("Invalid ShardIteratorType {other}"))),
    };
    check_trimmed(after, trimmed)?;
    let iterator = ShardIterator { arn: request.stream_arn, shard, after, made_s: context.now.as_second() };
    Ok(json!({"ShardIterator": iterator.text()}))
}

fn check_trimmed(after: u64, trimmed: u64) -> Result<(), AwsError> {
    if after >= trimmed {
        return Ok(());
    }
    let message = format!(
        "Attempted access beyond trim horizon: the shard keeps {RECORDS_PER_SHARD_MAX} records, from {} on",
        sequence_text(trimmed + 1)
    );
    Err(AwsError::new(400, "TrimmedDataAccessException", message))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRecords {
    shard_iterator: String,
    limit: Option<usize>,
}

pub(crate) fn get_records(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: GetRecords = input(request)?;
    let iterator = ShardIterator::parse(&request.shard_iterator)?;
    if context.now.as_second() - iterator.made_s > ITERATOR_VALID_S {
        return Err(AwsError::new(400, "ExpiredIteratorException", "Iterator expired"));
    }
    let limit = request.limit.unwrap_or(RECORDS_MAX);
    if limit == 0 || limit > RECORDS_MAX {
        return Err(invalid(format!("Limit must be between 1 and {RECORDS_MAX}")));
    }
    let (name, records, trimmed) = {
        let tables = context.db.tables.lock();
        let stream = stream(&tables, context, &iterator.arn)?;
        let (records, trimmed) = stream
            .read(iterator.shard, iterator.after, limit)
            .ok_or_else(|| invalid("Invalid ShardIterator"))?;
        (StreamName::of(stream), poisoned(&context.db.faults, stream, records), trimmed)
    };
    check_trimmed(iterator.after, trimmed)?;
    let mut bytes = 0;
    let mut after = iterator.after;
    let mut answer = Vec::new();
    for record in records {
        bytes += record.size_bytes();
        if bytes > ANSWER_BYTES_MAX && !answer.is_empty() {
            break;
        }
        after = record.sequence;
        answer.push(record.to_json(&name, false));
    }
    let next = ShardIterator { after, made_s: context.now.as_second(), ..iterator };
    Ok(json!({"Records": answer, "NextShardIterator": next.text()}))
}
