//! Secondary indexes as clients see them.

use super::*;

/// The table of errors of the archived solution.
fn errors() -> DynamoDb {
    let db = DynamoDb::new(Duration::ZERO);
    let request = json!({
        "TableName": "errors", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "thing_name", "AttributeType": "S"},
                                 {"AttributeName": "action", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "thing_name", "KeyType": "HASH"}, {"AttributeName": "action", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [{"IndexName": "action-index", "Projection": {"ProjectionType": "ALL"},
                                    "KeySchema": [{"AttributeName": "action", "KeyType": "HASH"}]}],
    });
    call(&db, "CreateTable", &request).unwrap();
    for n in 0..5 {
        let action = if n < 4 { "create-thing" } else { "delete-thing" };
        let item = json!({"thing_name": {"S": format!("thing-{n}")}, "action": {"S": action}, "n": {"N": n.to_string()}});
        call(&db, "PutItem", &json!({"TableName": "errors", "Item": item})).unwrap();
    }
    db
}

fn by_action(more: &Json) -> Json {
    let mut request = json!({"TableName": "errors", "IndexName": "action-index", "KeyConditionExpression": "#a = :a",
        "ExpressionAttributeNames": {"#a": "action"}, "ExpressionAttributeValues": {":a": {"S": "create-thing"}}});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

#[test]
fn the_index_of_the_archived_solution_is_there_and_pages() {
    let db = errors();
    let table = call(&db, "DescribeTable", &json!({"TableName": "errors"})).unwrap();
    let index = &table["Table"]["GlobalSecondaryIndexes"][0];
    assert_eq!((&index["IndexStatus"], &index["ItemCount"]), (&json!("ACTIVE"), &json!(5)));
    let first = call(&db, "Query", &by_action(&json!({"Limit": 3}))).unwrap();
    let last = first["LastEvaluatedKey"].as_object().unwrap();
    assert_eq!(last.keys().collect::<Vec<_>>(), ["action", "thing_name"], "both keys, each once");
    assert_eq!(all_pages(&db, "Query", &by_action(&json!({"Limit": 3}))).len(), 4);
    let backward = all_pages(&db, "Query", &by_action(&json!({"Limit": 1, "ScanIndexForward": false})));
    assert_eq!(backward[0]["thing_name"], json!({"S": "thing-3"}));
    assert_eq!(
        all_pages(&db, "Scan", &json!({"TableName": "errors", "IndexName": "action-index", "Limit": 2}))
            .len(),
        5
    );
    for (more, text) in [
        (json!({"ConsistentRead": true}), "Consistent reads are not supported"),
        (json!({"IndexName": "none-index"}), "does not have the specified index"),
        (json!({"ExclusiveStartKey": {"action": {"S": "create-thing"}}}), "starting key is invalid"),
        (json!({"FilterExpression": "#a = :a"}), "non-primary key attributes"),
    ] {
        let error = call(&db, "Query", &by_action(&more)).unwrap_err();
        assert!(error.message.contains(text), "{error}");
    }
}

#[test]
fn an_index_that_is_added_is_filled_before_it_is_active() {
    let db = errors();
    let by_n = json!({"TableName": "errors", "IndexName": "n-index", "KeyConditionExpression": "n = :n",
                      "ExpressionAttributeValues": {":n": {"N": "2"}}});
    let update = |updates: Json| {
        json!({"TableName": "errors", "AttributeDefinitions": [{"AttributeName": "n", "AttributeType": "N"}],
               "GlobalSecondaryIndexUpdates": [updates]})
    };
    let create = |name: &str| {
        update(json!({"Create": {"IndexName": name, "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                                 "Projection": {"ProjectionType": "KEYS_ONLY"}}}))
    };
    let made = call(&db, "UpdateTable", &create("n-index")).unwrap();
    let index = &made["TableDescription"]["GlobalSecondaryIndexes"][1];
    assert_eq!((&index["IndexStatus"], &index["Backfilling"]), (&json!("CREATING"), &json!(true)));
    assert!(call(&db, "Query", &by_n).unwrap_err().message.contains("backfilling"));
    assert_eq!(code(call(&db, "UpdateTable", &create("m-index"))), "LimitExceededException");
    let found = call_at(&db, "us-east-1", "Query", &by_n, 1).unwrap();
    let keys = json!([{"thing_name": {"S": "thing-2"}, "action": {"S": "create-thing"}, "n": {"N": "2"}}]);
    assert_eq!(found["Items"], keys);
    let wrong = json!({"TableName": "errors", "Key": keys_of(&keys), "UpdateExpression": "SET n = :s",
                       "ExpressionAttributeValues": {":s": {"S": "two"}}});
    assert_eq!(code(call(&db, "UpdateItem", &wrong)), "ValidationException");
    let delete =
        json!({"TableName": "errors", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "n-index"}}]});
    call_at(&db, "us-east-1", "UpdateTable", &delete, 2).unwrap();
    let of =
        |now_s| call_at(&db, "us-east-1", "DescribeTable", &json!({"TableName": "errors"}), now_s).unwrap();
    assert_eq!(of(2)["Table"]["GlobalSecondaryIndexes"][1]["IndexStatus"], "DELETING");
    assert_eq!(of(3)["Table"]["GlobalSecondaryIndexes"].as_array().unwrap().len(), 1);
}

/// Definitions of attributes that are texts.
fn texts(names: &[&str]) -> Json {
    names.iter().map(|n| json!({"AttributeName": n, "AttributeType": "S"})).collect()
}

fn keys_of(items: &Json) -> Json {
    json!({"thing_name": items[0]["thing_name"], "action": items[0]["action"]})
}

#[test]
fn what_an_index_does_not_project_is_not_seen_through_it() {
    let db = DynamoDb::new(Duration::ZERO);
    let key = |hash: &str, range: &str| json!([{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}]);
    let include = json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["b"]});
    let request = json!({
        "TableName": "things", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": texts(&["pk", "sk", "g", "l"]),
        "KeySchema": key("pk", "sk"),
        "GlobalSecondaryIndexes": [{"IndexName": "global", "KeySchema": key("g", "pk"), "Projection": include}],
        "LocalSecondaryIndexes": [{"IndexName": "local", "KeySchema": key("pk", "l"), "Projection": include}],
    });
    call(&db, "CreateTable", &request).unwrap();
    let item: serde_json::Map<String, Json> =
        ["pk", "sk", "g", "l", "a", "b"].into_iter().map(|n| (n.to_owned(), json!({"S": "x"}))).collect();
    call(&db, "PutItem", &json!({"TableName": "things", "Item": item})).unwrap();
    let scan = |index: &str, more: &Json| {
        let mut request = json!({"TableName": "things", "IndexName": index});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&db, "Scan", &request)
    };
    for (index, names) in [("global", vec!["b", "g", "pk", "sk"]), ("local", vec!["b", "l", "pk", "sk"])] {
        let seen = scan(index, &json!({})).unwrap();
        assert_eq!(seen["Items"][0].as_object().unwrap().keys().collect::<Vec<_>>(), names);
        let filter = json!({"FilterExpression": "attribute_exists(a)"});
        assert_eq!(scan(index, &filter).unwrap()["Count"], 0);
    }
    for more in [json!({"Select": "ALL_ATTRIBUTES"}), json!({"ProjectionExpression": "a"})] {
        assert_eq!(code(scan("global", &more)), "ValidationException");
        assert_eq!(
            scan("local", &more).unwrap()["Items"][0]["a"],
            json!({"S": "x"}),
            "fetched from the table"
        );
    }
}

#[test]
fn indexes_that_are_refused() {
    let db = DynamoDb::new(Duration::ZERO);
    let index = |name: &str, attribute: &str, projection: Json| json!([{"IndexName": name, "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}], "Projection": projection}]);
    let all = json!({"ProjectionType": "ALL"});
    for (member, indexes) in [
        ("GlobalSecondaryIndexes", index("gsi", "missing", all.clone())),
        ("GlobalSecondaryIndexes", index("x", "g", all.clone())),
        ("GlobalSecondaryIndexes", index("gsi", "g", json!({"ProjectionType": "INCLUDE"}))),
        ("GlobalSecondaryIndexes", index("gsi", "pk", all.clone())),
        ("LocalSecondaryIndexes", index("lsi", "g", all)),
    ] {
        let request = json!({
            "TableName": "things", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": texts(&["pk", "g"]),
            member: indexes,
        });
        assert_eq!(code(call(&db, "CreateTable", &request)), "ValidationException", "{request}");
    }
}
