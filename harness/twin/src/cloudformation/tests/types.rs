//! Types beyond those of [`DEVICES`]: that their calls are as the services want them.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_global_table_has_its_replicas_and_loses_them() {
    let cloud = Cloud::start().await;
    let template = |regions: &[&str]| {
        let replicas: Vec<Json> = regions.iter().map(|region| json!({"Region": region})).collect();
        json!({
            "Resources": {"G": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": true},
                "Replicas": replicas,
            }}},
            "Outputs": {"Name": {"Value": {"Ref": "G"}}, "Stream": {"Value": {"Fn::GetAtt": ["G", "StreamArn"]}}},
        })
        .to_string()
    };
    let both = template(&["us-east-1", "us-west-2"]);
    let id = cloud.made("s", &both).await;
    let name = cloud.output("s", "Name").await;
    let west = Client { world: cloud.twin.world(), region: "us-west-2" };
    let body = json!({"TableName": name});
    let there = || west.rpc("dynamodb", "DynamoDB_20120810.DescribeTable", &body);
    assert!(there().await.is_ok());
    cloud.updated("s", &both.replace("expires", "ends")).await;
    let ttl = cloud.client().rpc("dynamodb", "DynamoDB_20120810.DescribeTimeToLive", &body).await.unwrap();
    assert_eq!(ttl["TimeToLiveDescription"]["AttributeName"], "ends");
    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled(&id).await, "DELETE_COMPLETE", "{}", cloud.events(&id).await);
    assert!(there().await.unwrap_err().is_not_found());
    let elsewhere = cloud.create("x", &template(&["us-west-2"])).await.unwrap();
    assert_eq!(cloud.settled(&elsewhere).await, "ROLLBACK_COMPLETE");
}

#[tokio::test]
async fn zones_records_and_checks_are_made_changed_and_deleted() {
    let cloud = Cloud::start().await;
    let template = json!({
        "Resources": {
            "Zone": {"Type": "AWS::Route53::HostedZone", "Properties": {
                "Name": "example.com", "HostedZoneTags": [{"Key": "a", "Value": "b"}]}},
            "Check": {"Type": "AWS::Route53::HealthCheck", "Properties": {
                "HealthCheckConfig": {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 9, "RequestInterval": "30",
                                      "FailureThreshold": 3, "Disabled": true},
                "HealthCheckTags": [{"Key": "Name", "Value": "check"}]}},
            "Record": {"Type": "AWS::Route53::RecordSet", "Properties": {
                "HostedZoneId": {"Ref": "Zone"}, "Name": "iot.example.com", "Type": "CNAME", "TTL": "60",
                "SetIdentifier": "first", "Failover": "PRIMARY", "HealthCheckId": {"Ref": "Check"},
                "ResourceRecords": ["a.example.com"]}},
            "More": {"Type": "AWS::Route53::RecordSetGroup", "DependsOn": "Zone", "Properties": {
                "HostedZoneName": "example.com.", "RecordSets": [
                    {"Name": "t.example.com", "Type": "TXT", "TTL": 60, "ResourceRecords": ["\"x\""]}]}},
        },
        "Outputs": {"Zone": {"Value": {"Ref": "Zone"}},
                    "Servers": {"Value": {"Fn::Join": [",", {"Fn::GetAtt": ["Zone", "NameServers"]}]}}},
    })
    .to_string();
    let id = cloud.made("s", &template).await;
    assert_eq!(cloud.output("s", "Servers").await.split(',').count(), 4);
    let zone = cloud.output("s", "Zone").await;
    let path = format!("/2013-04-01/hostedzone/{zone}/rrset");
    let records = || async {
        let reply = cloud.client().send("route53", Method::GET, &path, Rest::default()).await.unwrap();
        String::from_utf8(reply.body.to_vec()).unwrap()
    };
    let before = records().await;
    assert!(before.contains("<Value>a.example.com</Value>") && before.contains("t.example.com"), "{before}");
    let changed = template.replace("a.example.com", "b.example.com").replace("\"Port\":9", "\"Port\":10");
    cloud.updated("s", &changed).await;
    assert!(records().await.contains("<Value>b.example.com</Value>"));
    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled(&id).await, "DELETE_COMPLETE", "{}", cloud.events(&id).await);
}

