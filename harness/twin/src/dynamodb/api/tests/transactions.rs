//! Transactions and what conditions that fail show.

use super::*;

fn action(verb: &str, sk: u32, more: &Json) -> Json {
    let key = json!({"pk": {"S": "a"}, "sk": {"N": sk.to_string()}});
    let mut action = json!({"TableName": "things"});
    action[if verb == "Put" { "Item" } else { "Key" }] = key;
    action.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({verb: action})
}

fn count(db: &DynamoDb) -> usize {
    all_pages(db, "Scan", &json!({"TableName": "things"})).len()
}

#[test]
fn a_transaction_is_whole_or_nothing_and_says_why() {
    let db = db();
    put(&db, "a", 1, &json!({})).unwrap();
    let absent = json!({"ConditionExpression": "attribute_not_exists(pk)"});
    let shown = json!({"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"});
    let items = |second: &Json| json!({"TransactItems": [action("Put", 2, &absent), second]});
    let error = call(&db, "TransactWriteItems", &items(&action("Put", 1, &shown))).unwrap_err();
    let body: Json = serde_json::from_slice(&error_reply(&error).body).unwrap();
    assert_eq!(body["__type"], "com.amazonaws.dynamodb.v20120810#TransactionCanceledException");
    assert!(body["Message"].as_str().unwrap().ends_with("[None, ConditionalCheckFailed]"));
    let reasons = body["CancellationReasons"].as_array().unwrap();
    assert_eq!(reasons[0], json!({"Code": "None"}));
    assert_eq!(reasons[1]["Item"]["v"], json!({"N": "1"}));
    assert_eq!(count(&db), 1);
    let invalid = action("Update", 1, &json!({"UpdateExpression": "SET v = absent"}));
    let error = call(&db, "TransactWriteItems", &items(&invalid)).unwrap_err();
    assert!(error.message.ends_with("[None, ValidationError]"), "{error}");
    let twice = items(&action("Delete", 2, &json!({})));
    assert_eq!(code(call(&db, "TransactWriteItems", &twice)), "ValidationException");
    let exists = json!({"ConditionExpression": "attribute_exists(pk)"});
    let good = json!({"TransactItems": [action("Put", 2, &absent), action("ConditionCheck", 1, &exists), action("Delete", 3, &json!({}))]});
    call(&db, "TransactWriteItems", &good).unwrap();
    assert_eq!(count(&db), 2);
}

#[test]
fn a_token_makes_one_write() {
    let db = db();
    let add = |value: &str| {
        let update =
            json!({"UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": {"N": value}}});
        json!({"TransactItems": [action("Update", 1, &update)], "ClientRequestToken": "token"})
    };
    let n = || {
        call(&db, "TransactGetItems", &json!({"TransactItems": [action("Get", 1, &json!({}))]})).unwrap()["Responses"][0]["Item"]["n"]["N"].clone()
    };
    call(&db, "TransactWriteItems", &add("1")).unwrap();
    call_at(&db, "us-east-1", "TransactWriteItems", &add("1"), 599).unwrap();
    assert_eq!(n(), "1");
    let other = call_at(&db, "us-east-1", "TransactWriteItems", &add("2"), 599);
    assert_eq!(code(other), "IdempotentParameterMismatchException");
    call_at(&db, "us-east-1", "TransactWriteItems", &add("2"), 600).unwrap();
    assert_eq!(n(), "3");
}

#[test]
fn a_failed_condition_shows_the_item_if_asked() {
    let db = db();
    put(&db, "a", 1, &json!({})).unwrap();
    let condition = json!({"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"});
    let error = put(&db, "a", 1, &condition).unwrap_err();
    let body: Json = serde_json::from_slice(&error_reply(&error).body).unwrap();
    assert_eq!(body["Item"]["v"], json!({"N": "1"}));
}
