//! Calls as clients make them, and the answers they get.

use std::time::Duration;

use axum::http::{HeaderMap, Method};

use super::*;

mod batches;
mod global;
mod indexes;
mod settings;
mod transactions;

fn call_at(db: &DynamoDb, region: &str, operation: &str, body: &Json, now_s: i64) -> Result<Json, AwsError> {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-target", format!("DynamoDB_20120810.{operation}").parse().unwrap());
    let call = Call {
        method: Method::POST,
        raw_path: "/".to_owned(),
        query: Vec::new(),
        headers,
        body: body.to_string().into(),
        region: region.to_owned(),
        service: "dynamodb".to_owned(),
    };
    let regions = ["us-east-1".to_owned(), "us-west-2".to_owned()];
    let now = Timestamp::from_second(1_700_000_000 + now_s).unwrap();
    let reply = handle(db, "123456789012", &regions, now, &call)?;
    Ok(serde_json::from_slice(&reply.body).unwrap())
}

fn call(db: &DynamoDb, operation: &str, body: &Json) -> Result<Json, AwsError> {
    call_at(db, "us-east-1", operation, body, 0)
}

fn code(result: Result<Json, AwsError>) -> &'static str {
    result.unwrap_err().code
}

/// A table with a partition key `pk` and a sort key `sk`.
fn db() -> DynamoDb {
    let db = DynamoDb::new(Duration::ZERO);
    let request = json!({
        "TableName": "things", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    });
    let table = call(&db, "CreateTable", &request).unwrap();
    assert_eq!(table["TableDescription"]["TableStatus"], "ACTIVE");
    db
}

fn put(db: &DynamoDb, pk: &str, sk: u32, more: &Json) -> Result<Json, AwsError> {
    let mut request = json!({"TableName": "things", "Item": {"pk": {"S": pk}, "sk": {"N": sk.to_string()}, "v": {"N": "1"}}});
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    call(db, "PutItem", &request)
}

#[test]
fn a_put_with_a_condition_writes_once() {
    let db = db();
    let condition = json!({"ConditionExpression": "attribute_not_exists(pk)"});
    put(&db, "a", 1, &condition).unwrap();
    assert_eq!(code(put(&db, "a", 1, &condition)), "ConditionalCheckFailedException");
    put(&db, "a", 2, &condition).unwrap();
    let old = put(&db, "a", 1, &json!({"ReturnValues": "ALL_OLD"})).unwrap();
    assert_eq!(old["Attributes"]["v"], json!({"N": "1"}));
}

#[test]
fn an_update_makes_the_item_and_counts() {
    let db = db();
    let request = json!({
        "TableName": "things", "Key": {"pk": {"S": "a"}, "sk": {"N": "1"}}, "ReturnValues": "ALL_NEW",
        "UpdateExpression": "SET #s = :s, n = if_not_exists(n, :zero) + :one",
        "ExpressionAttributeNames": {"#s": "status"},
        "ExpressionAttributeValues": {":s": {"S": "ok"}, ":zero": {"N": "0"}, ":one": {"N": "1"}},
    });
    assert_eq!(call(&db, "UpdateItem", &request).unwrap()["Attributes"]["n"], json!({"N": "1"}));
    assert_eq!(call(&db, "UpdateItem", &request).unwrap()["Attributes"]["n"], json!({"N": "2"}));
    let key = json!({"TableName": "things", "Key": {"pk": {"S": "a"}, "sk": {"N": "1.0"}}});
    assert_eq!(call(&db, "GetItem", &key).unwrap()["Item"]["status"], json!({"S": "ok"}));
    call(&db, "DeleteItem", &key).unwrap();
    assert_eq!(call(&db, "GetItem", &key).unwrap(), json!({}));
}

/// All items of a paged query or scan.
fn all_pages(db: &DynamoDb, operation: &str, request: &Json) -> Vec<Json> {
    let mut request = request.clone();
    let mut items = Vec::new();
    loop {
        let page = call(db, operation, &request).unwrap();
        items.extend(page["Items"].as_array().unwrap().iter().cloned());
        match page.get("LastEvaluatedKey") {
            Some(key) => request["ExclusiveStartKey"] = key.clone(),
            None => return items,
        }
    }
}