#[tokio::test]
async fn certificates_are_made_from_a_request_and_attached() {
    let cloud = Cloud::start().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let template = json!({
        "Resources": {
            "Thing": {"Type": "AWS::IoT::Thing"},
            "Policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": {
                "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}}},
            "Cert": {"Type": "AWS::IoT::Certificate", "Properties": {
                "CertificateSigningRequest": csr, "Status": "ACTIVE"}},
            "A": {"Type": "AWS::IoT::ThingPrincipalAttachment", "Properties": {
                "ThingName": {"Ref": "Thing"}, "Principal": {"Fn::GetAtt": ["Cert", "Arn"]}}},
            "B": {"Type": "AWS::IoT::PolicyPrincipalAttachment", "Properties": {
                "PolicyName": {"Ref": "Policy"}, "Principal": {"Fn::GetAtt": ["Cert", "Arn"]}}},
        },
    })
    .to_string();
    let id = cloud.made("s", &template).await;
    let (thing, cert) = (cloud.physical("s", "Thing").await, cloud.physical("s", "Cert").await);
    let principals = cloud.iot(&format!("/things/{thing}/principals")).await.unwrap();
    assert!(principals["principals"][0].as_str().unwrap().ends_with(&cert), "{principals}");
    cloud.updated("s", &template.replace("ACTIVE", "INACTIVE")).await;
    let certificate = cloud.iot(&format!("/certificates/{cert}")).await.unwrap();
    assert_eq!(certificate["certificateDescription"]["status"], "INACTIVE");
    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled(&id).await, "DELETE_COMPLETE", "{}", cloud.events(&id).await);
    assert!(cloud.iot(&format!("/certificates/{cert}")).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_state_machine_takes_its_substitutions() {
    let cloud = Cloud::start().await;
    let template = json!({
        "Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "Definition": {"StartAt": "Wait", "States": {"Wait": {
                "Type": "Pass", "Result": "${Said}", "End": true}}},
            "DefinitionSubstitutions": {"Said": {"Ref": "AWS::StackName"}},
        }}},
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["M", "Name"]}}},
    })
    .to_string();
    let id = cloud.made("s", &template).await;
    let arn = cloud.physical("s", "M").await;
    assert!(arn.ends_with(&cloud.output("s", "Name").await));
    let body = json!({"stateMachineArn": arn});
    let client = cloud.client();
    let describe = || client.rpc("states", "AWSStepFunctions.DescribeStateMachine", &body);
    let definition = describe().await.unwrap()["definition"].as_str().unwrap().to_owned();
    assert!(definition.contains("\"Result\":\"s\""), "{definition}");
    cloud.updated("s", &template.replace("${Said}", "other")).await;
    assert!(describe().await.unwrap()["definition"].as_str().unwrap().contains("other"));
    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled(&id).await, "DELETE_COMPLETE");
    assert!(describe().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn what_is_recorded_only_has_names_that_are_taken_once() {
    let cloud = Cloud::start().await;
    let template = json!({
        "Resources": {
            "R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "mine", "AssumeRolePolicyDocument": {}}},
            "L": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
            "A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Threshold": 1, "Anything": "goes"}},
            "T": {"Type": "AWS::SNS::Topic"},
            "H": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        },
        "Outputs": {"Role": {"Value": {"Fn::GetAtt": ["R", "Arn"]}}, "Log": {"Value": {"Fn::GetAtt": ["L", "Arn"]}},
                    "Topic": {"Value": {"Ref": "T"}}},
    })
    .to_string();
    let id = cloud.made("s", &template).await;
    assert_eq!(cloud.output("s", "Role").await, "arn:aws:iam::123456789012:role/mine");
    let log = cloud.output("s", "Log").await;
    assert!(
        log.starts_with("arn:aws:logs:us-east-1:123456789012:log-group:s-L-") && log.ends_with(":*"),
        "{log}"
    );
    assert!(cloud.output("s", "Topic").await.starts_with("arn:aws:sns:us-east-1:123456789012:s-T-"));
    cloud.create("again", &template).await.unwrap();
    assert_eq!(cloud.settled("again").await, "ROLLBACK_COMPLETE");
    assert!(cloud.events("again").await.contains("mine already exists"));
    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled(&id).await, "DELETE_COMPLETE");
    cloud.made("third", &template).await;
}

