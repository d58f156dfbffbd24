//! Making and deleting stacks, and what is refused before.

use serde_json::json;

use super::*;

#[tokio::test]
async fn yaml_and_json_make_the_same() {
    let cloud = Cloud::start().await;
    cloud.made("yaml", DEVICES).await;
    cloud.made("json", &devices_as_json()).await;
    for name in ["yaml", "json"] {
        let table = cloud.output(name, "TableName").await;
        assert!(table.starts_with(&format!("{name}-Table-")) && table.len() == name.len() + 19, "{table}");
        let described = cloud.table(&table).await.unwrap();
        assert_eq!(described["Table"]["LatestStreamArn"], json!(cloud.output(name, "StreamArn").await));
        let rule = cloud.physical(name, "Rule").await;
        assert!(rule.starts_with(&format!("{name}_Rule_")), "{rule}");
        let rule = &cloud.iot(&format!("/rules/{rule}")).await.unwrap()["rule"];
        assert_eq!(rule["sql"], "SELECT topic(2) AS id, * FROM 'dt/+'");
        let action = &rule["actions"][0]["dynamoDBv2"];
        assert_eq!(action["putItem"]["tableName"], json!(table));
        assert_eq!(action["roleArn"], json!(cloud.output(name, "RoleArn").await));
        let policy = cloud.physical(name, "Policy").await;
        let policy = cloud.iot(&format!("/policies/{policy}")).await.unwrap();
        let document = policy["policyDocument"].as_str().unwrap();
        assert!(document.contains("\"arn:aws:iot:us-east-1:123456789012:topic/dt/*\""), "{document}");
        let thing = cloud.iot(&format!("/things/{name}-lamp")).await.unwrap();
        assert_eq!(thing["attributes"], json!({"colour": "red"}));
        assert_eq!(thing["thingArn"], json!(cloud.output(name, "ThingArn").await));
    }
    let stack = cloud.describe("yaml").await.unwrap();
    let hidden = "<ParameterKey>Secret</ParameterKey><ParameterValue>****</ParameterValue>";
    assert!(stack.contains(hidden), "{stack}");
    let events = cloud.events("yaml").await;
    let at = |text: &str| events.find(text).unwrap_or_else(|| panic!("no {text}: {events}"));
    // The newest first; the thing waited for the rule.
    assert!(
        at("<LogicalResourceId>Thing</LogicalResourceId>")
            < at("<LogicalResourceId>Rule</LogicalResourceId>")
    );
    assert!(events.contains("Resource creation Initiated"));
    let oldest = events.rsplit("<member>").next().unwrap();
    assert!(oldest.contains("CREATE_IN_PROGRESS") && oldest.contains("User Initiated"), "{oldest}");
}

#[tokio::test]
async fn a_deleted_stack_is_gone_by_name_and_known_by_id() {
    let cloud = Cloud::start().await;
    let template = DEVICES.replace("    DependsOn: Rule\n", "    DeletionPolicy: Retain\n");
    let id = cloud.made("s", &template).await;
    let table = cloud.output("s", "TableName").await;
    let refused = cloud.create("s", DEVICES).await.unwrap_err();
    assert_eq!(refused, ("AlreadyExistsException".into(), "Stack [s] already exists".into()));

    let protect = [("StackName", "s"), ("EnableTerminationProtection", "true")];
    cloud.call("UpdateTerminationProtection", &protect).await.unwrap();
    let refused = cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap_err();
    assert_eq!(refused.1, "Stack [s] cannot be deleted while TerminationProtection is enabled");
    let protect = [("StackName", "s"), ("EnableTerminationProtection", "false")];
    cloud.call("UpdateTerminationProtection", &protect).await.unwrap();

    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled(&id).await, "DELETE_COMPLETE", "{}", cloud.events(&id).await);
    let gone = cloud.describe("s").await.unwrap_err();
    assert_eq!(gone, ("ValidationError".into(), "Stack with id s does not exist".into()));
    assert!(cloud.table(&table).await.unwrap_err().is_not_found());
    assert!(cloud.iot("/things/s-lamp").await.is_ok(), "a retained thing stays");
    assert!(cloud.events(&id).await.contains("DELETE_SKIPPED"));
    let listed =
        cloud.call("ListStacks", &[("StackStatusFilter.member.1", "DELETE_COMPLETE")]).await.unwrap();
    assert!(listed.contains(&id));
    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
}

#[tokio::test]
async fn a_failure_undoes_the_whole_stack_and_says_why() {
    let cloud = Cloud::start().await;
    let failing = DEVICES.replace(
        "Outputs:",
        "  Bad:\n    Type: AWS::IoT::ThingPrincipalAttachment\n    DependsOn: [Thing, Table, Policy]\n    Properties:\n      \
         ThingName: nobody\n      Principal: \
         arn:aws:iot:us-east-1:123456789012:cert/0000000000000000000000000000000000000000000000000000000000000000\n\
         Outputs:",
    );
    let id = cloud.create("s", &failing).await.unwrap();
    assert_eq!(cloud.settled("s").await, "ROLLBACK_COMPLETE", "{}", cloud.events("s").await);
    let events = cloud.events("s").await;
    assert!(
        events.contains("The following resource(s) failed to create: [Bad]. Rollback requested by user.")
    );
    assert!(events.contains("Service: Iot, Status Code: 404"), "{events}");
    assert!(cloud.iot("/things/s-lamp").await.unwrap_err().is_not_found());
    let refused = cloud.update("s", DEVICES).await.unwrap_err();
    assert_eq!(refused.1, format!("Stack:{id} is in ROLLBACK_COMPLETE state and can not be updated."));

    let members = [
        ("StackName", "kept"),
        ("TemplateBody", &failing),
        ("OnFailure", "DO_NOTHING"),
        ("Capabilities.member.1", "CAPABILITY_IAM"),
    ];
    cloud.call("CreateStack", &members).await.unwrap();
    assert_eq!(cloud.settled("kept").await, "CREATE_FAILED");
    assert!(cloud.iot("/things/kept-lamp").await.is_ok());
    cloud.updated("kept", DEVICES).await;
}

