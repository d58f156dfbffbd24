"""Every paginator that botocore has for an operation of the twin: pages of one, nothing twice, nothing lost."""

import coverage
from boto3_certificates import authority, key, pem, signed
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
from case import case, equal, fresh

CLIENT = "boto3"
TRIED = set()


def pages(operation, result, key_of=str, *, peers=True, size=1, alone=False):
    """Registers a case: `prepare(t)` makes two or more and answers (parameters, keys that must be there)."""

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
            assert count > 1, f"one page of {len(found)}"

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
    made = [t.boto("iot").register_ca_certificate(caCertificate=pem(signed(fresh("ca"), key(), ca=True)),
                                                  certificateMode="SNI_ONLY") for _ in range(3)]
    return {}, [x["certificateId"] for x in made]


@pages("iot:ListCertificatesByCA", "certificates", by("certificateId"))
def _(t):
    ca, own, made = authority(t)
    ids = [t.boto("iot").register_certificate(
        certificatePem=pem(signed(fresh("lamp"), key(), issuer=ca, issuer_key=own)), caCertificatePem=pem(ca)
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


@pages("service-quotas:ListServices", "Services", by("ServiceCode"), peers=False)
def _(t):
    return {}, ["iot", "iotcore"]


#: Paginators that are not tried here, and why.
ELSEWHERE = {
    "dynamodb:ListTagsOfResource": "AWS's pages of 10 have no size to set; a table of the twin has few tags",
    "iot:ListTagsForResource": "its pages have no size to set",
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
