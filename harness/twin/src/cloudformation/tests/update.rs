//! Updating stacks: in place, by replacement, and back again.

use serde_json::json;

use super::*;
use crate::cloudformation::deploy::Operation;

#[tokio::test]
async fn what_can_change_in_place_does() {
    let cloud = Cloud::start().await;
    cloud.made("s", DEVICES).await;
    let (rule, policy) = (cloud.physical("s", "Rule").await, cloud.physical("s", "Policy").await);
    let table = cloud.output("s", "TableName").await;
    let refused = cloud.update("s", &devices_as_json()).await.unwrap_err();
    assert_eq!(refused, ("ValidationError".into(), "No updates are to be performed.".into()));

    let changed = DEVICES
        .replace("Attributes: {colour: red}", "Attributes: {size: small}")
        .replace("Action: iot:Publish", "Action: iot:Receive")
        .replace("topic(2) AS id", "topic(2) AS id, 1 AS one");
    cloud.updated("s", &changed).await;
    assert_eq!(cloud.physical("s", "Rule").await, rule);
    assert_eq!(cloud.output("s", "TableName").await, table, "the table was left alone");
    let thing = cloud.iot("/things/s-lamp").await.unwrap();
    assert_eq!(thing["attributes"], json!({"size": "small"}));
    let policy = cloud.iot(&format!("/policies/{policy}")).await.unwrap();
    assert_eq!(policy["defaultVersionId"], "2");
    assert!(policy["policyDocument"].as_str().unwrap().contains("iot:Receive"));
    let rule = cloud.iot(&format!("/rules/{rule}")).await.unwrap();
    assert!(rule["rule"]["sql"].as_str().unwrap().contains("1 AS one"));
    let table_events = cloud.events("s").await;
    let touched =
        table_events.split("<member>").filter(|e| e.contains(">Table<") && e.contains("UPDATE_")).count();
    assert_eq!(touched, 0);

    // A sixth version of a policy makes room for itself.
    for n in 0..5 {
        cloud.updated("s", &DEVICES.replace("/${Prefix}/*", &format!("/${{Prefix}}/{n}/*"))).await;
    }
}

