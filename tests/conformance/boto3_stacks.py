"""CloudFormation, and EventBridge into queues, by boto3."""

import json

from boto3_dynamodb import table
from boto3_storage import queue
from case import ACCOUNT, PRIMARY, ROLE, case, equal, eventually, fresh, refused

CLIENT = "boto3"
FAST = {"Delay": 1, "MaxAttempts": 30}

TEMPLATE = {
    "Description": "a table, a rule into it, and a machine",
    "Parameters": {"Topic": {"Type": "String"}, "Enabled": {"Type": "String", "Default": "yes"}},
    "Conditions": {"Wanted": {"Fn::Equals": [{"Ref": "Enabled"}, "yes"]}},
    "Resources": {
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {
            "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}]}},
        "Rule": {"Type": "AWS::IoT::TopicRule", "Condition": "Wanted", "Properties": {"TopicRulePayload": {
            "Sql": {"Fn::Sub": "SELECT topic(2) AS k, * FROM '${Topic}/+'"},
            "Actions": [{"DynamoDBv2": {"RoleArn": ROLE, "PutItem": {"TableName": {"Ref": "Table"}}}}]}}}},
    "Outputs": {"Table": {"Value": {"Ref": "Table"}}, "Arn": {"Value": {"Fn::GetAtt": ["Table", "Arn"]}}},
}


def stack(t, template=TEMPLATE, **parameters):
    name = fresh("stack")
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    t.boto("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template), Parameters=given,
                                          Capabilities=["CAPABILITY_IAM"])
    t.boto("cloudformation").get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    return name


def outputs(t, name):
    described = t.boto("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {x["OutputKey"]: x["OutputValue"] for x in described["Outputs"]}


@case("cloudformation:CreateStack cloudformation:DescribeStacks cloudformation:DeleteStack", peers=True)
def a_stack_is_made_used_and_deleted(t):
    stacks, ddb, topic = t.boto("cloudformation"), t.boto("dynamodb"), fresh("topic")
    name = stack(t, Topic=topic)
    where = outputs(t, name)
    equal(where["Arn"], f"arn:aws:dynamodb:{PRIMARY}:{ACCOUNT}:table/{where['Table']}")
    described = stacks.describe_stacks(StackName=name)["Stacks"][0]
    equal((described["StackStatus"], described["Description"]), ("CREATE_COMPLETE", TEMPLATE["Description"]))
    t.boto("iot-data").publish(topic=f"{topic}/a", qos=1, payload=b'{"v": 1}')
    eventually(lambda: ddb.get_item(TableName=where["Table"], Key={"k": {"S": "a"}}).get("Item"), "the rule wrote")
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=FAST)
    refused("ResourceNotFoundException", ddb.describe_table, TableName=where["Table"])
    refused("ValidationError", stacks.describe_stacks, StackName=name, status=400)


@case("cloudformation:DescribeStackResources cloudformation:DescribeStackEvents cloudformation:ListStacks "
      "cloudformation:GetTemplate", peers=True)
def a_stack_tells_its_resources_and_events(t):
    stacks, name = t.boto("cloudformation"), stack(t, Topic="x", Enabled="no")
    resources = stacks.describe_stack_resources(StackName=name)["StackResources"]
    equal([(x["LogicalResourceId"], x["ResourceStatus"]) for x in resources], [("Table", "CREATE_COMPLETE")],
          "the rule's condition does not hold")
    events = [(x["LogicalResourceId"], x["ResourceStatus"]) for x in stacks.describe_stack_events(StackName=name)["StackEvents"]]
    equal((events[0], events[-1]), ((name, "CREATE_COMPLETE"), (name, "CREATE_IN_PROGRESS")))
    assert name in [x["StackName"] for x in stacks.list_stacks(StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]]
    body = stacks.get_template(StackName=name)["TemplateBody"]
    equal(json.loads(body) if isinstance(body, str) else body, TEMPLATE)


@case("cloudformation:UpdateStack", peers=True)
def a_stack_is_updated(t):
    stacks, name = t.boto("cloudformation"), stack(t, Topic="x", Enabled="no")
    same = [{"ParameterKey": "Topic", "UsePreviousValue": True}, {"ParameterKey": "Enabled", "ParameterValue": "yes"}]
    stacks.update_stack(StackName=name, UsePreviousTemplate=True, Parameters=same)
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    resources = stacks.describe_stack_resources(StackName=name)["StackResources"]
    equal(sorted(x["LogicalResourceId"] for x in resources), ["Rule", "Table"])
    refused("ValidationError", stacks.update_stack, StackName=name, UsePreviousTemplate=True, Parameters=[
        {"ParameterKey": key, "UsePreviousValue": True} for key in ("Topic", "Enabled")])


@case("cloudformation:CreateStack", peers=True)
def wrong_templates_and_names_are_refused(t):
    stacks = t.boto("cloudformation")
    refused("ValidationError", stacks.create_stack, StackName=fresh("stack"), TemplateBody="{", status=400)
    refused("ValidationError", stacks.create_stack, StackName=fresh("stack"), TemplateBody=json.dumps(TEMPLATE), status=400)
    name = stack(t, Topic="x", Enabled="no")
    refused("AlreadyExistsException", stacks.create_stack, StackName=name, TemplateBody=json.dumps(TEMPLATE), status=400,
            Parameters=[{"ParameterKey": "Topic", "ParameterValue": "x"}])


@case("cloudformation:CreateStack", peers=True)
def a_stack_that_fails_is_rolled_back(t):
    stacks, name, taken = t.boto("cloudformation"), fresh("stack"), table(t)
    template = {"Resources": {
        "First": TEMPLATE["Resources"]["Table"],
        "Taken": {"Type": "AWS::DynamoDB::Table", "DependsOn": "First", "Properties": {
            **TEMPLATE["Resources"]["Table"]["Properties"], "TableName": taken}}}}
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))

    def ended():
        status = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return status if not status.endswith("IN_PROGRESS") else None

    equal(eventually(ended, "the stack ends"), "ROLLBACK_COMPLETE")
    t.boto("dynamodb").describe_table(TableName=taken)


