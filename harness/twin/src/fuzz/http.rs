//! Fuzz targets: calls of every service to a world that runs. Whatever comes is answered, within [`ANSWER_MAX`], and what
//! is refused is refused in the service's own shape. The world outlives an input, so that calls meet what others left.

use super::site::{Site, service};

service!(
    iot_answers_any_call,
    [
        "POST iot /things/lamp\n\n{\"attributePayload\":{\"attributes\":{\"a\":\"b\"},\"merge\":true}}",
        "PATCH iot /things/lamp\n\n{\"attributePayload\":{\"attributes\":{\"a\":\"\"},\"merge\":true},\"expectedVersion\":1}",
        "GET iot /things?maxResults=2&attributeName=a&attributeValue=b\n\n",
        "POST iot /thing-types/t\n\n{\"thingTypeProperties\":{\"searchableAttributes\":[\"a\"]},\"tags\":[{\"Key\":\"k\",\"Value\":\"v\"}]}",
        "POST iot /thing-groups/g\n\n{\"thingGroupProperties\":{\"attributePayload\":{\"attributes\":{\"x\":\"y\"}}}}",
        "POST iot /thing-groups/h\n\n{\"parentGroupName\":\"g\"}",
        "PUT iot /thing-groups/addThingToThingGroup\n\n{\"thingName\":\"lamp\",\"thingGroupName\":\"h\"}",
        "GET iot /thing-groups?parentGroup=g&recursive=true\n\n",
        "POST iot /certificate/register-no-ca\n\n{\"certificatePem\":\"$PEM\",\"status\":\"ACTIVE\"}",
        "GET iot /certificates?pageSize=1&isAscendingOrder=true\n\n",
        "POST iot /cacertificate?setAsActive=true&allowAutoRegistration=true\n\n{\"caCertificate\":\"$PEM\",\"certificateMode\":\"SNI_ONLY\"}",
        "POST iot /policies/p\n\n{\"policyDocument\":\"{\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"*\\\",\\\"Resource\\\":\\\"*\\\"}]}\"}",
        "POST iot /policies/p/version?setAsDefault=true\n\n{\"policyDocument\":\"{\\\"Statement\\\":[]}\"}",
        "PUT iot /target-policies/p\n\n{\"target\":\"arn:aws:iot:us-east-1:123456789012:thinggroup/g\"}",
        "POST iot /attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A123456789012%3Athinggroup%2Fg?recursive=true\n\n{}",
        "POST iot /indexing/config\n\n{\"thingIndexingConfiguration\":{\"thingIndexingMode\":\"REGISTRY\"}}",
        "POST iot /indices/search\n\n{\"queryString\":\"thingName:l*\",\"maxResults\":1}",
        "POST iot /tags\n\n{\"resourceArn\":\"arn:aws:iot:us-east-1:123456789012:thinggroup/g\",\"tags\":[{\"Key\":\"k\",\"Value\":\"v\"}]}",
        "PATCH iot /event-configurations\n\n{\"eventConfigurations\":{\"THING\":{\"Enabled\":true}}}",
        "GET iot /endpoint?endpointType=iot:Data-ATS\n\n",
    ],
    [
        "maxResults=",
        "nextToken=",
        "&",
        "\"tags\":",
        "arn:aws:iot:",
        "%2F",
        "DELETE",
        "/version/1",
        "/things",
        "{\"x\":[]}"
    ]
);

service!(
    iotdata_answers_any_call,
    [
        "POST iotdata /things/lamp/shadow\n\n{\"state\":{\"desired\":{\"on\":true},\"reported\":{\"on\":false}}}",
        "POST iotdata /things/lamp/shadow?name=n\n\n{\"state\":{\"reported\":{\"a\":[1]}},\"clientToken\":\"t\"}",
        "GET iotdata /things/lamp/shadow?name=n\n\n",
        "GET iotdata /api/things/shadow/ListNamedShadowsForThing/lamp?pageSize=1\n\n",
        "POST iotdata /topics/dt%2Flamp?qos=1&retain=true\n\n{\"on\":1}",
        "POST iotdata /topics/$aws/things/lamp/shadow/update?qos=0\n\n{\"state\":{\"reported\":{\"x\":1}}}",
    ],
    [
        "qos=",
        "/get",
        "/delete",
        "$aws/things/",
        "/shadow/name/n/update",
        "$share/g/",
        "/",
        "+",
        "#",
        "DELETE"
    ]
);

