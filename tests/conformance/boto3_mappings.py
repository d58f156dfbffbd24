"""Event source mappings, by boto3: a stream's records reach a function."""

import json
import sys

from boto3_dynamodb import n, s, table
from boto3_lambda import ECHO, function, package
from boto3_streams import streamed
from case import ACCOUNT, PRIMARY, case, equal, eventually, fresh, refused

CLIENT = "boto3"

#: Writes each batch's keys into a table, by the bare API.
CONSUMER = f"""#!{sys.executable}
import http.client, json, os, urllib.request
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def put(key, value):
    body = json.dumps({{"TableName": os.environ["OUT"], "Item": {{"k": {{"S": key}}, "v": {{"S": value}}}}}}).encode()
    scope = "AWS4-HMAC-SHA256 Credential=x/20260101/%s/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, {{"X-Amz-Target": "DynamoDB_20120810.PutItem",
        "Content-Type": "application/x-amz-json-1.0", "Authorization": scope % os.environ["AWS_REGION"]}})
    urllib.request.urlopen(request).read()
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse(); event = json.loads(answer.read()); own = answer.getheader("Lambda-Runtime-Aws-Request-Id")
    for record in event["Records"]:
        put(record["dynamodb"]["Keys"]["k"]["S"], json.dumps(record))
    api.request("POST", "/2018-06-01/runtime/invocation/%s/response" % own, "{{}}"); api.getresponse().read()
"""


def mapping(t, name, arn, **more):
    made = t.boto("lambda").create_event_source_mapping(FunctionName=name, EventSourceArn=arn, BatchSize=10,
                                                        StartingPosition="TRIM_HORIZON", **more)
    return made["UUID"]


@case("lambda:CreateEventSourceMapping dynamodb:PutItem dynamodb:GetItem")
def records_of_a_stream_reach_the_function(t):
    source, arn = streamed(t)
    out = table(t)
    name = function(t, package(bootstrap=CONSUMER), Environment={"Variables": {"OUT": out}})
    mapping(t, name, arn)
    ddb = t.boto("dynamodb")
    ddb.put_item(TableName=source, Item={"k": s("a"), "v": n(7)})
    item = eventually(lambda: ddb.get_item(TableName=out, Key={"k": s("a")}).get("Item"), "the function wrote")
    record = json.loads(item["v"]["S"])
    equal((record["eventName"], record["eventSource"], record["eventSourceARN"]), ("INSERT", "aws:dynamodb", arn))
    equal(record["dynamodb"]["NewImage"], {"k": s("a"), "v": n(7)})
    equal(record["awsRegion"], PRIMARY)
    assert record["dynamodb"]["SequenceNumber"].isdigit()


@case("lambda:CreateEventSourceMapping lambda:GetEventSourceMapping lambda:ListEventSourceMappings "
      "lambda:UpdateEventSourceMapping lambda:DeleteEventSourceMapping", peers=True)
def a_mapping_is_described_switched_and_deleted(t):
    api, name, (_, arn) = t.boto("lambda"), function(t), streamed(t)
    made = api.create_event_source_mapping(
        FunctionName=name, EventSourceArn=arn, StartingPosition="LATEST", BatchSize=5, MaximumRetryAttempts=2,
        MaximumBatchingWindowInSeconds=1, FunctionResponseTypes=["ReportBatchItemFailures"])
    equal(made["ResponseMetadata"]["HTTPStatusCode"], 202)
    uuid = made["UUID"]
    eventually(lambda: api.get_event_source_mapping(UUID=uuid)["State"] == "Enabled", "it is enabled")
    seen = api.get_event_source_mapping(UUID=uuid)
    equal(seen["FunctionArn"], f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:{name}")
    equal((seen["BatchSize"], seen["MaximumRetryAttempts"], seen["StartingPosition"]), (5, 2, "LATEST"))
    equal(seen["FunctionResponseTypes"], ["ReportBatchItemFailures"])
    listed = api.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    equal([x["UUID"] for x in listed], [uuid])
    api.update_event_source_mapping(UUID=uuid, Enabled=False, BatchSize=7)
    eventually(lambda: api.get_event_source_mapping(UUID=uuid)["State"] == "Disabled", "it is disabled")
    equal(api.get_event_source_mapping(UUID=uuid)["BatchSize"], 7)
    api.delete_event_source_mapping(UUID=uuid)
    eventually(lambda: not api.list_event_source_mappings(FunctionName=name)["EventSourceMappings"], "it is gone")


@case("lambda:CreateEventSourceMapping lambda:GetEventSourceMapping", peers=True)
def absent_functions_and_streams_are_refused(t):
    api, (_, arn) = t.boto("lambda"), streamed(t)
    refused("ResourceNotFoundException", api.create_event_source_mapping, FunctionName=fresh("none"), EventSourceArn=arn,
            StartingPosition="LATEST", status=404)
    refused("ResourceNotFoundException", api.get_event_source_mapping, UUID="00000000-0000-4000-8000-000000000000", status=404)


@case("lambda:CreateEventSourceMapping", peers=True)
def a_stream_needs_a_starting_position(t):
    refused("InvalidParameterValueException", t.boto("lambda").create_event_source_mapping, FunctionName=function(t),
            EventSourceArn=streamed(t)[1], status=400)


@case("lambda:CreateEventSourceMapping", peers=True)
def a_mapping_is_made_once(t):
    api, name, (_, arn) = t.boto("lambda"), function(t), streamed(t)
    uuid = mapping(t, name, arn)
    refused("ResourceConflictException", api.create_event_source_mapping, FunctionName=name, EventSourceArn=arn,
            StartingPosition="LATEST", status=409)
    api.delete_event_source_mapping(UUID=uuid)


@case("lambda:CreateEventSourceMapping sqs:ReceiveMessage")
def records_that_fail_are_told_to_the_queue(t):
    sqs, (source, arn) = t.boto("sqs"), streamed(t)
    queue = sqs.create_queue(QueueName=fresh("failed"))["QueueUrl"]
    to = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    fails = ECHO.replace('do = event.get("do") if isinstance(event, dict) else None', 'do = "fail"')
    name = function(t, package(bootstrap=fails))
    mapping(t, name, arn, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": to}})
    t.boto("dynamodb").put_item(TableName=source, Item={"k": s("a")})
    found = eventually(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), "the record")
    record = json.loads(found[0]["Body"])
    equal(record["requestContext"]["condition"], "RetryAttemptsExhausted")
    equal((record["DDBStreamBatchInfo"]["batchSize"], record["DDBStreamBatchInfo"]["streamArn"]), (1, arn))


@case("lambda:CreateEventSourceMapping")
def a_filter_lets_through_what_matches(t):
    source, arn = streamed(t)
    out, ddb = table(t), t.boto("dynamodb")
    name = function(t, package(bootstrap=CONSUMER), Environment={"Variables": {"OUT": out}})
    pattern = json.dumps({"eventName": ["INSERT"], "dynamodb": {"NewImage": {"v": {"N": ["2"]}}}})
    mapping(t, name, arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    ddb.put_item(TableName=source, Item={"k": s("one"), "v": n(1)})
    ddb.put_item(TableName=source, Item={"k": s("two"), "v": n(2)})
    eventually(lambda: ddb.get_item(TableName=out, Key={"k": s("two")}).get("Item"), "the function wrote")
    assert "Item" not in ddb.get_item(TableName=out, Key={"k": s("one")})
