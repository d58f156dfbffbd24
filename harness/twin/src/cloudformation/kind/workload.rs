//! Types of what does the work: tables, devices, functions, state machines, names.

use super::{Kind, NONE};

pub(super) static KINDS: &[Kind] = &[
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
