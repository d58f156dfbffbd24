"""Topic rules, by boto3: their states, and that one writes an item."""

import json

from boto3_dynamodb import table
from case import ACCOUNT, PRIMARY, ROLE, case, equal, eventually, fresh, refused

CLIENT = "boto3"


def payload(table_name, sql, **more):
    action = {"dynamoDBv2": {"roleArn": ROLE, "putItem": {"tableName": table_name}}}
    return {"sql": sql, "actions": [action], "awsIotSqlVersion": "2016-03-23", **more}


def rule_name():
    return fresh("rule").replace("-", "_")


@case("iot:CreateTopicRule iot:GetTopicRule", peers=True)
def a_rule_is_read_back(t):
    iot, name = t.boto("iot"), rule_name()
    wanted = payload("any", "SELECT * FROM 'dt/#'", description="to the table")
    iot.create_topic_rule(ruleName=name, topicRulePayload=wanted)
    seen = iot.get_topic_rule(ruleName=name)
    equal(seen["ruleArn"], f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:rule/{name}")
    equal(seen["rule"]["sql"], wanted["sql"])
    equal(seen["rule"]["actions"], wanted["actions"])
    equal((seen["rule"]["ruleDisabled"], seen["rule"]["description"]), (False, "to the table"))
    assert seen["rule"]["createdAt"].year >= 2024


@case("iot:CreateTopicRule", peers=True)
def a_rule_is_made_once(t):
    iot, name, wanted = t.boto("iot"), rule_name(), payload("any", "SELECT * FROM 'dt/#'")
    iot.create_topic_rule(ruleName=name, topicRulePayload=wanted)
    refused("ResourceAlreadyExistsException", iot.create_topic_rule, ruleName=name, topicRulePayload=wanted, status=409)


@case("iot:CreateTopicRule", peers=True)
def sql_that_does_not_parse_is_refused(t):
    refused("SqlParseException", t.boto("iot").create_topic_rule, ruleName=rule_name(),
            topicRulePayload=payload("any", "SELEKT *"), status=400)


@case("iot:DisableTopicRule iot:EnableTopicRule iot:ListTopicRules", peers=True)
def a_rule_is_switched_and_listed(t):
    iot, name = t.boto("iot"), rule_name()
    topic = f"dt/{name}"
    iot.create_topic_rule(ruleName=name, topicRulePayload=payload("any", f"SELECT * FROM '{topic}'"))
    iot.disable_topic_rule(ruleName=name)
    listed = iot.list_topic_rules(topic=topic, ruleDisabled=True)["rules"]
    equal([(x["ruleName"], x["ruleDisabled"], x["topicPattern"]) for x in listed], [(name, True, topic)])
    iot.enable_topic_rule(ruleName=name)
    equal(iot.list_topic_rules(topic=topic, ruleDisabled=True)["rules"], [])


@case("iot:ReplaceTopicRule iot:DeleteTopicRule iot:GetTopicRule", peers=True)
def a_rule_is_replaced_and_deleted(t):
    iot, name = t.boto("iot"), rule_name()
    iot.create_topic_rule(ruleName=name, topicRulePayload=payload("any", "SELECT * FROM 'dt/#'"))
    iot.replace_topic_rule(ruleName=name, topicRulePayload=payload("any", "SELECT a FROM 'x/#'"))
    equal(iot.get_topic_rule(ruleName=name)["rule"]["sql"], "SELECT a FROM 'x/#'")
    iot.delete_topic_rule(ruleName=name)
    # IoT answers an absent rule with UnauthorizedException (the model has no ResourceNotFoundException here).
    refused("UnauthorizedException", iot.get_topic_rule, ruleName=name, status=401)


@case("iot:CreateTopicRule iot-data:Publish dynamodb:GetItem", peers=True)
def a_publish_goes_through_a_rule_into_a_table(t):
    iot, name = t.boto("iot"), rule_name()
    where = table(t)
    iot.create_topic_rule(ruleName=name, topicRulePayload=payload(
        where, f"SELECT topic(2) AS k, lumen, lumen > 500 AS bright FROM '{name}/+' WHERE lumen > 10"))
    data = t.boto("iot-data")
    data.publish(topic=f"{name}/dark", qos=1, payload=json.dumps({"lumen": 1}))
    data.publish(topic=f"{name}/lamp", qos=1, payload=json.dumps({"lumen": 800}))
    ddb = t.boto("dynamodb")
    item = eventually(lambda: ddb.get_item(TableName=where, Key={"k": {"S": "lamp"}}).get("Item"), "the item is there")
    equal(item, {"k": {"S": "lamp"}, "lumen": {"N": "800"}, "bright": {"BOOL": True}})
    assert "Item" not in ddb.get_item(TableName=where, Key={"k": {"S": "dark"}}), "WHERE did not hold"
