"""EventBridge and its scheduler, by boto3: rules, patterns, schedules; targets are functions that write items."""

import datetime
import json

from boto3_dynamodb import table
from boto3_lambda import function, package
from boto3_mappings import CONSUMER
from case import ACCOUNT, PRIMARY, ROLE, case, equal, eventually, fresh, refused

CLIENT = "boto3"
#: Writes the whole event under the key that the event's detail names.
WRITER = CONSUMER.replace('for record in event["Records"]:', "for record in [event]:").replace(
    'record["dynamodb"]["Keys"]["k"]["S"]', '(record.get("detail") or record)["key"]')


def writer(t):
    """A function's ARN and the table it writes into; several cases share it, each under its own keys."""

    def make(t):
        out = table(t)
        name = function(t, package(bootstrap=WRITER), Environment={"Variables": {"OUT": out}})
        return f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:{name}", out

    return t.once("writer", make)


def written(t, out, key):
    ddb = t.boto("dynamodb")
    item = eventually(lambda: ddb.get_item(TableName=out, Key={"k": {"S": key}}).get("Item"), f"{key} was written")
    return json.loads(item["v"]["S"])


@case("events:PutRule events:PutTargets events:PutEvents dynamodb:GetItem")
def an_event_goes_to_a_function(t):
    events, (arn, out), source, key = t.boto("events"), writer(t), fresh("source"), fresh("key")
    name = fresh("rule")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [source], "detail": {"n": [{"numeric": [">", 5]}]}}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    entries = [{"Source": source, "DetailType": "t", "Resources": ["r"],
                "Detail": json.dumps({"key": f"{key}-{n}", "n": n})} for n in (1, 9)]
    sent = events.put_events(Entries=entries)
    seen = written(t, out, f"{key}-9")
    equal((seen["id"], seen["source"], seen["detail-type"], seen["resources"]), (sent["Entries"][1]["EventId"], source, "t", ["r"]))
    equal((seen["version"], seen["account"], seen["region"]), ("0", ACCOUNT, PRIMARY))
    assert "Item" not in t.boto("dynamodb").get_item(TableName=out, Key={"k": {"S": f"{key}-1"}})


@case("events:PutTargets events:PutEvents")
def an_input_is_transformed(t):
    events, (arn, out), source, key = t.boto("events"), writer(t), fresh("source"), fresh("key")
    name = fresh("rule")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn, "InputTransformer": {
        "InputPathsMap": {"k": "$.detail.key", "s": "$.source"}, "InputTemplate": '{"key": <k>, "from": "it is <s>"}'}}])
    events.put_events(Entries=[{"Source": source, "DetailType": "t", "Detail": json.dumps({"key": key})}])
    equal(written(t, out, key), {"key": key, "from": f"it is {source}"})


@case("events:DescribeRule events:DisableRule events:EnableRule events:ListRules events:DeleteRule "
      "events:ListRuleNamesByTarget events:ListTargetsByRule events:RemoveTargets", peers=True)
def a_rule_is_described_switched_and_deleted(t):
    events, name = t.boto("events"), fresh("rule")
    arn = f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:{fresh('function')}"
    made = events.put_rule(Name=name, ScheduleExpression="rate(5 minutes)", Description="mine")["RuleArn"]
    seen = events.describe_rule(Name=name)
    equal((seen["Arn"], seen["State"], seen["ScheduleExpression"], seen["EventBusName"]),
          (made, "ENABLED", "rate(5 minutes)", "default"))
    events.disable_rule(Name=name)
    equal(events.describe_rule(Name=name)["State"], "DISABLED")
    events.enable_rule(Name=name)
    equal([x["State"] for x in events.list_rules(NamePrefix=name)["Rules"]], ["ENABLED"])
    events.disable_rule(Name=name)
    equal(events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])["FailedEntryCount"], 0)
    equal(events.list_rule_names_by_target(TargetArn=arn)["RuleNames"], [name])
    equal([x["Id"] for x in events.list_targets_by_rule(Rule=name)["Targets"]], ["1"])
    refused("ValidationException", events.delete_rule, Name=name, status=400)
    events.remove_targets(Rule=name, Ids=["1"])
    events.delete_rule(Name=name)
    refused("ResourceNotFoundException", events.describe_rule, Name=name, status=400)


@case("events:TagResource events:UntagResource events:ListTagsForResource", peers=True)
def a_rule_has_tags(t):
    events = t.boto("events")
    arn = events.put_rule(Name=fresh("rule"), EventPattern='{"source":["x"]}', Tags=[{"Key": "a", "Value": "1"}])["RuleArn"]
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    events.untag_resource(ResourceARN=arn, TagKeys=["a"])
    equal(events.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "b", "Value": "2"}])