service!(
    dynamodb_answers_any_call,
    [
        "POST dynamodb /\nx-amz-target: DynamoDB_20120810.CreateTable\n\n{\"TableName\":\"tab\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},{\"AttributeName\":\"sk\",\"AttributeType\":\"N\"}],\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}],\"StreamSpecification\":{\"StreamEnabled\":true,\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}}",
        "POST dynamodb /\nx-amz-target: DynamoDB_20120810.PutItem\n\n{\"TableName\":\"tab\",\"Item\":{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"1.5\"},\"m\":{\"M\":{\"l\":{\"L\":[{\"B\":\"AQI=\"},{\"NS\":[\"1\",\"2\"]}]}}}},\"ReturnValues\":\"ALL_OLD\"}",
        "POST dynamodb /\nx-amz-target: DynamoDB_20120810.UpdateItem\n\n{\"TableName\":\"tab\",\"Key\":{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"1.5\"}},\"UpdateExpression\":\"SET m.x = m, #n = if_not_exists(#n, :o) + :o REMOVE z[0]\",\"ConditionExpression\":\"attribute_exists(pk)\",\"ExpressionAttributeNames\":{\"#n\":\"name\"},\"ExpressionAttributeValues\":{\":o\":{\"N\":\"1\"}},\"ReturnValues\":\"ALL_NEW\"}",
        "POST dynamodb /\nx-amz-target: DynamoDB_20120810.Query\n\n{\"TableName\":\"tab\",\"KeyConditionExpression\":\"pk = :a AND sk BETWEEN :z AND :o\",\"FilterExpression\":\"size(m) > :z\",\"ProjectionExpression\":\"m.l[0], sk\",\"ExpressionAttributeValues\":{\":a\":{\"S\":\"a\"},\":z\":{\"N\":\"0\"},\":o\":{\"N\":\"9\"}},\"Limit\":1,\"ScanIndexForward\":false}",
        "POST dynamodb /\nx-amz-target: DynamoDB_20120810.Scan\n\n{\"TableName\":\"tab\",\"Segment\":0,\"TotalSegments\":2,\"Select\":\"COUNT\",\"ExclusiveStartKey\":{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"0\"}}}",
        "POST dynamodb /\nx-amz-target: DynamoDB_20120810.BatchWriteItem\n\n{\"RequestItems\":{\"tab\":[{\"PutRequest\":{\"Item\":{\"pk\":{\"S\":\"b\"},\"sk\":{\"N\":\"1\"}}}},{\"DeleteRequest\":{\"Key\":{\"pk\":{\"S\":\"c\"},\"sk\":{\"N\":\"1\"}}}}]}}",
        "POST dynamodb /\nx-amz-target: DynamoDB_20120810.UpdateTimeToLive\n\n{\"TableName\":\"tab\",\"TimeToLiveSpecification\":{\"Enabled\":true,\"AttributeName\":\"ttl\"}}",
        "POST dynamodb /\nx-amz-target: DynamoDB_20120810.UpdateTable\n\n{\"TableName\":\"tab\",\"ReplicaUpdates\":[{\"Create\":{\"RegionName\":\"us-west-2\"}}]}",
        "POST dynamodb /\nx-amz-target: DynamoDBStreams_20120810.ListStreams\n\n{\"TableName\":\"tab\",\"Limit\":1}",
        "POST dynamodb /\nx-amz-target: DynamoDB_20120810.GetItem\n\n{\"TableName\":\"tab\",\"Key\":{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"1.5\"}},\"ProjectionExpression\":\"m.l[1]\"}",
    ],
    [
        "{\"S\":\"a\"}",
        "{\"N\":\"1e126\"}",
        "{\"N\":\"1e-9223372036854775807\"}",
        "{\"M\":{\"m\":",
        "{\"SS\":[]}",
        "{\"B\":\"=\"}",
        " AND ",
        "NOT ",
        "DeleteItem",
        "DeleteTable"
    ]
);

