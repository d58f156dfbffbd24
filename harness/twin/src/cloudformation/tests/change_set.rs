//! Change sets, as `aws cloudformation deploy` uses them.

use super::*;

impl Cloud {
    async fn change_set(&self, kind: &str, name: &str, template: &str) -> (String, String) {
        let members = [
            ("StackName", "s"),
            ("ChangeSetName", name),
            ("ChangeSetType", kind),
            ("TemplateBody", template),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
        ];
        let answer = self.call("CreateChangeSet", &members).await.unwrap();
        let id = element(&answer, "Id").unwrap();
        for _ in 0..SETTLED_TRIES_MAX {
            let set = self.call("DescribeChangeSet", &[("ChangeSetName", &id)]).await.unwrap();
            if element(&set, "Status").unwrap() != "CREATE_IN_PROGRESS" {
                return (id, set);
            }
            tokio::time::sleep(SETTLED_WAIT).await;
        }
        panic!("the change set was not worked out");
    }
}

#[tokio::test]
async fn deploying_is_a_change_set_of_each_type() {
    let cloud = Cloud::start().await;
    let (id, set) = cloud.change_set("CREATE", "first", DEVICES).await;
    assert_eq!(element(&set, "Status").unwrap(), "CREATE_COMPLETE", "{set}");
    assert_eq!(element(&set, "ExecutionStatus").unwrap(), "AVAILABLE");
    assert_eq!(set.matches("<Action>Add</Action>").count(), 5);
    let status = element(&cloud.describe("s").await.unwrap(), "StackStatus").unwrap();
    assert_eq!(status, "REVIEW_IN_PROGRESS");
    assert!(cloud.iot("/things/s-lamp").await.is_err(), "nothing is made yet");
    cloud.call("ExecuteChangeSet", &[("ChangeSetName", &id), ("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled("s").await, "CREATE_COMPLETE");
    let again = cloud.call("ExecuteChangeSet", &[("ChangeSetName", &id)]).await.unwrap_err();
    assert_eq!(again.0, "InvalidChangeSetStatus");
    let exists =
        [("StackName", "s"), ("ChangeSetName", "x"), ("ChangeSetType", "CREATE"), ("TemplateBody", DEVICES)];
    let refused = cloud.call("CreateChangeSet", &exists).await.unwrap_err();
    assert_eq!(refused.1, "Stack [s] already exists and cannot be created again with the changeSet [x].");

    let (_, set) = cloud.change_set("UPDATE", "same", &devices_as_json()).await;
    assert_eq!(element(&set, "Status").unwrap(), "FAILED");
    assert!(
        element(&set, "StatusReason")
            .unwrap()
            .starts_with("The submitted information didn't contain changes.")
    );

    let other =
        DEVICES.replace("AttributeName: id", "AttributeName: device").replace("    DependsOn: Rule\n", "");
    let other =
        other.replace("  Thing:\n    Type: AWS::IoT::Thing\n", "  Lamp:\n    Type: AWS::IoT::Thing\n");
    let other = other.replace("!GetAtt Thing.Arn", "!GetAtt Lamp.Arn").replace("-lamp", "-other");
    let (stale, _) = cloud.change_set("UPDATE", "stale", &other).await;
    let (id, set) = cloud.change_set("UPDATE", "second", &other).await;
    let change = |logical: &str| {
        let of = format!("<LogicalResourceId>{logical}</LogicalResourceId>");
        let found = set.split("<ResourceChange>").find(|change| change.contains(&of));
        found.unwrap_or_else(|| panic!("no change of {logical}: {set}")).to_owned()
    };
    assert!(change("Table").contains("<Replacement>True</Replacement>"));
    assert!(
        change("Rule").contains("<Replacement>False</Replacement>") && change("Rule").contains("Dynamic")
    );
    assert!(change("Lamp").contains("<Action>Add</Action>"));
    assert!(change("Thing").contains("<Action>Remove</Action>"));
    assert!(!set.contains("<LogicalResourceId>Policy</LogicalResourceId>"));
    cloud.call("ExecuteChangeSet", &[("ChangeSetName", &id)]).await.unwrap();
    assert_eq!(cloud.settled("s").await, "UPDATE_COMPLETE", "{}", cloud.events("s").await);
    assert!(cloud.iot("/things/s-other").await.is_ok());
    assert!(cloud.iot("/things/s-lamp").await.unwrap_err().is_not_found());
    let refused = cloud.call("ExecuteChangeSet", &[("ChangeSetName", &stale)]).await.unwrap_err();
    assert!(refused.1.contains("[OBSOLETE]"), "{}", refused.1);

    let listed = cloud.call("ListChangeSets", &[("StackName", "s")]).await.unwrap();
    assert_eq!(listed.matches("<ChangeSetName>").count(), 4);
    cloud.call("DeleteChangeSet", &[("ChangeSetName", &stale)]).await.unwrap();
    let gone = cloud.call("DescribeChangeSet", &[("ChangeSetName", &stale)]).await.unwrap_err();
    assert_eq!(gone.0, "ChangeSetNotFound");
}

#[tokio::test]
async fn templates_are_read_and_described() {
    let cloud = Cloud::start().await;
    let answer = cloud.call("ValidateTemplate", &[("TemplateBody", DEVICES)]).await.unwrap();
    assert!(answer.contains("<DefaultValue>dt</DefaultValue>"));
    assert!(answer.contains("<Capabilities><member>CAPABILITY_IAM</member></Capabilities>"));
    let summary = cloud.call("GetTemplateSummary", &[("TemplateBody", DEVICES)]).await.unwrap();
    assert!(
        summary.contains("<member>AWS::IoT::TopicRule</member>") && summary.contains("<ParameterType>String")
    );
    cloud.made("s", DEVICES).await;
    let body = cloud.call("GetTemplate", &[("StackName", "s")]).await.unwrap();
    assert_eq!(element(&body, "TemplateBody").unwrap(), DEVICES);
    let list = cloud.call("ListStackResources", &[("StackName", "s")]).await.unwrap();
    assert_eq!(list.matches("<ResourceStatus>CREATE_COMPLETE</ResourceStatus>").count(), 5);
    let table = cloud.output("s", "TableName").await;
    let found = cloud.call("DescribeStackResources", &[("PhysicalResourceId", &table)]).await.unwrap();
    assert_eq!(found.matches("<LogicalResourceId>").count(), 5);
}