@case("events:DescribeEventBus events:ListEventBuses", peers=True)
def there_is_the_default_bus(t):
    events = t.boto("events")
    equal(events.describe_event_bus()["Arn"], f"arn:aws:events:{PRIMARY}:{ACCOUNT}:event-bus/default")
    assert "default" in [x["Name"] for x in events.list_event_buses()["EventBuses"]]


@case("events:TestEventPattern")
def a_pattern_is_tested(t):
    event = {"id": "1", "account": ACCOUNT, "source": "x", "time": "2026-01-01T00:00:00Z", "region": PRIMARY,
             "resources": [], "detail-type": "t", "detail": {"name": "lamp-7", "n": 3}}
    for pattern, result in ((b'{"detail":{"name":[{"prefix":"lamp-"}]}}', True), (b'{"detail":{"n":[4]}}', False),
                            (b'{"detail":{"absent":[{"exists":false}]}}', True), (b'{"source":[{"anything-but":"x"}]}', False)):
        seen = t.boto("events").test_event_pattern(EventPattern=pattern.decode(), Event=json.dumps(event))
        equal(seen["Result"], result, pattern.decode())
    refused("InvalidEventPatternException", t.boto("events").test_event_pattern, EventPattern='{"source":"x"}',
            Event=json.dumps(event), status=400)


@case("events:PutRule iot:UpdateCertificate")
def a_call_of_iot_is_an_event(t):
    events, iot, (arn, out), name = t.boto("events"), t.boto("iot"), writer(t), fresh("rule")
    own = iot.create_keys_and_certificate()["certificateId"]
    events.put_rule(Name=name, EventPattern=json.dumps({
        "source": ["aws.iot"], "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventName": ["UpdateCertificate"], "requestParameters": {"certificateId": [own]}}}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn, "InputTransformer": {
        "InputPathsMap": {"k": "$.detail.requestParameters.certificateId", "s": "$.detail.requestParameters.newStatus"},
        "InputTemplate": '{"key": <k>, "status": <s>}'}}])
    iot.update_certificate(certificateId=own, newStatus="REVOKED")
    equal(written(t, out, own), {"key": own, "status": "REVOKED"})


@case("scheduler:CreateSchedule scheduler:GetSchedule scheduler:ListSchedules scheduler:UpdateSchedule "
      "scheduler:DeleteSchedule")
def a_schedule_is_made_changed_and_deleted(t):
    scheduler, name, (arn, _) = t.boto("scheduler"), fresh("schedule"), writer(t)
    wanted = {"Name": name, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": arn, "RoleArn": ROLE}}
    made = scheduler.create_schedule(**wanted, ScheduleExpression="rate(1 hour)", State="DISABLED")
    equal(made["ScheduleArn"], f"arn:aws:scheduler:{PRIMARY}:{ACCOUNT}:schedule/default/{name}")
    refused("ConflictException", scheduler.create_schedule, **wanted, ScheduleExpression="rate(1 hour)", status=409)
    scheduler.update_schedule(**wanted, ScheduleExpression="cron(0 3 * * ? *)", State="DISABLED")
    seen = scheduler.get_schedule(Name=name)
    equal((seen["ScheduleExpression"], seen["State"], seen["GroupName"]), ("cron(0 3 * * ? *)", "DISABLED", "default"))
    equal([x["Name"] for x in scheduler.list_schedules(NamePrefix=name)["Schedules"]], [name])
    scheduler.delete_schedule(Name=name)
    refused("ResourceNotFoundException", scheduler.get_schedule, Name=name, status=404)
    refused("ValidationException", scheduler.create_schedule, **wanted, ScheduleExpression="often", status=400)


@case("scheduler:CreateSchedule dynamodb:GetItem")
def a_schedule_calls_a_function_once(t):
    scheduler, (arn, out), key, name = t.boto("scheduler"), writer(t), fresh("key"), fresh("schedule")
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    scheduler.create_schedule(Name=name, ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})", ActionAfterCompletion="DELETE",
                              FlexibleTimeWindow={"Mode": "OFF"},
                              Target={"Arn": arn, "RoleArn": ROLE, "Input": json.dumps({"key": key})})
    equal(written(t, out, key), {"key": key})

    def gone():
        try:
            scheduler.get_schedule(Name=name)
        except scheduler.exceptions.ResourceNotFoundException:
            return True

    eventually(gone, "it is deleted after its last call")