service!(
    events_answers_any_call,
    [
        "POST events /\nx-amz-target: AWSEvents.PutRule\n\n{\"Name\":\"r\",\"EventPattern\":\"{\\\"source\\\":[\\\"mine\\\"],\\\"detail\\\":{\\\"n\\\":[{\\\"numeric\\\":[\\\">\\\",1]}],\\\"$or\\\":[{\\\"a\\\":[{\\\"prefix\\\":\\\"x\\\"}]},{\\\"b\\\":[{\\\"cidr\\\":\\\"10.0.0.0/8\\\"}]}]}}\"}",
        "POST events /\nx-amz-target: AWSEvents.PutRule\n\n{\"Name\":\"s\",\"ScheduleExpression\":\"cron(0/5 8-17 ? * MON-FRI *)\",\"State\":\"DISABLED\"}",
        "POST events /\nx-amz-target: AWSEvents.PutTargets\n\n{\"Rule\":\"r\",\"Targets\":[{\"Id\":\"1\",\"Arn\":\"arn:aws:lambda:us-east-1:123456789012:function:f\",\"InputTransformer\":{\"InputPathsMap\":{\"n\":\"$.detail.n\"},\"InputTemplate\":\"{\\\"n\\\": <n>}\"}}]}",
        "POST events /\nx-amz-target: AWSEvents.PutEvents\n\n{\"Entries\":[{\"Source\":\"mine\",\"DetailType\":\"t\",\"Detail\":\"{\\\"n\\\":2}\",\"Time\":1700000000.5}]}",
        "POST events /\nx-amz-target: AWSEvents.TestEventPattern\n\n{\"EventPattern\":\"{\\\"source\\\":[{\\\"anything-but\\\":{\\\"wildcard\\\":\\\"a*b\\\"}}]}\",\"Event\":\"{\\\"id\\\":\\\"1\\\",\\\"account\\\":\\\"1\\\",\\\"source\\\":\\\"s\\\",\\\"time\\\":\\\"2026-01-01T00:00:00Z\\\",\\\"region\\\":\\\"us-east-1\\\",\\\"resources\\\":[],\\\"detail-type\\\":\\\"t\\\",\\\"detail\\\":{}}\"}",
        "POST events /\nx-amz-target: AWSEvents.ListRules\n\n{\"NamePrefix\":\"r\",\"Limit\":1}",
    ],
    [
        "\\\"$or\\\":[",
        "{\\\"exists\\\":false}",
        "cidr",
        "/33",
        "rate(2147483647 days)",
        "cron(",
        "L",
        "1#5",
        "$..x",
        "[?(@.a)]"
    ]
);

service!(
    lambda_answers_any_call,
    [
        "GET lambda /2015-03-31/functions?MaxItems=1\n\n",
        "GET lambda /2015-03-31/event-source-mappings?FunctionName=f\n\n",
        "GET lambda /2015-03-31/event-source-mappings/?EventSourceArn=arn:aws:dynamodb:us-east-1:1:table/t/stream/x\n\n",
    ],
    [
        "POST lambda /2015-03-31/functions\n\n{\"FunctionName\":\"f\",\"Code\":{\"ZipFile\":\"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==\"},\"Runtime\":\"provided.al2023\",\"Handler\":\"h\",\"Role\":\"arn:aws:iam::1:role/r\"}",
        "POST lambda /2015-03-31/functions/f/invocations?\nx-amz-invocation-type: DryRun\n\n{}",
        "POST lambda /2015-03-31/event-source-mappings\n\n{\"EventSourceArn\":\"arn\",\"FunctionName\":\"f\",\"StartingPosition\":\"LATEST\"}",
        "/policy",
        "/url",
        "/concurrency",
        "PUT",
        "DELETE",
        "arn:aws:lambda:us-east-1:1:function:f:$LATEST"
    ]
);

