"""Every paginator that botocore has for an operation of the twin: pages of one, nothing twice, nothing lost."""

import coverage
from boto3_certificates import authority, pem, signed
from boto3_certificates import key as new_key
from boto3_dynamodb import series
from boto3_groups import group
from boto3_lambda import function
from boto3_mappings import mapping
from boto3_policies import policy
from boto3_route53 import check, record, zone, change
from boto3_rules import payload, rule_name
from boto3_states import machine
from boto3_streams import streamed
from boto3_things import thing
from case import ROLE, case, equal, fresh

CLIENT = "boto3"
TRIED = set()


def pages(operation, result, key_of=str, *, peers=True, size=1, alone=False, single=False):
    """Registers a case: `prepare(t)` makes two or more and answers (parameters, keys that must be there). `single`: there
    is never more than one page."""

    def register(prepare):
        service, name = operation.split(":")
        TRIED.add(operation)

        def run(t):
            from botocore import xform_name

            parameters, wanted = prepare(t)
            client = t.boto(service)
            several = client.get_paginator(xform_name(name)).paginate(**parameters, PaginationConfig={"PageSize": size})
            found, count = [], 0
            for page in several:
                count += 1
                found += [key_of(x) for x in page.get(result, [])]
            equal(sorted(found), sorted(set(found)), "something came twice")
            equal([x for x in wanted if x not in found], [], "lost")
            assert single or count > 1, f"one page of {len(found)}"

        run.__name__ = f"pages_of_{xname(name)}"
        case(operation, peers=peers, alone=alone)(run)
        return prepare

    return register


def xname(name):
    from botocore import xform_name

    return xform_name(name)


def by(member):
    return lambda x: x[member]


@pages("iot:ListThings", "things", by("thingName"), size=20)
def _(t):
    return {}, [thing(t) for _ in range(21)]


@pages("iot:ListThingPrincipals", "principals")
def _(t):
    iot, name = t.boto("iot"), thing(t)
    arns = [iot.create_keys_and_certificate()["certificateArn"] for _ in range(3)]
    for arn in arns:
        iot.attach_thing_principal(thingName=name, principal=arn)
    return {"thingName": name}, arns


@pages("iot:ListPrincipalThings", "things")
def _(t):
    iot = t.boto("iot")
    arn, names = iot.create_keys_and_certificate()["certificateArn"], [thing(t) for _ in range(3)]
    for name in names:
        iot.attach_thing_principal(thingName=name, principal=arn)
    return {"principal": arn}, names


@pages("iot:ListThingTypes", "thingTypes", by("thingTypeName"), size=2)
def _(t):
    names = [fresh("type") for _ in range(3)]
    for name in names:
        t.boto("iot").create_thing_type(thingTypeName=name)
    return {}, names


@pages("iot:ListThingGroups", "thingGroups", by("groupName"))
def _(t):
    parent = group(t)
    return {"parentGroup": parent}, [group(t, parentGroupName=parent) for _ in range(3)]


@pages("iot:ListThingsInThingGroup", "things")
def _(t):
    where, names = group(t), [thing(t) for _ in range(3)]
    for name in names:
        t.boto("iot").add_thing_to_thing_group(thingGroupName=where, thingName=name)
    return {"thingGroupName": where}, names


@pages("iot:ListThingGroupsForThing", "thingGroups", by("groupName"))
def _(t):
    name, groups = thing(t), [group(t) for _ in range(3)]
    for where in groups:
        t.boto("iot").add_thing_to_thing_group(thingGroupName=where, thingName=name)
    return {"thingName": name}, groups


@pages("iot:ListCertificates", "certificates", by("certificateId"), size=5, alone=True)
def _(t):
    return {}, [t.boto("iot").create_keys_and_certificate()["certificateId"] for _ in range(6)]


@pages("iot:ListCACertificates", "certificates", by("certificateId"), alone=True)
def _(t):
    made = [t.boto("iot").register_ca_certificate(caCertificate=pem(signed(fresh("ca"), new_key(), ca=True)),
                                                  certificateMode="SNI_ONLY") for _ in range(3)]
    return {}, [x["certificateId"] for x in made]


@pages("iot:ListCertificatesByCA", "certificates", by("certificateId"))
def _(t):
    ca, own, made = authority(t)
    ids = [t.boto("iot").register_certificate(
        certificatePem=pem(signed(fresh("lamp"), new_key(), issuer=ca, issuer_key=own)), caCertificatePem=pem(ca)
    )["certificateId"] for _ in range(3)]
    return {"caCertificateId": made["certificateId"]}, ids


@pages("iot:ListPolicies", "policies", by("policyName"), size=10, alone=True)
def _(t):
    return {}, [policy(t) for _ in range(11)]


