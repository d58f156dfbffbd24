"""A function in Python with AWS's own runtime client, as a consumer of a DynamoDB stream: it writes into another table with
boto3, which finds the twin by the environment that Lambda gives it."""

import json
import sys

import device
from boto3_dynamodb import s, table
from boto3_lambda import call, function, package
from boto3_streams import streamed
from case import SECONDARY, WAIT_S, case, equal, eventually

CLIENT = "awslambdaric"

BOOTSTRAP = """#!/bin/sh
export PYTHONPATH="$LAMBDA_TASK_ROOT:{packages}"
exec {python} -m awslambdaric main.handler
"""
COPY = """
import os, boto3
out = boto3.resource("dynamodb").Table(os.environ["OUT"])
def handler(event, context):
    failed = []
    for record in event["Records"]:
        key = record["dynamodb"]["Keys"]["k"]["S"]
        tries = out.update_item(Key={"k": key}, UpdateExpression="ADD tries :one SET #r = :r", ReturnValues="ALL_NEW",
                                ExpressionAttributeNames={"#r": "request"},
                                ExpressionAttributeValues={":one": 1, ":r": context.aws_request_id})["Attributes"]["tries"]
        if key.startswith("twice") and tries < 2:
            # A partial batch response: what was before this record is done, this one and the rest come again.
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}
"""
SHOW = """
import boto3
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    return {"arn": context.invoked_function_arn, "name": context.function_name, "left": context.get_remaining_time_in_millis(),
            "memory": context.memory_limit_in_mb, "account": boto3.client("sts").get_caller_identity()["Account"]}
"""


def made(t, code, **more):
    # PYTHONPATH of the test's own environment: the package of a real function would bring these along.
    bootstrap = BOOTSTRAP.format(python=sys.executable, packages=device.site_packages())
    return function(t, package(bootstrap=bootstrap, main__py=code), Timeout=20, **more)


@case("lambda:CreateFunction lambda:Invoke")
def a_handler_has_its_context(t):
    name = made(t, SHOW)
    answer, body = call(t, name, {})
    assert "FunctionError" not in answer, body
    equal((body["name"], body["memory"], body["account"]), (name, "128", "123456789012"))
    assert body["arn"].endswith(name) and 0 < body["left"] <= 20_000, body


@case("lambda:Invoke")
def an_exception_has_its_type_and_trace(t):
    answer, body = call(t, made(t, SHOW), {"fail": True})
    equal((answer["FunctionError"], body["errorType"], body["errorMessage"]), ("Unhandled", "ValueError", "as asked"))
    assert body["stackTrace"], body


@case("lambda:CreateEventSourceMapping dynamodb:GetItem")
def a_stream_is_consumed_into_another_table(t):
    ddb, (source, arn), out = t.boto("dynamodb"), streamed(t), table(t)
    name = made(t, COPY, Environment={"Variables": {"OUT": out}})
    t.boto("lambda").create_event_source_mapping(FunctionName=name, EventSourceArn=arn, StartingPosition="TRIM_HORIZON",
                                                 FunctionResponseTypes=["ReportBatchItemFailures"])
    for index in range(10):
        ddb.put_item(TableName=source, Item={"k": s(f"item-{index}")})

    def all_there():
        return ddb.scan(TableName=out, Select="COUNT")["Count"] == 10

    eventually(all_there, "all ten are copied", WAIT_S * 1.5)


@case("lambda:CreateEventSourceMapping dynamodb:GetItem")
def a_partial_batch_response_brings_the_rest_again(t):
    ddb, (source, arn), out = t.boto("dynamodb"), streamed(t), table(t)
    # Before the mapping: all are in the first batches.
    for key in ("once", "twice", "after"):
        ddb.put_item(TableName=source, Item={"k": s(key)})
    name = made(t, COPY, Environment={"Variables": {"OUT": out}})
    t.boto("lambda").create_event_source_mapping(FunctionName=name, EventSourceArn=arn, StartingPosition="TRIM_HORIZON",
                                                 FunctionResponseTypes=["ReportBatchItemFailures"])

    def tries():
        items = ddb.scan(TableName=out)["Items"]
        seen = {x["k"]["S"]: int(x["tries"]["N"]) for x in items}
        return seen if len(seen) == 3 and seen["twice"] >= 2 else None

    equal(eventually(tries, "the failed one came again", WAIT_S * 1.5), {"once": 1, "twice": 2, "after": 1})


@case("lambda:CreateFunction dynamodb:PutItem")
def a_function_of_the_secondary_talks_to_the_secondary(t):
    code = """
import boto3
def handler(event, context):
    return boto3.client("dynamodb").list_tables()["TableNames"]
"""
    far = table(t, SECONDARY)
    bootstrap = BOOTSTRAP.format(python=sys.executable, packages=device.site_packages())
    api, name = t.boto("lambda", SECONDARY), far.replace("table", "function")
    api.create_function(FunctionName=name, Role="arn:aws:iam::123456789012:role/any", Runtime="provided.al2023", Timeout=20,
                        Handler="main.handler", Code={"ZipFile": package(bootstrap=bootstrap, main__py=code)})
    api.get_waiter("function_active_v2").wait(FunctionName=name)
    listed = json.loads(api.invoke(FunctionName=name)["Payload"].read())
    assert far in listed, listed