service!(
    route53_answers_any_call,
    [
        "POST route53 /2013-04-01/hostedzone\n\n<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>example.com</Name><CallerReference>1</CallerReference><HostedZoneConfig><Comment>c &amp; d</Comment></HostedZoneConfig></CreateHostedZoneRequest>",
        "GET route53 /2013-04-01/hostedzonesbyname?dnsname=example.com&maxitems=1\n\n",
        "POST route53 /2013-04-01/healthcheck\n\n<CreateHealthCheckRequest><CallerReference>1</CallerReference><HealthCheckConfig><IPAddress>127.0.0.1</IPAddress><Port>9</Port><Type>TCP</Type><RequestInterval>10</RequestInterval><FailureThreshold>3</FailureThreshold><Disabled>true</Disabled><Regions><Region>us-east-1</Region><Region>us-west-1</Region><Region>us-west-2</Region></Regions></HealthCheckConfig></CreateHealthCheckRequest>",
        "GET route53 /2013-04-01/healthcheck?maxitems=2\n\n",
        "POST route53 /2013-04-01/trafficpolicy\n\n<CreateTrafficPolicyRequest><Name>p</Name><Document>{\"AWSPolicyFormatVersion\":\"2015-10-01\",\"RecordType\":\"A\",\"StartRule\":\"r\",\"Endpoints\":{\"a\":{\"Type\":\"value\",\"Value\":\"127.0.0.1\"},\"b\":{\"Type\":\"value\",\"Value\":\"127.0.0.2\"}},\"Rules\":{\"r\":{\"RuleType\":\"failover\",\"Primary\":{\"EndpointReference\":\"a\"},\"Secondary\":{\"EndpointReference\":\"b\"}}}}</Document></CreateTrafficPolicyRequest>",
        "GET route53 /2013-04-01/trafficpolicies?maxitems=1\n\n",
        "GET route53 /2013-04-01/trafficpolicyinstancecount\n\n",
    ],
    [
        "&lt;",
        "&#x0;",
        "<![CDATA[",
        "]]>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]>",
        "&b;",
        "<!--",
        "<?xml version=\"1.0\"?>",
        "<Name>",
        "</Name>",
        "maxitems=0",
        "<ResourceRecordSet><Name>a</Name><Type>TXT</Type><TTL>1</TTL></ResourceRecordSet>"
    ]
);

service!(
    scheduler_answers_any_call,
    [
        "POST scheduler /schedules/s\n\n{\"ScheduleExpression\":\"rate(5 minutes)\",\"StartDate\":1700000000.5,\"FlexibleTimeWindow\":{\"Mode\":\"OFF\"},\"State\":\"DISABLED\",\"Target\":{\"Arn\":\"arn:aws:lambda:us-east-1:123456789012:function:f\",\"RoleArn\":\"arn:aws:iam::123456789012:role/r\",\"Input\":\"{}\",\"RetryPolicy\":{\"MaximumRetryAttempts\":1,\"MaximumEventAgeInSeconds\":60}}}",
        "PUT scheduler /schedules/s\n\n{\"ScheduleExpression\":\"at(2030-01-01T00:00:00)\",\"EndDate\":1900000000,\"FlexibleTimeWindow\":{\"Mode\":\"FLEXIBLE\",\"MaximumWindowInMinutes\":5},\"ActionAfterCompletion\":\"DELETE\",\"Target\":{\"Arn\":\"arn:aws:scheduler:::aws-sdk:route53:updateHealthCheck\",\"RoleArn\":\"arn:aws:iam::123456789012:role/r\",\"Input\":\"{\\\"HealthCheckId\\\":\\\"h\\\",\\\"Inverted\\\":true}\"}}",
        "GET scheduler /schedules?NamePrefix=s&MaxResults=1\n\n",
        "GET scheduler /schedules/s?groupName=default\n\n",
    ],
    [
        "rate(1 minute)",
        "rate(2147483647 days)",
        "cron(0 0 L * ? 2199)",
        "at(9999-12-31T23:59:59)",
        "DELETE",
        "-1e300",
        "ScheduleGroup="
    ]
);

service!(
    servicequotas_answers_any_call,
    [
        "POST servicequotas /\nx-amz-target: ServiceQuotasV20190624.ListServices\n\n{}",
        "POST servicequotas /\nx-amz-target: ServiceQuotasV20190624.ListServiceQuotas\n\n{\"ServiceCode\":\"iot\",\"MaxResults\":3}",
        "POST servicequotas /\nx-amz-target: ServiceQuotasV20190624.ListAWSDefaultServiceQuotas\n\n{\"ServiceCode\":\"iotcore\"}",
    ],
    ["\"NextToken\":\"L-", "GetServiceQuota", "RequestServiceQuotaIncrease", "\"QuotaCode\":"]
);

