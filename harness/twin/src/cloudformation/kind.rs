//! The resource types that there are: their properties, what a change of them does, and their attributes.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::change_set::changed;

/// A resource type.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
    /// Properties, also nested ones as `A.B`, whose change makes a new resource.
    pub(crate) fixed: &'static [&'static str],
    /// What `Fn::GetAtt` knows.
    pub(crate) attributes: &'static [&'static str],
    /// The property that names it. A named resource cannot be replaced under its name.
    pub(crate) named_by: Option<&'static str>,
    /// Any property, and any attribute, is fine.
    pub(crate) is_open: bool,
}

const NONE: Kind = Kind {
    name: "",
    required: &[],
    optional: &[],
    fixed: &[],
    attributes: &[],
    named_by: None,
    is_open: false,
};

const CUSTOM: Kind =
    Kind { name: "AWS::CloudFormation::CustomResource", required: &["ServiceToken"], is_open: true, ..NONE };

static KINDS: &[Kind] = &[
    Kind {
        name: "AWS::ApiGateway::ApiKey",
        optional: &["Description", "Enabled", "Tags", "StageKeys"],
        fixed: &["Name", "Value", "CustomerId", "GenerateDistinctId"],
        attributes: &["APIKeyId"],
        named_by: Some("Name"),
        ..NONE
    },
    Kind {
        name: "AWS::ApiGateway::Deployment",
        required: &["RestApiId"],
        optional: &["Description", "StageName", "StageDescription"],
        fixed: &["RestApiId"],
        attributes: &["DeploymentId"],
        ..NONE
    },
    Kind {
        name: "AWS::ApiGateway::Method",
        required: &["HttpMethod", "ResourceId", "RestApiId"],
        optional: &[
            "ApiKeyRequired",
            "AuthorizationScopes",
            "AuthorizationType",
            "AuthorizerId",
            "Integration",
            "MethodResponses",
            "OperationName",
            "RequestModels",
            "RequestParameters",
            "RequestValidatorId",
        ],
        fixed: &["HttpMethod", "ResourceId", "RestApiId"],
        ..NONE
    },
    Kind {
        name: "AWS::ApiGateway::RequestValidator",
        required: &["RestApiId"],
        optional: &["ValidateRequestBody", "ValidateRequestParameters"],
        fixed: &["RestApiId", "Name"],
        attributes: &["RequestValidatorId"],
        ..NONE
    },
    Kind {
        name: "AWS::ApiGateway::Resource",
        required: &["ParentId", "PathPart", "RestApiId"],
        fixed: &["ParentId", "PathPart", "RestApiId"],
        attributes: &["ResourceId"],
        ..NONE
    },
    Kind {
        name: "AWS::ApiGateway::RestApi",
        optional: &[
            "ApiKeySourceType",
            "BinaryMediaTypes",
            "Description",
            "DisableExecuteApiEndpoint",
            "EndpointConfiguration",
            "MinimumCompressionSize",
            "Name",
            "Policy",
            "Tags",
        ],
        attributes: &["RestApiId", "RootResourceId"],
        ..NONE
    },
    Kind {
        name: "AWS::ApiGateway::Stage",
        required: &["RestApiId"],
        optional: &[
            "DeploymentId",
            "Description",
            "MethodSettings",
            "Tags",
            "TracingEnabled",
            "Variables",
            "AccessLogSetting",
        ],
        fixed: &["RestApiId", "StageName"],
        named_by: Some("StageName"),
        ..NONE
    },
    Kind {
        name: "AWS::ApiGateway::UsagePlan",
        optional: &["ApiStages", "Description", "Quota", "Tags", "Throttle", "UsagePlanName"],
        attributes: &["Id"],
        ..NONE
    },
    Kind {
        name: "AWS::ApiGateway::UsagePlanKey",
        required: &["KeyId", "KeyType", "UsagePlanId"],
        fixed: &["KeyId", "KeyType", "UsagePlanId"],
        attributes: &["Id"],
        ..NONE
    },
    Kind { name: "AWS::CloudFormation::WaitConditionHandle", ..NONE },
    Kind {
        name: "AWS::CloudWatch::Alarm",
        fixed: &["AlarmName"],
        attributes: &["Arn"],
        named_by: Some("AlarmName"),
        is_open: true,
        ..NONE
    },
    Kind {
        name: "AWS::DynamoDB::GlobalTable",
        required: &["AttributeDefinitions", "KeySchema", "Replicas"],
        optional: &[
            "BillingMode",
            "GlobalSecondaryIndexes",
            "SSESpecification",
            "StreamSpecification",
            "TimeToLiveSpecification",
            "WriteOnDemandThroughputSettings",
        ],
        fixed: &["TableName", "KeySchema", "LocalSecondaryIndexes"],
        attributes: &["Arn", "StreamArn", "TableId"],
        named_by: Some("TableName"),
        ..NONE
    },
    Kind {
        name: "AWS::DynamoDB::Table",
        required: &["KeySchema"],
        optional: &[
            "AttributeDefinitions",
            "BillingMode",
            "ContributorInsightsSpecification",
            "DeletionProtectionEnabled",
            "GlobalSecondaryIndexes",
            "OnDemandThroughput",
            "PointInTimeRecoverySpecification",
            "ProvisionedThroughput",
            "SSESpecification",
            "StreamSpecification",
            "TableClass",
            "Tags",
            "TimeToLiveSpecification",
        ],
        fixed: &["TableName", "KeySchema", "LocalSecondaryIndexes"],
        attributes: &["Arn", "StreamArn"],
        named_by: Some("TableName"),
        ..NONE
    },
    Kind {
        name: "AWS::Events::Rule",
        optional: &[
            "Description",
            "EventPattern",
            "RoleArn",
            "ScheduleExpression",
            "State",
            "Tags",
            "Targets",
        ],
        fixed: &["EventBusName", "Name"],
        attributes: &["Arn"],
        named_by: Some("Name"),
        ..NONE
    },
    Kind {
        name: "AWS::IAM::ManagedPolicy",
        required: &["PolicyDocument"],
        optional: &["Groups", "Roles", "Users"],
        fixed: &["ManagedPolicyName", "Path", "Description"],
        attributes: &["PolicyArn"],
        named_by: Some("ManagedPolicyName"),
        ..NONE
    },
    Kind {
        name: "AWS::IAM::Policy",
        required: &["PolicyDocument", "PolicyName"],
        optional: &["Groups", "Roles", "Users"],
        attributes: &["Id"],
        ..NONE
    },
    Kind {
        name: "AWS::IAM::Role",
        required: &["AssumeRolePolicyDocument"],
        optional: &[
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "PermissionsBoundary",
            "Policies",
            "Tags",
        ],
        fixed: &["Path", "RoleName"],
        attributes: &["Arn", "RoleId"],
        named_by: Some("RoleName"),
        ..NONE
    },
    Kind {
        name: "AWS::IoT::Certificate",
        required: &["Status"],
        fixed: &["CACertificatePem", "CertificateMode", "CertificatePem", "CertificateSigningRequest"],
        attributes: &["Arn", "Id"],
        ..NONE
    },
    Kind {
        name: "AWS::IoT::Policy",
        required: &["PolicyDocument"],
        optional: &["Tags"],
        fixed: &["PolicyName"],
        attributes: &["Arn", "Id"],
        named_by: Some("PolicyName"),
        ..NONE
    },
    Kind {
        name: "AWS::IoT::PolicyPrincipalAttachment",
        required: &["PolicyName", "Principal"],
        fixed: &["PolicyName", "Principal"],
        ..NONE
    },
    Kind {
        name: "AWS::IoT::Thing",
        optional: &["AttributePayload"],
        fixed: &["ThingName"],
        attributes: &["Arn", "Id"],
        named_by: Some("ThingName"),
        ..NONE
    },
    Kind {
        name: "AWS::IoT::ThingPrincipalAttachment",
        required: &["Principal", "ThingName"],
        fixed: &["Principal", "ThingName"],
        ..NONE
    },
    Kind {
        name: "AWS::IoT::ThingType",
        optional: &["DeprecateThingType", "Tags", "ThingTypeProperties"],
        fixed: &["ThingTypeName"],
        attributes: &["Arn", "Id"],
        named_by: Some("ThingTypeName"),
        ..NONE
    },
    Kind {
        name: "AWS::IoT::TopicRule",
        required: &["TopicRulePayload"],
        optional: &["Tags"],
        fixed: &["RuleName"],
        attributes: &["Arn"],
        named_by: Some("RuleName"),
        ..NONE
    },
    Kind {
        name: "AWS::Lambda::EventSourceMapping",
        required: &["FunctionName"],
        optional: &[
            "BatchSize",
            "BisectBatchOnFunctionError",
            "DestinationConfig",
            "Enabled",
            "FilterCriteria",
            "FunctionResponseTypes",
            "MaximumBatchingWindowInSeconds",
            "MaximumRecordAgeInSeconds",
            "MaximumRetryAttempts",
            "ParallelizationFactor",
            "ScalingConfig",
            "Tags",
        ],
        fixed: &["EventSourceArn", "StartingPosition"],
        attributes: &["EventSourceMappingArn", "Id"],
        ..NONE
    },
    Kind {
        name: "AWS::Lambda::Function",
        required: &["Code", "Role"],
        optional: &[
            "Architectures",
            "DeadLetterConfig",
            "Description",
            "Environment",
            "EphemeralStorage",
            "Handler",
            "LoggingConfig",
            "MemorySize",
            "ReservedConcurrentExecutions",
            "Runtime",
            "Tags",
            "Timeout",
            "TracingConfig",
        ],
        fixed: &["FunctionName", "PackageType"],
        attributes: &["Arn"],
        named_by: Some("FunctionName"),
        ..NONE
    },
    Kind {
        name: "AWS::Lambda::Permission",
        required: &["Action", "FunctionName", "Principal"],
        fixed: &[
            "Action",
            "EventSourceToken",
            "FunctionName",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
            "Principal",
            "PrincipalOrgID",
            "SourceAccount",
            "SourceArn",
        ],
        attributes: &["Id"],
        ..NONE
    },
    Kind {
        name: "AWS::Lambda::Url",
        required: &["AuthType", "TargetFunctionArn"],
        optional: &["Cors", "InvokeMode"],
        fixed: &["Qualifier", "TargetFunctionArn"],
        attributes: &["FunctionArn", "FunctionUrl"],
        ..NONE
    },
    Kind {
        name: "AWS::Logs::LogGroup",
        optional: &["DataProtectionPolicy", "KmsKeyId", "LogGroupClass", "RetentionInDays", "Tags"],
        fixed: &["LogGroupName"],
        attributes: &["Arn"],
        named_by: Some("LogGroupName"),
        ..NONE
    },
    Kind {
        name: "AWS::Route53::HealthCheck",
        required: &["HealthCheckConfig"],
        optional: &["HealthCheckTags"],
        fixed: &[
            "HealthCheckConfig.MeasureLatency",
            "HealthCheckConfig.RequestInterval",
            "HealthCheckConfig.Type",
        ],
        attributes: &["HealthCheckId"],
        ..NONE
    },
    Kind {
        name: "AWS::Route53::HostedZone",
        required: &["Name"],
        optional: &["HostedZoneConfig", "HostedZoneTags"],
        fixed: &["Name"],
        attributes: &["Id", "NameServers"],
        ..NONE
    },
    Kind {
        name: "AWS::Route53::RecordSet",
        required: &["Name", "Type"],
        optional: &[
            "AliasTarget",
            "Comment",
            "Failover",
            "GeoLocation",
            "HealthCheckId",
            "MultiValueAnswer",
            "Region",
            "ResourceRecords",
            "SetIdentifier",
            "TTL",
            "Weight",
        ],
        fixed: &["HostedZoneId", "HostedZoneName", "Name"],
        ..NONE
    },
    Kind {
        name: "AWS::Route53::RecordSetGroup",
        optional: &["Comment", "RecordSets"],
        fixed: &["HostedZoneId", "HostedZoneName"],
        ..NONE
    },
    Kind {
        name: "AWS::S3::Bucket",
        optional: &[
            "BucketEncryption",
            "LifecycleConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        ],
        fixed: &["BucketName"],
        attributes: &["Arn", "DomainName", "RegionalDomainName"],
        named_by: Some("BucketName"),
        ..NONE
    },
    Kind {
        name: "AWS::SNS::Topic",
        optional: &["DisplayName", "KmsMasterKeyId", "Subscription", "Tags"],
        fixed: &["FifoTopic", "TopicName"],
        attributes: &["TopicArn", "TopicName"],
        named_by: Some("TopicName"),
        ..NONE
    },
    Kind {
        name: "AWS::SQS::Queue",
        optional: &[
            "ContentBasedDeduplication",
            "DelaySeconds",
            "KmsMasterKeyId",
            "MaximumMessageSize",
            "MessageRetentionPeriod",
            "ReceiveMessageWaitTimeSeconds",
            "RedrivePolicy",
            "SqsManagedSseEnabled",
            "Tags",
            "VisibilityTimeout",
        ],
        fixed: &["FifoQueue", "QueueName"],
        attributes: &["Arn", "QueueName", "QueueUrl"],
        named_by: Some("QueueName"),
        ..NONE
    },
    Kind {
        name: "AWS::SQS::QueuePolicy",
        required: &["PolicyDocument", "Queues"],
        attributes: &["Id"],
        ..NONE
    },
    Kind {
        name: "AWS::Scheduler::Schedule",
        required: &["FlexibleTimeWindow", "ScheduleExpression", "Target"],
        optional: &[
            "Description",
            "EndDate",
            "GroupName",
            "KmsKeyArn",
            "ScheduleExpressionTimezone",
            "StartDate",
            "State",
        ],
        fixed: &["Name"],
        attributes: &["Arn"],
        named_by: Some("Name"),
        ..NONE
    },
    Kind {
        name: "AWS::StepFunctions::StateMachine",
        required: &["RoleArn"],
        optional: &[
            "Definition",
            "DefinitionS3Location",
            "DefinitionString",
            "DefinitionSubstitutions",
            "LoggingConfiguration",
            "Tags",
            "TracingConfiguration",
        ],
        fixed: &["StateMachineName", "StateMachineType"],
        attributes: &["Arn", "Name", "StateMachineRevisionId"],
        named_by: Some("StateMachineName"),
        ..NONE
    },
];

static CUSTOM_KIND: Kind = CUSTOM;

/// The type of this name.
pub(crate) fn find(name: &str) -> Option<&'static Kind> {
    if name == CUSTOM.name || name.starts_with("Custom::") {
        return Some(&CUSTOM_KIND);
    }
    KINDS.iter().find(|kind| kind.name == name)
}