#[tokio::test]
async fn what_cannot_become_a_stack_is_refused_at_once() {
    let cloud = Cloud::start().await;
    let refused = async |template: String| cloud.create("s", &template).await.unwrap_err().1;
    let circle = json!({"Resources": {
        "A": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "B"}}},
        "B": {"Type": "AWS::SNS::Topic", "DependsOn": "A"},
    }});
    assert_eq!(refused(circle.to_string()).await, "Circular dependency between resources: [A, B]");
    let unknown = json!({"Resources": {"A": {"Type": "AWS::EC2::VPC"}}}).to_string();
    let wanted = "Template format error: Unrecognized resource types: [AWS::EC2::VPC]";
    assert_eq!(refused(unknown).await, wanted);
    let (code, message) =
        cloud.call("CreateStack", &[("StackName", "s"), ("TemplateBody", DEVICES)]).await.unwrap_err();
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]",)
    );
    let members = [
        ("StackName", "s"),
        ("TemplateBody", DEVICES),
        ("Capabilities.member.1", "CAPABILITY_IAM"),
        ("Parameters.member.1.ParameterKey", "Prefix"),
        ("Parameters.member.1.ParameterValue", "DT"),
    ];
    let refused = cloud.call("CreateStack", &members).await.unwrap_err();
    assert_eq!(refused.1, "Parameter 'Prefix' must match pattern [a-z]+");
    assert!(cloud.describe("s").await.is_err(), "nothing was made");
    let url = [("StackName", "s"), ("TemplateURL", "https://b.s3.amazonaws.com/t.yaml")];
    assert!(cloud.call("CreateStack", &url).await.unwrap_err().1.starts_with("S3 error: "));
    let long = " ".repeat(51_201);
    let refused =
        cloud.call("CreateStack", &[("StackName", "s"), ("TemplateBody", &long)]).await.unwrap_err();
    assert!(refused.1.contains("length less than or equal to 51200"), "{}", refused.1);
    let refused = cloud.create("under_score", DEVICES).await.unwrap_err();
    assert!(refused.1.contains("at 'stackName' failed to satisfy constraint"));
    assert_eq!(cloud.call("DetectStackDrift", &[]).await.unwrap_err().0, "InvalidAction");
}

#[tokio::test]
async fn exports_are_taken_by_name_and_kept_while_they_are() {
    let cloud = Cloud::start().await;
    cloud.made("base", DEVICES).await;
    let table = cloud.output("base", "TableName").await;
    let importer = json!({
        "Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {
            "DisplayName": {"Fn::ImportValue": "base-table"}}}, "None": {"Type": "AWS::SNS::Topic", "Condition": "Never"}},
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Outputs": {
            "Table": {"Value": {"Fn::ImportValue": "base-table"}},
            // Cannot be worked out, and need not: it must not cost the stack what is known of the others.
            "None": {"Condition": "Never", "Value": {"Fn::ImportValue": {"Fn::GetAtt": ["None", "TopicName"]}}},
        },
    });
    cloud.made("user", &importer.to_string()).await;
    assert_eq!(cloud.output("user", "Table").await, table);
    let exports = cloud.call("ListExports", &[]).await.unwrap();
    assert!(exports.contains(&format!("<Name>base-table</Name><Value>{table}</Value>")), "{exports}");
    let imports = cloud.call("ListImports", &[("ExportName", "base-table")]).await.unwrap();
    assert!(imports.contains("<member>user</member>"));

    cloud.call("DeleteStack", &[("StackName", "base")]).await.unwrap();
    assert_eq!(cloud.settled("base").await, "DELETE_FAILED");
    let reason = element(&cloud.describe("base").await.unwrap(), "StackStatusReason").unwrap();
    assert!(reason.contains("Export base-table cannot be deleted as it is in use by user"), "{reason}");
    assert!(cloud.table(&table).await.is_ok());

    let user = element(&cloud.describe("user").await.unwrap(), "StackId").unwrap();
    let base = element(&cloud.describe("base").await.unwrap(), "StackId").unwrap();
    for (name, id) in [("user", user), ("base", base)] {
        cloud.call("DeleteStack", &[("StackName", name)]).await.unwrap();
        assert_eq!(cloud.settled(&id).await, "DELETE_COMPLETE");
    }
    let missing = cloud.create("again", &importer.to_string()).await.unwrap();
    assert_eq!(cloud.settled(&missing).await, "ROLLBACK_COMPLETE");
    assert!(cloud.events(&missing).await.contains("No export named base-table found"));
}
