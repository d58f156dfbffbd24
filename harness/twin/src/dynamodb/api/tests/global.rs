//! Global tables of version 2017.11.29, and indexes of the current version's.

use super::*;

fn create(db: &DynamoDb, region: &str, view: &str) -> Result<Json, AwsError> {
    let request = json!({
        "TableName": "events", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "uuid", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "uuid", "KeyType": "HASH"}],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": view},
    });
    call_at(db, region, "CreateTable", &request, 0)
}

fn group(regions: &[&str]) -> Json {
    let regions: Vec<Json> = regions.iter().map(|r| json!({"RegionName": r})).collect();
    json!({"GlobalTableName": "events", "ReplicationGroup": regions})
}

#[test]
fn a_legacy_global_table_is_made_of_equal_empty_tables() {
    let both = group(&["us-east-1", "us-west-2"]);
    let db = DynamoDb::new(Duration::ZERO);
    create(&db, "us-east-1", "NEW_AND_OLD_IMAGES").unwrap();
    assert_eq!(code(call(&db, "CreateGlobalTable", &both)), "TableNotFoundException");
    create(&db, "us-west-2", "KEYS_ONLY").unwrap();
    assert_eq!(code(call(&db, "CreateGlobalTable", &both)), "ValidationException");
    call_at(&db, "us-west-2", "DeleteTable", &json!({"TableName": "events"}), 0).unwrap();
    create(&db, "us-west-2", "NEW_AND_OLD_IMAGES").unwrap();
    let item = json!({"TableName": "events", "Item": {"uuid": {"S": "1"}}});
    call(&db, "PutItem", &item).unwrap();
    assert_eq!(code(call(&db, "CreateGlobalTable", &both)), "ValidationException", "not empty");
    call(&db, "DeleteItem", &json!({"TableName": "events", "Key": {"uuid": {"S": "1"}}})).unwrap();
    let made = call(&db, "CreateGlobalTable", &both).unwrap()["GlobalTableDescription"].clone();
    assert_eq!(
        (&made["GlobalTableStatus"], made["ReplicationGroup"].as_array().unwrap().len()),
        (&json!("ACTIVE"), 2)
    );
    assert_eq!(code(call(&db, "CreateGlobalTable", &both)), "GlobalTableAlreadyExistsException");
    let described =
        call_at(&db, "us-west-2", "DescribeGlobalTable", &json!({"GlobalTableName": "events"}), 0).unwrap();
    assert_eq!(described["GlobalTableDescription"], made);
    let table = call(&db, "DescribeTable", &json!({"TableName": "events"})).unwrap();
    assert_eq!(table["Table"]["GlobalTableVersion"], "2017.11.29");
    call(&db, "PutItem", &item).unwrap();
    let get = json!({"TableName": "events", "Key": {"uuid": {"S": "1"}}});
    assert_eq!(
        call(&db, "GetItem", &get).unwrap()["Item"]["aws:rep:updateregion"],
        json!({"S": "us-east-1"})
    );
}

#[test]
fn replicas_of_a_legacy_global_table_come_and_go() {
    let db = DynamoDb::new(Duration::ZERO);
    for region in ["us-east-1", "us-west-2"] {
        create(&db, region, "NEW_AND_OLD_IMAGES").unwrap();
    }
    call(&db, "CreateGlobalTable", &group(&["us-east-1"])).unwrap();
    let update = |verb: &str| json!({"GlobalTableName": "events", "ReplicaUpdates": [{verb: {"RegionName": "us-west-2"}}]});
    assert_eq!(code(call(&db, "UpdateGlobalTable", &update("Delete"))), "ReplicaNotFoundException");
    call(&db, "UpdateGlobalTable", &update("Create")).unwrap();
    assert_eq!(code(call(&db, "UpdateGlobalTable", &update("Create"))), "ReplicaAlreadyExistsException");
    let listed = call(&db, "ListGlobalTables", &json!({"RegionName": "us-west-2"})).unwrap();
    assert_eq!(listed["GlobalTables"][0]["ReplicationGroup"].as_array().unwrap().len(), 2);
    call(&db, "UpdateGlobalTable", &update("Delete")).unwrap();
    let table = call_at(&db, "us-west-2", "DescribeTable", &json!({"TableName": "events"}), 0).unwrap();
    assert!(table["Table"].get("GlobalTableVersion").is_none(), "the table stays");
    assert_eq!(
        call(&db, "ListGlobalTables", &json!({"RegionName": "us-west-2"})).unwrap()["GlobalTables"],
        json!([])
    );
    call(&db, "DeleteTable", &json!({"TableName": "events"})).unwrap();
    assert_eq!(
        code(call(&db, "DescribeGlobalTable", &json!({"GlobalTableName": "events"}))),
        "GlobalTableNotFoundException"
    );
}

#[test]
fn an_index_is_in_all_replicas_of_the_current_version() {
    let db = db();
    let create = json!({"TableName": "things", "ReplicaUpdates": [{"Create": {"RegionName": "us-west-2"}}]});
    call(&db, "UpdateTable", &create).unwrap();
    let index = json!({
        "TableName": "things", "AttributeDefinitions": [{"AttributeName": "v", "AttributeType": "N"}],
        "GlobalSecondaryIndexUpdates": [{"Create": {"IndexName": "v-index", "Projection": {"ProjectionType": "ALL"},
                                                    "KeySchema": [{"AttributeName": "v", "KeyType": "HASH"}]}}],
    });
    call(&db, "UpdateTable", &index).unwrap();
    put(&db, "a", 1, &json!({})).unwrap();
    let now = Timestamp::from_second(1_700_000_001).unwrap();
    db.tables.lock().deliver(("us-east-1", "us-west-2"), Duration::ZERO, now, 10);
    let scan = json!({"TableName": "things", "IndexName": "v-index"});
    assert_eq!(call_at(&db, "us-west-2", "Scan", &scan, 1).unwrap()["Count"], 1);
}