#[tokio::test]
async fn properties_that_a_type_does_not_have_fail_it() {
    let cloud = Cloud::start().await;
    let template = json!({"Resources": {"P": {"Type": "AWS::IoT::Policy", "Properties": {"Policy": {}}}}});
    cloud.create("s", &template.to_string()).await.unwrap();
    assert_eq!(cloud.settled("s").await, "ROLLBACK_COMPLETE");
    let events = cloud.events("s").await;
    assert!(events.contains("Properties validation failed for resource P with message:"), "{events}");
    assert!(events.contains("#: extraneous key [Policy] is not permitted"));
}

#[tokio::test]
async fn rules_schedules_and_buckets_are_made_and_templates_come_from_buckets() {
    let cloud = Cloud::start().await;
    let template = json!({
        "Resources": {
            "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
                "RoleArn": "arn:aws:iam::123456789012:role/r",
                "DefinitionString": "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"End\":true}}}"}},
            "Rule": {"Type": "AWS::Events::Rule", "Properties": {
                "EventPattern": {"source": ["mine"]},
                "Targets": [{"Id": "one", "Arn": {"Ref": "Machine"}, "RoleArn": "arn:aws:iam::123456789012:role/r"}]}},
            "Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": {
                "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": {"Ref": "Machine"}, "RoleArn": "arn:aws:iam::123456789012:role/r"}}},
            "Bucket": {"Type": "AWS::S3::Bucket"},
        },
        "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}}, "Rule": {"Value": {"Fn::GetAtt": ["Rule", "Arn"]}},
                    "Schedule": {"Value": {"Fn::GetAtt": ["Schedule", "Arn"]}}},
    })
    .to_string();
    let id = cloud.made("s", &template).await;
    assert!(
        cloud.output("s", "Rule").await.starts_with("arn:aws:events:us-east-1:123456789012:rule/s-Rule-")
    );
    let schedule = cloud.output("s", "Schedule").await;
    assert!(schedule.starts_with("arn:aws:scheduler:us-east-1:123456789012:schedule/default/s-Schedule-"));
    let bucket = cloud.output("s", "Bucket").await;
    assert!(bucket.starts_with("s-bucket-"), "{bucket}");
    cloud.updated("s", &template.replace("1 hour", "2 hours").replace("[\"mine\"]", "[\"other\"]")).await;

    let rest = Rest { body: Bytes::from(DEVICES), ..Rest::default() };
    let path = format!("/{bucket}/t.yaml");
    cloud.client().send("s3", Method::PUT, &path, rest).await.unwrap();
    let url = format!("https://{bucket}.s3.us-east-1.amazonaws.com/t.yaml");
    let members = [("StackName", "url"), ("TemplateURL", &url), ("Capabilities.member.1", "CAPABILITY_IAM")];
    cloud.call("CreateStack", &members).await.unwrap();
    assert_eq!(cloud.settled("url").await, "CREATE_COMPLETE", "{}", cloud.events("url").await);

    // A bucket that holds something stays, as on AWS.
    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled(&id).await, "DELETE_FAILED");
    cloud.client().send("s3", Method::DELETE, &path, Rest::default()).await.unwrap();
    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled(&id).await, "DELETE_COMPLETE", "{}", cloud.events(&id).await);
}

#[tokio::test]
async fn a_table_changes_how_it_is_billed_in_place() {
    let cloud = Cloud::start().await;
    cloud.made("s", DEVICES).await;
    let table = cloud.output("s", "TableName").await;
    let provisioned = "BillingMode: PROVISIONED\n      ProvisionedThroughput: \
                       {ReadCapacityUnits: \"5\", WriteCapacityUnits: 6}";
    cloud.updated("s", &DEVICES.replace("BillingMode: PAY_PER_REQUEST", provisioned)).await;
    let described = cloud.table(&table).await.unwrap();
    assert_eq!(described["Table"]["ProvisionedThroughput"]["WriteCapacityUnits"], 6, "{described}");
}