#[tokio::test]
async fn a_new_key_makes_a_new_table_and_all_that_names_it_follows() {
    let cloud = Cloud::start().await;
    cloud.made("s", DEVICES).await;
    let old = cloud.output("s", "TableName").await;
    cloud.updated("s", &DEVICES.replace("AttributeName: id", "AttributeName: device")).await;
    let new = cloud.output("s", "TableName").await;
    assert_ne!(old, new);
    assert!(cloud.table(&old).await.unwrap_err().is_not_found(), "the old one is cleaned up");
    let described = cloud.table(&new).await.unwrap();
    assert_eq!(described["Table"]["KeySchema"][0]["AttributeName"], "device");
    let rule = cloud.physical("s", "Rule").await;
    let rule = cloud.iot(&format!("/rules/{rule}")).await.unwrap();
    assert_eq!(rule["rule"]["actions"][0]["dynamoDBv2"]["putItem"]["tableName"], json!(new));
    let events = cloud.events("s").await;
    assert!(events.contains("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
    assert!(
        events.contains(
            "Requested update requires the creation of a new physical resource; hence creating one."
        )
    );
}

#[tokio::test]
async fn a_failed_update_leaves_things_as_they_were() {
    let cloud = Cloud::start().await;
    cloud.made("s", DEVICES).await;
    let before: Vec<Json> = [cloud.iot("/things/s-lamp").await.unwrap()["attributes"].clone()].into();
    let old = cloud.output("s", "TableName").await;
    // The table is replaced, the thing changed, a topic made; then one fails.
    let failing = DEVICES
        .replace("AttributeName: id", "AttributeName: device")
        .replace("{colour: red}", "{colour: blue}")
        .replace(
            "Outputs:",
            "  Extra: {Type: AWS::IoT::Thing, Properties: {ThingName: extra}}\n  Bad:\n    Type: AWS::IoT::TopicRule\n    \
             DependsOn: [Extra, Thing, Table]\n    Properties: {TopicRulePayload: {Sql: nonsense, Actions: []}}\nOutputs:",
        );
    cloud.update("s", &failing).await.unwrap();
    assert_eq!(cloud.settled("s").await, "UPDATE_ROLLBACK_COMPLETE", "{}", cloud.events("s").await);
    assert_eq!(cloud.output("s", "TableName").await, old);
    assert_eq!(cloud.physical("s", "Table").await, old);
    assert!(cloud.table(&old).await.is_ok());
    assert_eq!(cloud.iot("/things/s-lamp").await.unwrap()["attributes"], before[0]);
    assert!(cloud.iot("/things/extra").await.unwrap_err().is_not_found());
    let rule = cloud.physical("s", "Rule").await;
    let rule = cloud.iot(&format!("/rules/{rule}")).await.unwrap();
    assert_eq!(rule["rule"]["actions"][0]["dynamoDBv2"]["putItem"]["tableName"], json!(old));
    let tables = cloud.client().rpc("dynamodb", "DynamoDB_20120810.ListTables", &json!({})).await.unwrap();
    assert_eq!(tables["TableNames"], json!([old]), "the new table went");
    let template = cloud.call("GetTemplate", &[("StackName", "s")]).await.unwrap();
    assert!(!template.contains("nonsense"));
    cloud.updated("s", &DEVICES.replace("colour: red", "colour: green")).await;
}

#[tokio::test]
async fn a_named_resource_cannot_be_replaced_under_its_name() {
    let cloud = Cloud::start().await;
    let named = |key: &str| {
        json!({"Resources": {"T": {"Type": "AWS::DynamoDB::Table", "Properties": {
            "TableName": "mine",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        }}}})
        .to_string()
    };
    cloud.made("s", &named("a")).await;
    cloud.update("s", &named("b")).await.unwrap();
    assert_eq!(cloud.settled("s").await, "UPDATE_ROLLBACK_COMPLETE");
    let wanted = "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename mine and \
                  update the stack again.";
    assert!(cloud.events("s").await.contains(wanted));
    let table = cloud.table("mine").await.unwrap();
    assert_eq!(table["Table"]["KeySchema"][0]["AttributeName"], "a");
}

#[tokio::test]
async fn parameters_may_stay_as_they_are() {
    let cloud = Cloud::start().await;
    let members = [
        ("StackName", "s"),
        ("TemplateBody", DEVICES),
        ("Capabilities.member.1", "CAPABILITY_IAM"),
        ("Parameters.member.1.ParameterKey", "Prefix"),
        ("Parameters.member.1.ParameterValue", "cmd"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "a"),
    ];
    cloud.call("CreateStack", &members).await.unwrap();
    assert_eq!(cloud.settled("s").await, "CREATE_COMPLETE");
    assert!(!cloud.describe("s").await.unwrap().contains("StreamArn"), "the condition does not hold");
    let previous = |kept: &'static str| {
        [
            ("StackName", "s"),
            ("UsePreviousTemplate", "true"),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
            ("Parameters.member.1.ParameterKey", "Prefix"),
            (kept, if kept.ends_with("Value") && !kept.contains("Previous") { "dt" } else { "true" }),
        ]
    };
    let refused = cloud.call("UpdateStack", &previous("Parameters.member.1.UsePreviousValue")).await;
    assert_eq!(refused.unwrap_err().1, "No updates are to be performed.");
    cloud.call("UpdateStack", &previous("Parameters.member.1.ParameterValue")).await.unwrap();
    assert_eq!(cloud.settled("s").await, "UPDATE_COMPLETE", "{}", cloud.events("s").await);
    let stack = cloud.describe("s").await.unwrap();
    assert!(stack.contains("<OutputKey>StreamArn</OutputKey>"));
    assert!(stack.contains("<Key>team</Key><Value>a</Value>"), "tags stay");
}

#[tokio::test]
async fn tags_follow_the_template() {
    let cloud = Cloud::start().await;
    let template = |tags: Json, table_tags: Json| {
        json!({
            "Resources": {
                "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {
                    "TableName": "tagged", "BillingMode": "PAY_PER_REQUEST", "Tags": table_tags,
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}},
                "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
                    "StateMachineName": "m", "RoleArn": "arn:aws:iam::123456789012:role/r", "Tags": tags,
                    "DefinitionString": r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#}},
                "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q", "Tags": tags}},
                "Beat": {"Type": "AWS::Events::Rule", "Properties": {
                    "Name": "beat", "ScheduleExpression": "rate(1 hour)", "Tags": tags}},
                "Type": {"Type": "AWS::IoT::ThingType", "Properties": {"ThingTypeName": "lamp", "Tags": tags}},
                "Zone": {"Type": "AWS::Route53::HostedZone", "Properties": {
                    "Name": "example.test", "HostedZoneTags": tags}},
            },
        })
        .to_string()
    };
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let (old, new) = (json!([tag("a", "1"), tag("b", "2")]), json!([tag("b", "3"), tag("c", "4")]));
    cloud.made("s", &template(old.clone(), old)).await;
    let queue = json!({"QueueUrl": cloud.physical("s", "Queue").await});
    let machine = json!({"resourceArn": cloud.physical("s", "Machine").await});
    let zone = format!("/2013-04-01/tags/hostedzone/{}", cloud.physical("s", "Zone").await);
    let seen = || async {
        let client = cloud.client();
        let at =
            |service: &str, resource: &str| format!("arn:aws:{service}:us-east-1:123456789012:{resource}");
        let table = json!({"ResourceArn": at("dynamodb", "table/tagged")});
        let table = client.rpc("dynamodb", "DynamoDB_20120810.ListTagsOfResource", &table).await.unwrap();
        let own = |tags: &Json| -> Vec<Json> {
            let all = tags.as_array().unwrap().iter();
            all.filter(|tag| !tag.to_string().contains("aws:cloudformation")).cloned().collect()
        };
        let beat = json!({"ResourceARN": at("events", "rule/beat")});
        let beat = client.rpc("events", "AWSEvents.ListTagsForResource", &beat).await.unwrap();
        let queue = client.rpc("sqs", "AmazonSQS.ListQueueTags", &queue).await.unwrap();
        let machine = client.rpc("states", "AWSStepFunctions.ListTagsForResource", &machine).await.unwrap();
        let arn = at("iot", "thingtype/lamp");
        let rest = Rest { query: &[("resourceArn", arn.as_str())], ..Rest::default() };
        let lamp = client.send("iot", Method::GET, "/tags", rest).await.unwrap();
        let lamp: Json = serde_json::from_slice(&lamp.body).unwrap();
        let zone = client.send("route53", Method::GET, &zone, Rest::default()).await.unwrap();
        let zone = String::from_utf8(zone.body.to_vec()).unwrap();
        (
            json!([own(&table["Tags"]), beat["Tags"], lamp["tags"]]),
            json!([queue["Tags"], machine["tags"]]),
            zone,
        )
    };
    let (lists, others, zone_tags) = seen().await;
    let both = json!([tag("a", "1"), tag("b", "2")]);
    assert_eq!(lists, json!([both, both, both]));
    let machine_tags = json!([{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]);
    assert_eq!(others, json!([{"a": "1", "b": "2"}, machine_tags]));
    assert_eq!(zone_tags.matches("<Key>").count(), 2);

    cloud.updated("s", &template(new.clone(), new.clone())).await;
    let (lists, others, zone_tags) = seen().await;
    assert_eq!(lists, json!([new, new, new]));
    let machine_tags = json!([{"key": "b", "value": "3"}, {"key": "c", "value": "4"}]);
    assert_eq!(others, json!([{"b": "3", "c": "4"}, machine_tags]));
    assert!(!zone_tags.contains("<Key>a</Key>") && zone_tags.contains("<Value>4</Value>"), "{zone_tags}");
}

#[tokio::test]
async fn conditions_that_do_not_work_out_delete_nothing() {
    let cloud = Cloud::start().await;
    let id = cloud.made("s", DEVICES).await;
    let world = std::sync::Arc::clone(cloud.twin.world());
    let mut plan = world.cloudformation.store.lock().by_id(&id).unwrap().plan.clone();
    let operation = Operation { world, id, name: "s".to_owned(), region: cloud.region.to_owned() };
    assert!(operation.wanted(&plan).unwrap().contains("Rule"));
    let template = std::sync::Arc::make_mut(&mut plan.template);
    template.conditions.insert("Odd".to_owned(), json!({"Fn::And": ["neither"]}));
    template.resources.get_mut("Rule").unwrap().condition = Some("Odd".to_owned());
    assert!(operation.wanted(&plan).is_err());
}