@case("cloudformation:DescribeStackResource cloudformation:ListStackResources cloudformation:ValidateTemplate "
      "cloudformation:GetTemplateSummary cloudformation:UpdateTerminationProtection")
def a_template_is_validated_and_a_stack_protected(t):
    stacks, body = t.boto("cloudformation"), json.dumps(TEMPLATE)
    equal(sorted(x["ParameterKey"] for x in stacks.validate_template(TemplateBody=body)["Parameters"]), ["Enabled", "Topic"])
    equal(sorted(stacks.get_template_summary(TemplateBody=body)["ResourceTypes"]),
          ["AWS::DynamoDB::Table", "AWS::IoT::TopicRule"])
    name = stack(t, Topic="x", Enabled="no")
    one = stacks.describe_stack_resource(StackName=name, LogicalResourceId="Table")["StackResourceDetail"]
    equal(one["PhysicalResourceId"], outputs(t, name)["Table"])
    equal([x["LogicalResourceId"] for x in stacks.list_stack_resources(StackName=name)["StackResourceSummaries"]], ["Table"])
    stacks.update_termination_protection(StackName=name, EnableTerminationProtection=True)
    refused("ValidationError", stacks.delete_stack, StackName=name, status=400)


@case("cloudformation:ListExports cloudformation:ListImports")
def what_a_stack_exports_another_imports(t):
    stacks, export = t.boto("cloudformation"), fresh("export")
    template = {**TEMPLATE, "Outputs": {"Table": {"Value": {"Ref": "Table"}, "Export": {"Name": export}}}}
    name = stack(t, template, Topic="x", Enabled="no")
    importer = {"Resources": {"Rule": {"Type": "AWS::IoT::TopicRule", "Properties": {"TopicRulePayload": {
        "Sql": "SELECT * FROM 'x'", "Actions": [{"DynamoDBv2": {
            "RoleArn": ROLE, "PutItem": {"TableName": {"Fn::ImportValue": export}}}}]}}}}}
    user = stack(t, importer)
    assert export in [x["Name"] for x in stacks.list_exports()["Exports"]]
    equal(stacks.list_imports(ExportName=export)["Imports"], [user])
    stacks.delete_stack(StackName=name)

    def kept():
        status = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return status in ("CREATE_COMPLETE", "DELETE_FAILED")

    eventually(kept, "an export in use keeps the stack")


