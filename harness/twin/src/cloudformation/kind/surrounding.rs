//! Types of what is around the work: APIs, queues, schedules, buckets, roles, logs.

use super::{Kind, NONE};

pub(super) static KINDS: &[Kind] = &[
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
        name: "AWS::Logs::LogGroup",
        optional: &["DataProtectionPolicy", "KmsKeyId", "LogGroupClass", "RetentionInDays", "Tags"],
        fixed: &["LogGroupName"],
        attributes: &["Arn"],
        named_by: Some("LogGroupName"),
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
];
