//! Batches, return values and capacity.

use super::*;

#[test]
fn a_batch_reads_what_it_finds() {
    let db = db();
    for sk in 0..3 {
        put(&db, "a", sk, &json!({})).unwrap();
    }
    let key = |sk: u32| json!({"pk": {"S": "a"}, "sk": {"N": sk.to_string()}});
    let request = |keys: &[Json]| {
        json!({"ReturnConsumedCapacity": "TOTAL",
               "RequestItems": {"things": {"Keys": keys, "ProjectionExpression": "#s", "ExpressionAttributeNames": {"#s": "sk"}}}})
    };
    let answer = call(&db, "BatchGetItem", &request(&[key(0), key(2), key(9)])).unwrap();
    assert_eq!(answer["Responses"]["things"], json!([{"sk": {"N": "0"}}, {"sk": {"N": "2"}}]));
    assert_eq!(answer["UnprocessedKeys"], json!({}));
    assert_eq!(answer["ConsumedCapacity"], json!([{"TableName": "things", "CapacityUnits": 1.5}]));
    assert_eq!(code(call(&db, "BatchGetItem", &request(&[key(0), key(0)]))), "ValidationException");
    assert_eq!(code(call(&db, "BatchGetItem", &json!({"RequestItems": {}}))), "ValidationException");
}

#[test]
fn a_batch_with_something_wrong_writes_nothing() {
    let db = db();
    let put = |item: Json| json!({"PutRequest": {"Item": item}});
    let good = put(json!({"pk": {"S": "a"}, "sk": {"N": "1"}}));
    for wrong in [
        put(json!({"pk": {"S": "a"}})),
        json!({}),
        put(json!({"pk": {"S": "a"}, "sk": {"N": "2"}, "s": {"SS": []}})),
    ] {
        let request = json!({"RequestItems": {"things": [good, wrong]}});
        assert_eq!(code(call(&db, "BatchWriteItem", &request)), "ValidationException");
    }
    assert_eq!(call(&db, "Scan", &json!({"TableName": "things"})).unwrap()["Count"], 0);
}

#[test]
fn an_update_returns_what_it_changed() {
    let db = db();
    put(&db, "a", 1, &json!({})).unwrap();
    let update = |value: &str, wanted: &str| {
        let request = json!({
            "TableName": "things", "Key": {"pk": {"S": "a"}, "sk": {"N": "1"}}, "ReturnValues": wanted,
            "UpdateExpression": "SET v = :v REMOVE gone", "ExpressionAttributeValues": {":v": {"N": value}},
        });
        call(&db, "UpdateItem", &request).unwrap()
    };
    assert_eq!(update("2", "UPDATED_OLD"), json!({"Attributes": {"v": {"N": "1"}}}));
    assert_eq!(update("3", "UPDATED_NEW"), json!({"Attributes": {"v": {"N": "3"}}}));
}

#[test]
fn capacity_is_told_as_it_is_consumed() {
    let db = db();
    let of = |operation: &str, request: &Json| {
        let mut request = request.clone();
        request["TableName"] = json!("things");
        request["ReturnConsumedCapacity"] = json!("TOTAL");
        call(&db, operation, &request).unwrap()["ConsumedCapacity"]["CapacityUnits"].as_f64().unwrap()
    };
    let large = json!({"Item": {"pk": {"S": "a"}, "sk": {"N": "1"}, "text": {"S": "x".repeat(9000)}}});
    let small = json!({"Item": {"pk": {"S": "a"}, "sk": {"N": "1"}}});
    let key = json!({"Key": {"pk": {"S": "a"}, "sk": {"N": "1"}}});
    let consistent = json!({"Key": key["Key"], "ConsistentRead": true});
    let units = [
        of("PutItem", &large),
        of("GetItem", &key),
        of("GetItem", &consistent),
        of("Scan", &json!({})),
        of("PutItem", &small),
        of("DeleteItem", &key),
        of("GetItem", &consistent),
    ];
    assert_eq!(units.map(|u| u.to_string()), ["9", "1.5", "3", "1.5", "9", "1", "1"]);
}

#[test]
fn a_provisioned_table_throttles_and_saves_for_five_minutes() {
    let db = DynamoDb::new(Duration::ZERO);
    let request = json!({
        "TableName": "things", "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    });
    call(&db, "CreateTable", &request).unwrap();
    let puts = |now_s: i64| {
        let put = json!({"TableName": "things", "Item": {"pk": {"S": "a"}, "n": {"N": now_s.to_string()}}});
        (0..1000).take_while(|_| call_at(&db, "us-east-1", "PutItem", &put, now_s).is_ok()).count()
    };
    assert_eq!(puts(0), 2);
    assert_eq!(puts(1), 2);
    assert_eq!(puts(10_000), 600);
    let put = json!({"PutRequest": {"Item": {"pk": {"S": "b"}}}});
    let batch = json!({"RequestItems": {"things": [put]}});
    let throttled = call_at(&db, "us-east-1", "BatchWriteItem", &batch, 10_000);
    assert_eq!(code(throttled), "ProvisionedThroughputExceededException");
    let keys: Vec<Json> = ["a", "b", "c"].iter().map(|pk| json!({"pk": {"S": pk}})).collect();
    let gets = json!({"RequestItems": {"things": {"Keys": keys}}});
    let answer = call_at(&db, "us-east-1", "BatchGetItem", &gets, 0).unwrap();
    assert_eq!(answer["UnprocessedKeys"]["things"]["Keys"], json!([{"pk": {"S": "c"}}]), "half a unit each");
}