impl Kind {
    pub(crate) fn has_attribute(&self, name: &str) -> bool {
        self.attributes.contains(&name) || (self.is_open && self.attributes.is_empty())
    }

    /// Refuses properties that the type does not have, and a lack of those that it needs.
    pub(crate) fn check(&self, properties: &Json) -> Result<(), String> {
        let names: BTreeSet<&str> =
            properties.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let is_known = |name: &&str| {
            self.required.contains(name)
                || self.optional.contains(name)
                || self.fixed.iter().any(|fixed| fixed == name)
        };
        let mut wrong: Vec<String> = self
            .required
            .iter()
            .filter(|name| !names.contains(*name))
            .map(|name| format!("#: required key [{name}] not found"))
            .collect();
        if !self.is_open {
            let extra = names.iter().filter(|name| !is_known(name));
            wrong.extend(extra.map(|name| format!("#: extraneous key [{name}] is not permitted")));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// The fixed properties that differ: with any of them a new resource is made.
    pub(crate) fn replaced_by(&self, old: &Json, new: &Json) -> Vec<&'static str> {
        let differs = |path: &&&'static str| match path.split_once('.') {
            Some((outer, inner)) => changed(&old[outer], &new[outer]).contains(inner),
            None => changed(old, new).contains(**path),
        };
        self.fixed.iter().filter(differs).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_found_by_name_and_named_once() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| find(kind.name).is_some_and(|found| found.name == kind.name)));
        assert!(find("Custom::Anything").is_some());
        assert!(find("AWS::EC2::Instance").is_none());
        for kind in KINDS {
            assert!(kind.named_by.is_none_or(|name| kind.fixed.contains(&name)), "{}", kind.name);
        }
    }

    #[test]
    fn properties_are_checked_by_name() {
        let rule = find("AWS::IoT::TopicRule").unwrap();
        assert_eq!(rule.check(&json!({"TopicRulePayload": {}, "RuleName": "r"})), Ok(()));
        let wrong = rule.check(&json!({"Rulename": "r"})).unwrap_err();
        assert_eq!(
            wrong,
            "#: required key [TopicRulePayload] not found\n#: extraneous key [Rulename] is not permitted"
        );
    }

    #[test]
    fn nested_properties_may_be_fixed() {
        let check = find("AWS::Route53::HealthCheck").unwrap();
        let config = |kind: &str, port: u16| json!({"HealthCheckConfig": {"Type": kind, "Port": port}});
        assert!(check.replaced_by(&config("TCP", 1), &config("TCP", 2)).is_empty());
        assert_eq!(check.replaced_by(&config("TCP", 1), &config("HTTP", 1)), ["HealthCheckConfig.Type"]);
    }
}
