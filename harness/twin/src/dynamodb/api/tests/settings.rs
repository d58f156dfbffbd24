//! Settings of tables, and what is refused of them.

use super::*;

#[test]
fn settings_are_kept_and_described() {
    let db = DynamoDb::new(Duration::ZERO);
    let request = json!({
        "TableName": "things", "BillingMode": "PAY_PER_REQUEST", "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "SSESpecification": {"Enabled": true, "SSEType": "KMS"}, "DeletionProtectionEnabled": true,
        "Tags": [{"Key": "a", "Value": "1"}],
    });
    let table = call(&db, "CreateTable", &request).unwrap()["TableDescription"].clone();
    assert_eq!(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table["SSEDescription"]["SSEType"], "KMS");
    assert_eq!(table["TableClassSummary"]["TableClass"], "STANDARD_INFREQUENT_ACCESS");
    let named = json!({"TableName": "things"});
    assert_eq!(code(call(&db, "DeleteTable", &named)), "ValidationException");
    let on = json!({"TableName": "things", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true}});
    call(&db, "UpdateContinuousBackups", &on).unwrap();
    let backups = call(&db, "DescribeContinuousBackups", &named).unwrap();
    let recovery = &backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    assert_eq!(
        (&recovery["PointInTimeRecoveryStatus"], &recovery["RecoveryPeriodInDays"]),
        (&json!("ENABLED"), &json!(35))
    );
    let provision = json!({"TableName": "things", "BillingMode": "PROVISIONED", "DeletionProtectionEnabled": false,
                           "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}});
    let table = call(&db, "UpdateTable", &provision).unwrap()["TableDescription"].clone();
    assert_eq!(table["ProvisionedThroughput"]["WriteCapacityUnits"], 6);
    assert_eq!(table["BillingModeSummary"]["BillingMode"], "PROVISIONED");
    let untag = json!({"ResourceArn": table["TableArn"], "TagKeys": ["a"]});
    call(&db, "UntagResource", &untag).unwrap();
    let tags = call(&db, "ListTagsOfResource", &json!({"ResourceArn": table["TableArn"]})).unwrap();
    assert_eq!(tags, json!({"Tags": []}));
    call(&db, "DeleteTable", &named).unwrap();
    assert_eq!(code(call(&db, "DescribeContinuousBackups", &named)), "TableNotFoundException");
}

#[test]
fn what_is_not_modelled_is_refused_and_not_ignored() {
    let db = db();
    for (operation, more) in [
        ("Query", json!({"KeyConditions": {}})),
        ("Scan", json!({"ScanFilter": {}})),
        ("GetItem", json!({"AttributesToGet": ["a"], "Key": {}})),
        ("UpdateItem", json!({"AttributeUpdates": {}, "Key": {}})),
        ("UpdateTable", json!({"MultiRegionConsistency": "STRONG"})),
        ("UpdateTable", json!({"OnDemandThroughput": {"MaxReadRequestUnits": 1}})),
        ("UpdateTable", json!({})),
        ("UpdateTable", json!({"BillingMode": "PROVISIONED"})),
        ("UpdateTimeToLive", json!({"TimeToLiveSpecification": {"Enabled": false, "AttributeName": "ttl"}})),
        ("Scan", json!({"ReturnConsumedCapacity": "SOME"})),
        ("Scan", json!({"Select": "ALL_PROJECTED_ATTRIBUTES"})),
    ] {
        let mut request = json!({"TableName": "things"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(code(call(&db, operation, &request)), "ValidationException", "{operation} {more}");
    }
}