def attached(t):
    iot = t.boto("iot")
    arn, names = iot.create_keys_and_certificate()["certificateArn"], [policy(t) for _ in range(3)]
    for name in names:
        iot.attach_policy(policyName=name, target=arn)
    return arn, names


@pages("iot:ListAttachedPolicies", "policies", by("policyName"))
def _(t):
    arn, names = attached(t)
    return {"target": arn}, names


@pages("iot:ListPrincipalPolicies", "policies", by("policyName"))
def _(t):
    arn, names = attached(t)
    return {"principal": arn}, names


@pages("iot:ListTargetsForPolicy", "targets")
def _(t):
    iot, name = t.boto("iot"), policy(t)
    arns = [iot.create_keys_and_certificate()["certificateArn"] for _ in range(3)]
    for arn in arns:
        iot.attach_policy(policyName=name, target=arn)
    return {"policyName": name}, arns


@pages("iot:ListTopicRules", "rules", by("ruleName"))
def _(t):
    topic, names = fresh("topic"), [rule_name() for _ in range(3)]
    for name in names:
        t.boto("iot").create_topic_rule(ruleName=name, topicRulePayload=payload("any", f"SELECT * FROM '{topic}'"))
    return {"topic": topic}, names


@pages("dynamodb:ListTables", "TableNames", size=2, alone=True)
def _(t):
    from boto3_dynamodb import table

    return {}, [table(t) for _ in range(3)]


@pages("dynamodb:Query", "Items", lambda x: x["s"]["N"])
def _(t):
    where, name = series(t)
    return {"TableName": where, "KeyConditionExpression": "k = :k",
            "ExpressionAttributeValues": {":k": {"S": name}}}, list("01234")


@pages("dynamodb:Scan", "Items", lambda x: x["k"]["S"])
def _(t):
    from boto3_dynamodb import table

    where = table(t)
    for index in range(4):
        t.boto("dynamodb").put_item(TableName=where, Item={"k": {"S": str(index)}})
    return {"TableName": where}, list("0123")


@pages("lambda:ListFunctions", "Functions", by("FunctionName"), alone=True)
def _(t):
    return {}, [function(t) for _ in range(2)]


@pages("lambda:ListEventSourceMappings", "EventSourceMappings", by("UUID"))
def _(t):
    name = function(t)
    return {"FunctionName": name}, [mapping(t, name, streamed(t)[1]) for _ in range(3)]


@pages("route53:ListHostedZones", "HostedZones", by("Id"), alone=True)
def _(t):
    return {}, [zone(t)[0] for _ in range(2)]


@pages("route53:ListHealthChecks", "HealthChecks", by("Id"), alone=True)
def _(t):
    return {}, [check(t, Disabled=True) for _ in range(2)]


@pages("route53:ListResourceRecordSets", "ResourceRecordSets", lambda x: (x["Name"], x["Type"]))
def _(t):
    zone_id, name = zone(t)
    change(t, zone_id, record(f"a.{name}", "x.test"), record(f"b.{name}", "x.test"))
    return {"HostedZoneId": zone_id}, [(f"a.{name}", "CNAME"), (f"b.{name}", "CNAME")]


@pages("stepfunctions:ListStateMachines", "stateMachines", by("stateMachineArn"), alone=True)
def _(t):
    return {}, [machine(t) for _ in range(2)]


@pages("stepfunctions:ListExecutions", "executions", by("executionArn"))
def _(t):
    states, arn = t.boto("stepfunctions"), machine(t)
    return {"stateMachineArn": arn}, [states.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(3)]


@pages("stepfunctions:GetExecutionHistory", "events", by("id"))
def _(t):
    from boto3_states import ended

    one = t.boto("stepfunctions").start_execution(stateMachineArn=machine(t))["executionArn"]
    ended(t, one)
    return {"executionArn": one}, [1, 2, 3, 4]


@pages("service-quotas:ListServiceQuotas", "Quotas", by("QuotaCode"), peers=False, size=100)
def _(t):
    return {"ServiceCode": "iotcore"}, ["L-64CBACAC"]


@pages("service-quotas:ListAWSDefaultServiceQuotas", "Quotas", by("QuotaCode"), peers=False, size=100)
def _(t):
    return {"ServiceCode": "iotcore"}, ["L-64CBACAC"]


@pages("service-quotas:ListRequestedServiceQuotaChangeHistory", "RequestedQuotas", by("Id"), peers=False)
def _(t):
    ask = t.boto("service-quotas").request_service_quota_increase
    asked = [ask(ServiceCode="iotcore", QuotaCode=code, DesiredValue=1e6) for code in ("L-AEA1E176", "L-4B33E451")]
    return {"ServiceCode": "iotcore"}, [x["RequestedQuota"]["Id"] for x in asked]


