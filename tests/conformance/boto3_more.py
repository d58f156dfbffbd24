"""Bulk registration and what topic rules do besides writing items; by boto3."""

import json
import urllib.request

from boto3_dynamodb import table
from boto3_lambda import function, package
from boto3_mappings import CONSUMER
from boto3_rules import payload, rule_name
from boto3_storage import bucket
from case import ACCOUNT, PRIMARY, ROLE, case, equal, eventually, fresh, refused

CLIENT = "boto3"


def template(**more):
    return json.dumps({"Parameters": {"Name": {"Type": "String"}}, "Resources": {
        "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}, "AttributePayload": {"a": "1"}}},
        **more}})


def task(t, lines, body=None):
    s3, iot, where = t.boto("s3"), t.boto("iot"), bucket(t)
    s3.put_object(Bucket=where, Key="things.json", Body="\n".join(lines).encode())
    started = iot.start_thing_registration_task(templateBody=body or template(), inputFileBucket=where,
                                                inputFileKey="things.json", roleArn=ROLE)["taskId"]

    def ended():
        seen = iot.describe_thing_registration_task(taskId=started)
        return seen if seen["status"] in ("Completed", "Failed", "Cancelled") else None

    return started, eventually(ended, "the task ends", 40)


def report(t, own, kind):
    links = t.boto("iot").list_thing_registration_task_reports(taskId=own, reportType=kind)["resourceLinks"]
    lines = []
    for link in links:
        with urllib.request.urlopen(link, timeout=10) as answer:
            lines += answer.read().decode().strip().splitlines()
    return lines


@case("iot:StartThingRegistrationTask iot:DescribeThingRegistrationTask iot:ListThingRegistrationTaskReports "
      "iot:ListThingRegistrationTasks s3:PutObject", alone=True)
