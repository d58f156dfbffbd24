//! Stacks through the codec, as the AWS CLI asks for them, in a whole twin.

mod change_set;
mod custom;
mod life;
mod types;
mod update;

use std::time::Duration;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use super::client::{Client, Failure, Rest, element};
use crate::{Twin, TwinConfig, api, call::Call};

/// An operation that takes longer than this hangs.
const SETTLED_TRIES_MAX: u32 = 1_000;
const SETTLED_WAIT: Duration = Duration::from_millis(10);

/// A twin, and calls of it.
struct Cloud {
    twin: Twin,
    region: &'static str,
}

impl Cloud {
    async fn start() -> Self {
        Self { twin: Twin::start(TwinConfig::default()).await.unwrap(), region: "us-east-1" }
    }

    fn client(&self) -> Client<'_> {
        Client { world: self.twin.world(), region: self.region }
    }

    /// The XML of the answer, or code and message of the error.
    async fn call(&self, action: &str, members: &[(&str, &str)]) -> Result<String, (String, String)> {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let common = [("Action", action), ("Version", "2010-05-15")];
        let members = common.iter().chain(members);
        let body: Vec<String> = members.map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
        let call = Call {
            method: Method::POST,
            raw_path: "/".to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::from(body.join("&")),
            region: self.region.to_owned(),
            service: "cloudformation".to_owned(),
        };
        let reply = api::dispatch(self.twin.world(), &call).await;
        let body = String::from_utf8(reply.body.to_vec()).unwrap();
        if reply.status == 200 {
            return Ok(body);
        }
        Err((element(&body, "Code").unwrap(), element(&body, "Message").unwrap()))
    }

    async fn create(&self, name: &str, template: &str) -> Result<String, (String, String)> {
        let members = [
            ("StackName", name),
            ("TemplateBody", template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ];
        self.call("CreateStack", &members).await.map(|answer| element(&answer, "StackId").unwrap())
    }

    async fn update(&self, name: &str, template: &str) -> Result<String, (String, String)> {
        let members = [
            ("StackName", name),
            ("TemplateBody", template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ];
        self.call("UpdateStack", &members).await
    }

    async fn describe(&self, name: &str) -> Result<String, (String, String)> {
        self.call("DescribeStacks", &[("StackName", name)]).await
    }

    /// Waits until no operation runs on the stack, and answers its status.
    async fn settled(&self, name: &str) -> String {
        for _ in 0..SETTLED_TRIES_MAX {
            let status = element(&self.describe(name).await.unwrap(), "StackStatus").unwrap();
            if !status.ends_with("_IN_PROGRESS") {
                return status;
            }
            tokio::time::sleep(SETTLED_WAIT).await;
        }
        panic!("{name} did not settle: {}", self.events(name).await);
    }

    /// Makes a stack and waits until it is there.
    async fn made(&self, name: &str, template: &str) -> String {
        let id = self.create(name, template).await.unwrap();
        assert_eq!(self.settled(name).await, "CREATE_COMPLETE", "{}", self.events(name).await);
        id
    }

    async fn updated(&self, name: &str, template: &str) {
        self.update(name, template).await.unwrap();
        assert_eq!(self.settled(name).await, "UPDATE_COMPLETE", "{}", self.events(name).await);
    }

    async fn events(&self, name: &str) -> String {
        self.call("DescribeStackEvents", &[("StackName", name)]).await.unwrap()
    }

    /// The value of an output.
    async fn output(&self, name: &str, key: &str) -> String {
        let stack = self.describe(name).await.unwrap();
        let of = format!("<OutputKey>{key}</OutputKey>");
        let output = stack.split("<member>").find(|member| member.contains(&of));
        element(output.unwrap_or_else(|| panic!("no output {key}: {stack}")), "OutputValue").unwrap()
    }

    async fn physical(&self, name: &str, logical: &str) -> String {
        let members = [("StackName", name), ("LogicalResourceId", logical)];
        let answer = self.call("DescribeStackResource", &members).await.unwrap();
        element(&answer, "PhysicalResourceId").unwrap()
    }

    async fn iot(&self, path: &str) -> Result<Json, Failure> {
        self.client().rest("iot", Method::GET, path, &Json::Null).await
    }

    async fn table(&self, name: &str) -> Result<Json, Failure> {
        let body = serde_json::json!({"TableName": name});
        self.client().rpc("dynamodb", "DynamoDB_20120810.DescribeTable", &body).await
    }
}

/// Table, role, policy, topic rule and thing, in YAML with short tags.
const DEVICES: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Description: Devices and the table that keeps their messages
Parameters:
  Prefix: {Type: String, Default: dt, AllowedPattern: "[a-z]+"}
  Secret: {Type: String, Default: hush, NoEcho: true}
Conditions:
  HasStream: !Equals [!Ref Prefix, dt]
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      BillingMode: PAY_PER_REQUEST
      StreamSpecification: !If [HasStream, {StreamViewType: NEW_AND_OLD_IMAGES}, !Ref AWS::NoValue]
      TimeToLiveSpecification: {AttributeName: expires, Enabled: "true"}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: iot.amazonaws.com}, Action: sts:AssumeRole}]
      Policies:
        - PolicyName: put
          PolicyDocument:
            Statement: [{Effect: Allow, Action: dynamodb:PutItem, Resource: !GetAtt Table.Arn}]
  Policy:
    Type: AWS::IoT::Policy
    Properties:
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: iot:Publish
            Resource: !Sub "arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:topic/${Prefix}/*"
  Rule:
    Type: AWS::IoT::TopicRule
    Properties:
      TopicRulePayload:
        Sql: !Join ["", ["SELECT topic(2) AS id, * FROM '", !Ref Prefix, "/+'"]]
        AwsIotSqlVersion: "2016-03-23"
        RuleDisabled: false
        Actions:
          - DynamoDBv2: {RoleArn: !GetAtt Role.Arn, PutItem: {TableName: !Ref Table}}
  Thing:
    Type: AWS::IoT::Thing
    DependsOn: Rule
    Properties:
      ThingName: !Sub "${AWS::StackName}-lamp"
      AttributePayload: {Attributes: {colour: red}}
Outputs:
  TableName: {Value: !Ref Table, Export: {Name: !Sub "${AWS::StackName}-table"}}
  StreamArn: {Value: !GetAtt Table.StreamArn, Condition: HasStream}
  RoleArn: {Value: !GetAtt Role.Arn}
  ThingArn: {Value: !GetAtt Thing.Arn}
"#;

/// The same in JSON with the functions' long names.
fn devices_as_json() -> String {
    super::yaml::read(DEVICES).unwrap().to_string()
}