@case("cloudformation:CreateChangeSet cloudformation:DescribeChangeSet cloudformation:ExecuteChangeSet "
      "cloudformation:ListChangeSets cloudformation:DeleteChangeSet")
def a_change_set_is_looked_at_and_executed(t):
    stacks, name = t.boto("cloudformation"), stack(t, Topic="x", Enabled="no")
    given = [{"ParameterKey": "Topic", "UsePreviousValue": True}, {"ParameterKey": "Enabled", "ParameterValue": "yes"}]
    for own in ("one", "two"):
        stacks.create_change_set(StackName=name, ChangeSetName=own, UsePreviousTemplate=True, Parameters=given)
        stacks.get_waiter("change_set_create_complete").wait(StackName=name, ChangeSetName=own, WaiterConfig=FAST)
    seen = stacks.describe_change_set(StackName=name, ChangeSetName="one")
    equal([(x["ResourceChange"]["Action"], x["ResourceChange"]["LogicalResourceId"]) for x in seen["Changes"]], [("Add", "Rule")])
    equal(sorted(x["ChangeSetName"] for x in stacks.list_change_sets(StackName=name)["Summaries"]), ["one", "two"])
    stacks.delete_change_set(StackName=name, ChangeSetName="two")
    stacks.execute_change_set(StackName=name, ChangeSetName="one")
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    equal(len(stacks.describe_stack_resources(StackName=name)["StackResources"]), 2)


@case("events:PutRule events:PutTargets events:PutEvents sqs:ReceiveMessage", peers=True)
def an_event_goes_by_its_pattern_to_a_queue(t):
    events, sqs, (url, arn) = t.boto("events"), t.boto("sqs"), queue(t)
    name, source = fresh("rule"), fresh("source")
    made = events.put_rule(Name=name, EventPattern=json.dumps({"source": [source], "detail": {"kind": ["lamp"]}}))
    equal(made["RuleArn"], f"arn:aws:events:{PRIMARY}:{ACCOUNT}:rule/{name}")
    equal(events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])["FailedEntryCount"], 0)
    equal([x["State"] for x in events.list_rules(NamePrefix=name)["Rules"]], ["ENABLED"])
    equal([x["Arn"] for x in events.list_targets_by_rule(Rule=name)["Targets"]], [arn])
    entries = [{"Source": source, "DetailType": "t", "Detail": json.dumps({"kind": kind})} for kind in ("door", "lamp")]
    sent = events.put_events(Entries=entries)
    equal((sent["FailedEntryCount"], len(sent["Entries"])), (0, 2))
    found = eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), "the event")
    event = json.loads(found[0]["Body"])
    equal((event["source"], event["detail"], event["account"], event["region"]), (source, {"kind": "lamp"}, ACCOUNT, PRIMARY))
    equal(event["id"], sent["Entries"][1]["EventId"])
    refused("ValidationException", events.delete_rule, Name=name, status=400)
    events.remove_targets(Rule=name, Ids=["1"])
    events.delete_rule(Name=name)
    refused("ResourceNotFoundException", events.describe_rule, Name=name, status=400)


@case("events:PutRule", peers=True)
def wrong_rules_are_refused(t):
    events = t.boto("events")
    refused("InvalidEventPatternException", events.put_rule, Name=fresh("rule"), EventPattern="{", status=400)
    refused("ValidationException", events.put_rule, Name=fresh("rule"), ScheduleExpression="rate(5 lightyears)", status=400)
    refused("ResourceNotFoundException", events.put_targets, Rule=fresh("none"), status=400,
            Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:{PRIMARY}:{ACCOUNT}:x"}])