service!(
    states_answers_any_call,
    [
        "POST states /\nx-amz-target: AWSStepFunctions.CreateStateMachine\n\n{\"name\":\"m\",\"roleArn\":\"arn:aws:iam::123456789012:role/r\",\"definition\":\"{\\\"StartAt\\\":\\\"P\\\",\\\"States\\\":{\\\"P\\\":{\\\"Type\\\":\\\"Pass\\\",\\\"Parameters\\\":{\\\"x.$\\\":\\\"$.a[0]\\\"},\\\"ResultPath\\\":\\\"$.r\\\",\\\"End\\\":true}}}\"}",
        "POST states /\nx-amz-target: AWSStepFunctions.StartExecution\n\n{\"stateMachineArn\":\"arn:aws:states:us-east-1:123456789012:stateMachine:m\",\"name\":\"e\",\"input\":\"{\\\"a\\\":[1]}\"}",
        "POST states /\nx-amz-target: AWSStepFunctions.ListExecutions\n\n{\"stateMachineArn\":\"arn:aws:states:us-east-1:123456789012:stateMachine:m\",\"maxResults\":1,\"statusFilter\":\"SUCCEEDED\"}",
        "POST states /\nx-amz-target: AWSStepFunctions.GetExecutionHistory\n\n{\"executionArn\":\"arn:aws:states:us-east-1:123456789012:execution:m:e\",\"reverseOrder\":true,\"maxResults\":2}",
        "POST states /\nx-amz-target: AWSStepFunctions.ValidateStateMachineDefinition\n\n{\"definition\":\"{}\"}",
        "POST states /\nx-amz-target: AWSStepFunctions.ListStateMachines\n\n{\"maxResults\":1}",
    ],
    [
        "\\\"Type\\\":\\\"Choice\\\"",
        "\"nextToken\":\"MA\"",
        "$$.",
        "$..",
        "\\\"Next\\\":\\\"P\\\"",
        "StopExecution",
        "DeleteStateMachine",
        "arn:aws:states:"
    ]
);

service!(
    sts_answers_any_call,
    [
        "POST sts /\ncontent-type: application/x-www-form-urlencoded\n\nAction=GetCallerIdentity&Version=2011-06-15"
    ],
    ["Action=", "&", "AssumeRole", "%zz"]
);

#[test]
fn bodies_that_nest_without_end_are_refused() {
    let site = Site::new();
    let deep = ["[".repeat(100_000), "{\"a\":".repeat(100_000)];
    for service in [
        "iot /things/t",
        "iotdata /things/t/shadow",
        "scheduler /schedules/s",
        "lambda /2015-03-31/functions",
        "apigateway /restapis",
    ] {
        for body in &deep {
            let status = site.status(&format!("POST {service}\n\n{body}"));
            assert_eq!(status, 400, "{service}");
        }
    }
    for (service, target) in [
        ("sqs", "AmazonSQS.SendMessage"),
        ("dynamodb", "DynamoDB_20120810.PutItem"),
        ("events", "AWSEvents.PutEvents"),
        ("servicequotas", "ServiceQuotasV20190624.GetServiceQuota"),
        ("states", "AWSStepFunctions.StartExecution"),
    ] {
        for body in &deep {
            let status = site.status(&format!("POST {service} /\nx-amz-target: {target}\n\n{body}"));
            assert_eq!(status, 400, "{service}");
        }
    }
    site.text("PUT s3 /deep\n\n");
    for open in ["<Object>", "<a>"] {
        let body = format!("<Delete>{}", open.repeat(100_000));
        assert_eq!(site.status(&format!("POST s3 /deep?delete\n\n{body}")), 400, "{open}");
    }
    for open in ["[", "{\"a\":", "{a: ", "- ", "!Ref "] {
        let template = open.repeat(10_000);
        let head = "POST cloudformation /\ncontent-type: application/x-www-form-urlencoded\n\n";
        let status = site.status(&format!("{head}Action=ValidateTemplate&TemplateBody={template}"));
        assert_eq!(status, 400, "{open}");
    }
    for open in ["<a>", "<CreateHostedZoneRequest>", "<Name>"] {
        let body = format!("<CreateHostedZoneRequest>{}", open.repeat(100_000));
        assert_eq!(site.status(&format!("POST route53 /2013-04-01/hostedzone\n\n{body}")), 400, "{open}");
    }
}