@pages("service-quotas:ListServices", "Services", by("ServiceCode"), peers=False)
def _(t):
    return {}, ["iot", "iotcore"]


@pages("events:ListRules", "Rules", by("Name"))
def _(t):
    prefix = fresh("rule")
    names = [f"{prefix}-{index}" for index in range(3)]
    for name in names:
        t.boto("events").put_rule(Name=name, EventPattern='{"source":["x"]}')
    return {"NamePrefix": prefix}, names


def targets(t):
    """Three rules with the same two functions for targets."""
    arns = [f"arn:aws:lambda:us-east-1:123456789012:function:{fresh('function')}" for _ in range(2)]
    names = [fresh("rule") for _ in range(3)]
    for name in names:
        t.boto("events").put_rule(Name=name, EventPattern='{"source":["x"]}')
        t.boto("events").put_targets(Rule=name, Targets=[{"Id": str(n), "Arn": arn} for n, arn in enumerate(arns)])
    return names, arns


@pages("events:ListTargetsByRule", "Targets", by("Id"))
def _(t):
    return {"Rule": targets(t)[0][0]}, ["0", "1"]


@pages("events:ListRuleNamesByTarget", "RuleNames")
def _(t):
    names, arns = targets(t)
    return {"TargetArn": arns[0]}, names


@pages("scheduler:ListSchedules", "Schedules", by("Name"))
def _(t):
    prefix = fresh("schedule")
    names = [f"{prefix}-{index}" for index in range(3)]
    for name in names:
        t.boto("scheduler").create_schedule(
            Name=name, ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"}, State="DISABLED",
            Target={"Arn": "arn:aws:lambda:us-east-1:123456789012:function:any", "RoleArn": ROLE})
    return {"NamePrefix": prefix}, names


@pages("s3:ListBuckets", "Buckets", by("Name"), alone=True)
def _(t):
    from boto3_storage import bucket

    return {}, [bucket(t) for _ in range(2)]


def filled(t):
    from boto3_storage import bucket

    name = bucket(t)
    for key in "abc":
        t.boto("s3").put_object(Bucket=name, Key=key, Body=b"x")
    return {"Bucket": name}, list("abc")


@pages("s3:ListObjects", "Contents", by("Key"))
def _(t):
    return filled(t)


@pages("s3:ListObjectsV2", "Contents", by("Key"))
def _(t):
    return filled(t)


@pages("s3:ListMultipartUploads", "Uploads", by("UploadId"))
def _(t):
    from boto3_storage import bucket

    name = bucket(t)
    return {"Bucket": name}, [t.boto("s3").create_multipart_upload(Bucket=name, Key=key)["UploadId"] for key in "aab"]


@pages("s3:ListParts", "Parts", by("PartNumber"))
def _(t):
    from boto3_storage import bucket

    s3, name = t.boto("s3"), bucket(t)
    own = {"Bucket": name, "Key": "a", "UploadId": s3.create_multipart_upload(Bucket=name, Key="a")["UploadId"]}
    for number in (1, 2, 3):
        s3.upload_part(**own, PartNumber=number, Body=b"x")
    return own, [1, 2, 3]


@pages("iot:ListThingRegistrationTasks", "taskIds", alone=True, peers=False)
def _(t):
    from boto3_more import task

    return {}, [task(t, ["{}"])[0] for _ in range(2)]


#: Paginators that are not tried here, and why.
ELSEWHERE = {
    "dynamodb:ListTagsOfResource": "AWS's pages of 10 have no size to set; a table of the twin has few tags",
    "iot:ListTagsForResource": "its pages have no size to set",
    "iot:ListThingRegistrationTaskReports": "a report is one file, so one link",
    "cloudformation:DescribeStacks": "no size to set",
    "cloudformation:ListStacks": "no size to set",
    "cloudformation:DescribeStackEvents": "no size to set",
    "cloudformation:ListStackResources": "no size to set",
    "cloudformation:ListExports": "no size to set",
    "cloudformation:ListImports": "no size to set",
    "cloudformation:DescribeChangeSet": "no size to set",
    "cloudformation:ListChangeSets": "no size to set",
}


@case()
def every_paginator_is_tried(t):
    untried = []
    for operation in coverage.listed():
        service, name = operation.split(":")
        client = t.boto(service)
        if client.can_paginate(xname(name)) and operation not in TRIED and operation not in ELSEWHERE:
            untried.append(operation)
    equal(untried, [], "a paginator without a case")