#[test]
fn pages_together_are_the_whole_in_both_directions() {
    let db = db();
    for pk in ["a", "b"] {
        for sk in 0..7 {
            put(&db, pk, sk, &json!({})).unwrap();
        }
    }
    let mut query = json!({
        "TableName": "things", "Limit": 3, "KeyConditionExpression": "pk = :pk AND sk > :sk",
        "ExpressionAttributeValues": {":pk": {"S": "a"}, ":sk": {"N": "0"}},
    });
    let sort_keys = |items: Vec<Json>| {
        items.iter().map(|i| i["sk"]["N"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sort_keys(all_pages(&db, "Query", &query)), ["1", "2", "3", "4", "5", "6"]);
    query["ScanIndexForward"] = json!(false);
    assert_eq!(sort_keys(all_pages(&db, "Query", &query)), ["6", "5", "4", "3", "2", "1"]);
    assert_eq!(all_pages(&db, "Scan", &json!({"TableName": "things", "Limit": 5})).len(), 14);
    let segment = |n| json!({"TableName": "things", "Limit": 2, "Segment": n, "TotalSegments": 2});
    let count = all_pages(&db, "Scan", &segment(0)).len() + all_pages(&db, "Scan", &segment(1)).len();
    assert_eq!(count, 14);
    let filtered = json!({"TableName": "things", "FilterExpression": "sk = :sk", "ProjectionExpression": "pk",
                          "ExpressionAttributeValues": {":sk": {"N": "3"}}});
    assert_eq!(all_pages(&db, "Scan", &filtered), [json!({"pk": {"S": "a"}}), json!({"pk": {"S": "b"}})]);
}

#[test]
fn a_stream_is_read_from_every_position() {
    let db = db();
    for sk in 0..5 {
        put(&db, "a", sk, &json!({})).unwrap();
    }
    let arn = call(&db, "ListStreams", &json!({})).unwrap()["Streams"][0]["StreamArn"].clone();
    let described = call(&db, "DescribeStream", &json!({"StreamArn": arn})).unwrap();
    let mut read = Vec::new();
    for shard in described["StreamDescription"]["Shards"].as_array().unwrap() {
        let mut request =
            json!({"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
        let iterator = call(&db, "GetShardIterator", &request).unwrap();
        let first = call(&db, "GetRecords", &json!({"ShardIterator": iterator["ShardIterator"], "Limit": 2}))
            .unwrap();
        let next = json!({"ShardIterator": first["NextShardIterator"]});
        let second = call(&db, "GetRecords", &next).unwrap();
        let expired = call_at(&db, "us-east-1", "GetRecords", &next, 901);
        assert_eq!(code(expired), "ExpiredIteratorException");
        for page in [&first, &second] {
            read.extend(page["Records"].as_array().unwrap().iter().cloned());
        }
        request["ShardIteratorType"] = json!("LATEST");
        let latest = call(&db, "GetShardIterator", &request).unwrap();
        assert_eq!(call(&db, "GetRecords", &latest).unwrap()["Records"], json!([]));
    }
    assert_eq!(read.len(), 5);
    assert_eq!(read[0]["eventName"], "INSERT");
    assert_eq!(read[0]["dynamodb"]["NewImage"]["sk"], json!({"N": "0"}));
    assert!(read[0].get("eventSourceARN").is_none());
}

#[test]
fn tables_are_described_replicated_and_deleted() {
    let db = db();
    let create = json!({"TableName": "things", "ReplicaUpdates": [{"Create": {"RegionName": "us-west-2"}}]});
    call(&db, "UpdateTable", &create).unwrap();
    let west = call_at(&db, "us-west-2", "DescribeTable", &json!({"TableName": "things"}), 0).unwrap();
    assert_eq!(west["Table"]["Replicas"], json!([{"RegionName": "us-east-1", "ReplicaStatus": "ACTIVE"}]));
    assert!(west["Table"]["LatestStreamArn"].as_str().unwrap().starts_with("arn:aws:dynamodb:us-west-2:"));
    assert_eq!(code(call(&db, "UpdateTable", &create)), "ValidationException");
    let ttl =
        json!({"TableName": "things", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "ttl"}});
    call(&db, "UpdateTimeToLive", &ttl).unwrap();
    let ttl = call_at(&db, "us-west-2", "DescribeTimeToLive", &json!({"TableName": "things"}), 0).unwrap();
    assert_eq!(ttl["TimeToLiveDescription"]["TimeToLiveStatus"], "ENABLED");
    call(&db, "DeleteTable", &json!({"TableName": "things"})).unwrap();
    assert_eq!(
        code(call(&db, "DescribeTable", &json!({"TableName": "things"}))),
        "ResourceNotFoundException"
    );
    assert_eq!(call(&db, "ListTables", &json!({})).unwrap(), json!({"TableNames": []}));
}

#[test]
fn what_dynamodb_refuses_is_refused() {
    let db = db();
    let things = |more: Json| {
        let mut request = json!({"TableName": "things"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    for (operation, request, expected) in [
        ("PutItem", things(json!({"Item": {"pk": {"S": "a"}}})), "ValidationException"),
        ("PutItem", things(json!({"Item": {"pk": {"S": ""}, "sk": {"N": "1"}}})), "ValidationException"),
        ("PutItem", things(json!({"Item": {"pk": {"S": "a"}, "sk": {"N": "x"}}})), "ValidationException"),
        ("PutItem", things(json!({"Item": {}, "Expected": {}})), "ValidationException"),
        ("GetItem", things(json!({"Key": {"pk": {"S": "a"}}})), "ValidationException"),
        ("Query", things(json!({"KeyConditionExpression": "attribute_exists(pk)"})), "ValidationException"),
        ("Scan", things(json!({"Limit": 0})), "ValidationException"),
        ("Scan", json!({"TableName": "nothing"}), "ResourceNotFoundException"),
        ("DeleteTable", json!({"TableName": "nothing"}), "ResourceNotFoundException"),
        ("BatchWriteItem", json!({"RequestItems": {}}), "ValidationException"),
        ("ExecuteStatement", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(code(call(&db, operation, &request)), expected, "{operation} {request}");
    }
    let again = json!({"TableName": "things", "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                       "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]});
    assert_eq!(code(call(&db, "CreateTable", &again)), "ResourceInUseException");
}

#[test]
fn errors_look_as_dynamodb_writes_them() {
    let reply =
        error_reply(&AwsError::new(400, "ConditionalCheckFailedException", "The conditional request failed"));
    let body: Json = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["__type"], "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException");
    assert_eq!((reply.status, body["message"].as_str()), (400, Some("The conditional request failed")));
}