def things_are_registered_in_bulk(t):
    iot, names = t.boto("iot"), [fresh("bulk") for _ in range(5)]
    own, seen = task(t, [json.dumps({"Name": name}) for name in names] + ["{}"])
    equal((seen["status"], seen["successCount"], seen["failureCount"], seen["percentageProgress"]), ("Completed", 5, 1, 100))
    equal(iot.describe_thing(thingName=names[0])["attributes"], {"a": "1"})
    results = [json.loads(line)["response"]["ResourceArns"]["thing"] for line in report(t, own, "RESULTS")]
    equal(sorted(results), sorted(f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:thing/{name}" for name in names))
    equal(len(report(t, own, "ERRORS")), 1)
    assert own in iot.list_thing_registration_tasks()["taskIds"]


@case("iot:DescribeThingRegistrationTask iot:StopThingRegistrationTask")
def an_absent_task_is_not_found(t):
    iot, none = t.boto("iot"), "00000000-0000-4000-8000-000000000000"
    refused("ResourceNotFoundException", iot.describe_thing_registration_task, taskId=none, status=404)
    refused("ResourceNotFoundException", iot.stop_thing_registration_task, taskId=none, status=404)


@case("iot:RegisterThing")
def a_thing_is_registered_by_a_template(t):
    iot, name = t.boto("iot"), fresh("registered")
    made = iot.create_keys_and_certificate()
    iot.create_policy(policyName=name, policyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}))
    body = template(
        certificate={"Type": "AWS::IoT::Certificate", "OverrideSettings": {"Status": "REPLACE"},
                     "Properties": {"CertificateId": made["certificateId"], "Status": "ACTIVE"}},
        policy={"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": name}})
    answer = iot.register_thing(templateBody=body, parameters={"Name": name})
    equal(answer["resourceArns"]["thing"], f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:thing/{name}")
    equal(iot.list_thing_principals(thingName=name)["principals"], [made["certificateArn"]])
    equal([x["policyName"] for x in iot.list_attached_policies(target=made["certificateArn"])["policies"]], [name])
    seen = iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
    equal(seen["status"], "ACTIVE")


def rule(t, sql, *actions, **more):
    name = rule_name()
    t.boto("iot").create_topic_rule(ruleName=name, topicRulePayload={
        "sql": sql, "actions": list(actions), "awsIotSqlVersion": "2016-03-23", **more})
    return name


def say(t, topic, **document):
    t.boto("iot-data").publish(topic=topic, qos=1, payload=json.dumps(document))


def item(t, where, key):
    ddb = t.boto("dynamodb")
    return eventually(lambda: ddb.get_item(TableName=where, Key={"k": {"S": key}}).get("Item"), "the item is there")


@case("iot:CreateTopicRule dynamodb:GetItem")
def the_first_dynamodb_action_writes_key_and_payload(t):
    where, topic = table(t), fresh("topic")
    rule(t, f"SELECT * FROM '{topic}/+'", {"dynamoDB": {
        "tableName": where, "roleArn": ROLE, "hashKeyField": "k", "hashKeyValue": "${topic(2)}", "payloadField": "data"}})
    say(t, f"{topic}/lamp", lumen=800)
    seen = item(t, where, "lamp")
    equal((seen["k"], seen["data"]), ({"S": "lamp"}, {"M": {"lumen": {"N": "800"}}}))


@case("iot:CreateTopicRule")
def an_action_that_the_twin_lacks_is_refused_with_the_rule(t):
    action = {"sns": {"targetArn": f"arn:aws:sns:{PRIMARY}:{ACCOUNT}:any", "roleArn": ROLE}}
    name = rule_name()
    own = {"ruleName": name, "topicRulePayload": {"sql": "SELECT * FROM 'a'", "actions": [action]}}
    refused("InvalidRequestException", t.boto("iot").create_topic_rule, **own, status=400)
    assert name not in [x["ruleName"] for x in t.boto("iot").list_topic_rules()["rules"]]


@case("iot:CreateTopicRule dynamodb:GetItem")
def a_rule_republishes_for_another(t):
    where, topic, other = table(t), fresh("topic"), fresh("other")
    rule(t, f"SELECT * FROM '{topic}'", {"republish": {"roleArn": ROLE, "topic": f"{other}/${{topic()}}", "qos": 1}})
    t.boto("iot").create_topic_rule(ruleName=rule_name(), topicRulePayload=payload(
        where, f"SELECT topic(2) AS k FROM '{other}/+'"))
    say(t, topic)
    item(t, where, topic)


@case("iot:CreateTopicRule dynamodb:GetItem")
def a_rule_calls_a_function(t):
    where, topic = table(t), fresh("topic")
    code = CONSUMER.replace('for record in event["Records"]:', "for record in [event]:").replace(
        'record["dynamodb"]["Keys"]["k"]["S"]', 'record["k"]')
    name = function(t, package(bootstrap=code), Environment={"Variables": {"OUT": where}})
    rule(t, f"SELECT *, topic() AS t FROM '{topic}'",
         {"lambda": {"functionArn": f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:{name}"}})
    say(t, topic, k="lamp")
    equal(json.loads(item(t, where, "lamp")["v"]["S"]), {"k": "lamp", "t": topic})


@case("iot:CreateTopicRule dynamodb:GetItem")
def an_action_that_fails_goes_to_the_error_action(t):
    where, topic = table(t), fresh("topic")
    other = fresh("errors")
    rule(t, f"SELECT * FROM '{topic}'", {"dynamoDBv2": {"roleArn": ROLE, "putItem": {"tableName": fresh("none")}}},
         errorAction={"republish": {"roleArn": ROLE, "topic": other, "qos": 1}})
    t.boto("iot").create_topic_rule(ruleName=rule_name(), topicRulePayload=payload(
        where, f"SELECT get(get(failures, 0), 'failedAction') AS k, ruleName, base64OriginalPayload FROM '{other}'"))
    say(t, topic, lumen=1)
    seen = item(t, where, "DynamoDBv2Action")
    import base64

    equal(json.loads(base64.b64decode(seen["base64OriginalPayload"]["S"])), {"lumen": 1})


@case("iot:CreateTopicRule dynamodb:GetItem")
def sql_selects_nested_values_and_cases(t):
    where, topic = table(t), fresh("topic")
    t.boto("iot").create_topic_rule(ruleName=rule_name(), topicRulePayload=payload(where, (
        "SELECT topic(2) AS k, a.b AS nested, get(list, 1) AS second, "
        "CASE a.b WHEN 1 THEN 'one' ELSE 'other' END AS word, "
        f"encode(*, 'base64') AS raw, length(name) AS size FROM '{topic}/+' WHERE get(list, 0) = 5")))
    say(t, f"{topic}/x", a={"b": 1}, list=[5, 6], name="lamp")
    seen = item(t, where, "x")
    equal({key: seen[key] for key in ("nested", "second", "word", "size")},
          {"nested": {"N": "1"}, "second": {"N": "6"}, "word": {"S": "one"}, "size": {"N": "4"}})
