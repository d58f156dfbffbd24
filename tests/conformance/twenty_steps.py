#!/usr/bin/env python3
"""Twenty ordinary steps with AWS IoT, against `gameday twin`. Nothing here is ours but this script:

    pip install awscli boto3 awsiotsdk
    gameday twin --env twin.env &
    . ./twin.env && python3 tests/conformance/twenty_steps.py

On AWS it is the same calls; only the endpoint's address and port (step 6) and the root certificate are the twin's.
"""

import http.server
import io
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
import zipfile
from pathlib import Path

import boto3
from awscrt import mqtt, mqtt5
from awsiot import iotshadow, mqtt5_client_builder

HERE = Path(tempfile.mkdtemp(prefix="twenty-"))
RUN = uuid.uuid4().hex[:6]
LAMP = f"lamp-{RUN}"
ROLE = "arn:aws:iam::123456789012:role/any"
# All that boto3 and the AWS CLI need is in the environment: AWS_ENDPOINT_URL, a Region, any credentials.
session = boto3.session.Session(region_name="us-east-1")
iot, data, ddb = session.client("iot"), session.client("iot-data"), session.client("dynamodb")
known = {}


def aws(*arguments):
    """The AWS CLI; the answer is what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["aws", *arguments, "--output", "json"], capture_output=True, text=True, timeout=60, cwd=HERE,
                          env={**os.environ, "PATH": path})
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout or "null")


def until(look, seconds=30):
    """Asks again until there is an answer."""
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.1)


def who_am_i():
    """1. Ask who we are, with the AWS CLI."""
    return "account " + aws("sts", "get-caller-identity")["Account"]


def make_a_certificate():
    """2. Create keys and a certificate, into files."""
    made = aws("iot", "create-keys-and-certificate", "--set-as-active", "--certificate-pem-outfile", "cert.pem",
               "--private-key-outfile", "key.pem")
    known["certificate"] = made["certificateArn"]
    return made["certificateArn"]


def allow_it():
    """3. Create a policy and attach it to the certificate."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
    made = aws("iot", "create-policy", "--policy-name", f"all-{RUN}", "--policy-document", json.dumps(document))
    aws("iot", "attach-policy", "--policy-name", f"all-{RUN}", "--target", known["certificate"])
    return made["policyArn"]


def create_the_device():
    """4. Create the thing and attach its certificate, with boto3."""
    made = iot.create_thing(thingName=LAMP, attributePayload={"attributes": {"site": "berlin"}})
    iot.attach_thing_principal(thingName=LAMP, principal=known["certificate"])
    assert iot.list_thing_principals(thingName=LAMP)["principals"] == [known["certificate"]]
    return made["thingArn"]


def find_the_endpoint():
    """5. Ask for the Region's data endpoint."""
    endpoint = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    assert endpoint == os.environ["GAMEDAY_PRIMARY_HOST"]
    return endpoint


def connect():
    """6. Connect with the AWS IoT Device SDK v2, MQTT 5 over mutual TLS."""
    connected, known["inbox"] = queue.Queue(), queue.Queue()
    known["client"] = mqtt5_client_builder.mtls_from_path(
        endpoint=os.environ["GAMEDAY_PRIMARY_ADDRESS"], port=int(os.environ["GAMEDAY_PRIMARY_MQTT_PORT"]),
        cert_filepath=str(HERE / "cert.pem"), pri_key_filepath=str(HERE / "key.pem"),
        ca_filepath=os.environ["GAMEDAY_CA"], client_id=LAMP,
        on_publish_received=lambda event: known["inbox"].put(event.publish_packet),
        on_lifecycle_connection_success=connected.put, on_lifecycle_connection_failure=connected.put)
    known["client"].start()
    reason = connected.get(timeout=20).connack_packet.reason_code
    assert reason == mqtt5.ConnectReasonCode.SUCCESS, reason
    return f"{LAMP}: {reason.name}"


def talk():
    """7. Subscribe, publish, and receive what was published."""
    topic, level = f"dt/{LAMP}", mqtt5.QoS.AT_LEAST_ONCE
    known["client"].subscribe(mqtt5.SubscribePacket([mqtt5.Subscription(topic, level)])).result(20)
    known["client"].publish(mqtt5.PublishPacket(topic=topic, payload="hello", qos=level)).result(20)
    heard = known["inbox"].get(timeout=20)
    assert (heard.topic, heard.payload) == (topic, b"hello")
    return f"heard {heard.payload.decode()!r} on {heard.topic}"


def report_by_mqtt():
    """8. Report the device's state to its shadow over MQTT, with the SDK's shadow client."""
    answers, level = queue.Queue(), mqtt.QoS.AT_LEAST_ONCE
    known["shadow"] = shadow = iotshadow.IotShadowClient(known["client"])
    shadow.subscribe_to_update_shadow_accepted(
        iotshadow.UpdateShadowSubscriptionRequest(thing_name=LAMP), level, answers.put)[0].result(20)
    state = iotshadow.ShadowState(reported={"on": False, "lumen": 0})
    shadow.publish_update_shadow(iotshadow.UpdateShadowRequest(thing_name=LAMP, state=state), level).result(20)
    return f"version {answers.get(timeout=20).version} was accepted"


def wish_by_https():
    """9. Wish for another state over HTTPS; the device hears of the difference."""
    deltas = queue.Queue()
    known["shadow"].subscribe_to_shadow_delta_updated_events(
        iotshadow.ShadowDeltaUpdatedSubscriptionRequest(thing_name=LAMP), mqtt.QoS.AT_LEAST_ONCE,
        deltas.put)[0].result(20)
    data.update_thing_shadow(thingName=LAMP, payload=json.dumps({"state": {"desired": {"on": True}}}))
    delta = deltas.get(timeout=20).state
    assert delta == {"on": True}, delta
    document = json.loads(data.get_thing_shadow(thingName=LAMP)["payload"].read())
    assert document["state"]["reported"] == {"on": False, "lumen": 0}, document
    return f"delta {delta}, version {document['version']}"


def put_it_in_a_group():
    """10. Give it a type and put it into a group of a group."""
    iot.create_thing_type(thingTypeName=f"lamps-{RUN}")
    iot.update_thing(thingName=LAMP, thingTypeName=f"lamps-{RUN}")
    iot.create_thing_group(thingGroupName=f"house-{RUN}")
    iot.create_thing_group(thingGroupName=f"kitchen-{RUN}", parentGroupName=f"house-{RUN}")
    iot.add_thing_to_thing_group(thingGroupName=f"kitchen-{RUN}", thingName=LAMP)
    inside = iot.list_things_in_thing_group(thingGroupName=f"house-{RUN}", recursive=True)["things"]
    assert inside == [LAMP], inside
    return f"{inside} in the house"


def make_a_table():
    """11. Create a DynamoDB table, and wait for it."""
    known["table"] = f"telemetry-{RUN}"
    ddb.create_table(TableName=known["table"], BillingMode="PAY_PER_REQUEST",
                     KeySchema=[{"AttributeName": "device", "KeyType": "HASH"}],
                     AttributeDefinitions=[{"AttributeName": "device", "AttributeType": "S"}],
                     StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    ddb.get_waiter("table_exists").wait(TableName=known["table"], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    return ddb.describe_table(TableName=known["table"])["Table"]["TableArn"]


def write_by_a_rule():
    """12. A topic rule writes what the device says into the table."""
    iot.create_topic_rule(ruleName=f"telemetry_{RUN}", topicRulePayload={
        "sql": f"SELECT topic(2) AS device, lumen FROM 'telemetry{RUN}/+' WHERE lumen > 10",
        "actions": [{"dynamoDBv2": {"roleArn": ROLE, "putItem": {"tableName": known["table"]}}}]})
    known["client"].publish(mqtt5.PublishPacket(topic=f"telemetry{RUN}/{LAMP}", payload=json.dumps({"lumen": 800}),
                                                qos=mqtt5.QoS.AT_LEAST_ONCE)).result(20)
    item = until(lambda: ddb.get_item(TableName=known["table"], Key={"device": {"S": LAMP}}).get("Item"))
    assert item["lumen"] == {"N": "800"}, item
    return json.dumps(item)


def register_in_bulk():
    """13. Register a hundred devices in bulk from a file in S3, and read the report."""
    s3, bucket = session.client("s3"), f"devices-{RUN}"
    s3.create_bucket(Bucket=bucket)
    lines = "\n".join(json.dumps({"Name": f"bulk-{RUN}-{index}"}) for index in range(100))
    s3.put_object(Bucket=bucket, Key="devices.json", Body=lines.encode())
    template = {"Parameters": {"Name": {"Type": "String"}}, "Resources": {"thing": {
        "Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}, "AttributePayload": {"bulk": RUN}}}}}
    task = iot.start_thing_registration_task(templateBody=json.dumps(template), inputFileBucket=bucket,
                                             inputFileKey="devices.json", roleArn=ROLE)["taskId"]

    def done():
        seen = iot.describe_thing_registration_task(taskId=task)
        return seen if seen["status"] in ("Completed", "Failed", "Cancelled") else None

    seen = until(done, 60)
    assert (seen["status"], seen["successCount"]) == ("Completed", 100), seen
    link = iot.list_thing_registration_task_reports(taskId=task, reportType="RESULTS")["resourceLinks"][0]
    report = urllib.request.urlopen(link, timeout=10).read().decode().strip().splitlines()
    assert len(report) == 100, len(report)
    return f"{seen['successCount']} things; the report has {len(report)} lines"


def search():
    """14. Find things by fleet indexing."""
    iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    found = until(lambda: iot.search_index(
        queryString=f"thingName:{LAMP} AND attributes.site:berlin AND thingTypeName:lamps-{RUN}")["things"])
    return found[0]["thingName"]


def watch_health():
    """15. A Route 53 health check calls a page of ours; ask for its status."""

    class Healthy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    route53 = session.client("route53")
    known["check"] = route53.create_health_check(CallerReference=RUN, HealthCheckConfig={
        "Type": "HTTP", "IPAddress": "127.0.0.1", "Port": server.server_port, "ResourcePath": "/health",
        "RequestInterval": 10, "FailureThreshold": 1})["HealthCheck"]["Id"]

    def content():
        seen = route53.get_health_check_status(HealthCheckId=known["check"])["HealthCheckObservations"]
        said = [one.get("StatusReport", {}).get("Status", "") for one in seen]
        return said if said and all(text.startswith("Success") for text in said) else None

    said = until(content, 40)
    return f"{len(said)} checkers: {said[0]}"


def fail_over_by_dns():
    """16. A zone with a failover record that follows the health check, with the AWS CLI."""
    zone = aws("route53", "create-hosted-zone", "--name", f"zone-{RUN}.test", "--caller-reference", RUN)["HostedZone"]["Id"]
    changes = [{"Action": "CREATE", "ResourceRecordSet": {
        "Name": f"iot.zone-{RUN}.test", "Type": "CNAME", "TTL": 10, "SetIdentifier": side, "Failover": side,
        "ResourceRecords": [{"Value": os.environ[f"GAMEDAY_{side}_HOST"]}],
        **({"HealthCheckId": known["check"]} if side == "PRIMARY" else {})}} for side in ("PRIMARY", "SECONDARY")]
    change = aws("route53", "change-resource-record-sets", "--hosted-zone-id", zone, "--change-batch",
                 json.dumps({"Changes": changes}))["ChangeInfo"]["Id"]
    aws("route53", "wait", "resource-record-sets-changed", "--id", change)
    listed = aws("route53", "list-resource-record-sets", "--hosted-zone-id", zone, "--query",
                 "ResourceRecordSets[?Type=='CNAME'].Failover")
    assert listed == ["PRIMARY", "SECONDARY"], listed
    return f"iot.zone-{RUN}.test: {listed}"


BOOTSTRAP = f"""#!{sys.executable}
import json, os, urllib.request
at = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(at + "next") as asked:
        event, own = json.load(asked), asked.headers["Lambda-Runtime-Aws-Request-Id"]
    answer = json.dumps({{"lumen": 2 * event["lumen"]}}).encode()
    urllib.request.urlopen(at + own + "/response", answer).read()
"""


def run_a_function():
    """17. A Lambda function from a zip with a `bootstrap`, called."""
    api, packed, known["function"] = session.client("lambda"), io.BytesIO(), f"double-{RUN}"
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, BOOTSTRAP)
    api.create_function(FunctionName=known["function"], Runtime="provided.al2023", Handler="any", Role=ROLE,
                        Code={"ZipFile": packed.getvalue()})
    api.get_waiter("function_active_v2").wait(FunctionName=known["function"])
    answer = json.loads(api.invoke(FunctionName=known["function"], Payload=b'{"lumen": 21}')["Payload"].read())
    assert answer == {"lumen": 42}, answer
    return json.dumps(answer)


def run_a_workflow():
    """18. A state machine that calls the function."""
    states = session.client("stepfunctions")
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{known['function']}"
    definition = {"StartAt": "Double", "States": {"Double": {"Type": "Task", "Resource": arn, "End": True}}}
    machine = states.create_state_machine(name=f"double-{RUN}", definition=json.dumps(definition), roleArn=ROLE)
    run = states.start_execution(stateMachineArn=machine["stateMachineArn"], input='{"lumen": 4}')["executionArn"]

    def ended():
        seen = states.describe_execution(executionArn=run)
        return seen if seen["status"] != "RUNNING" else None

    seen = until(ended)
    assert (seen["status"], json.loads(seen["output"])) == ("SUCCEEDED", {"lumen": 8}), seen
    return f"{seen['status']}: {seen['output']}"


def deploy_a_stack():
    """19. A CloudFormation stack of a table and a rule; its outputs; and away with it."""
    stacks, name = session.client("cloudformation"), f"stack-{RUN}"
    template = {
        "Parameters": {"Topic": {"Type": "String"}},
        "Resources": {
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {
                "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}]}},
            "Rule": {"Type": "AWS::IoT::TopicRule", "Properties": {"TopicRulePayload": {
                "Sql": {"Fn::Sub": "SELECT topic(2) AS k, * FROM '${Topic}/+'"},
                "Actions": [{"DynamoDBv2": {"RoleArn": ROLE, "PutItem": {"TableName": {"Ref": "Table"}}}}]}}}},
        "Outputs": {"Table": {"Value": {"Ref": "Table"}}}}
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template),
                        Parameters=[{"ParameterKey": "Topic", "ParameterValue": f"stack{RUN}"}])
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    outputs = stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    table = next(one["OutputValue"] for one in outputs if one["OutputKey"] == "Table")
    data.publish(topic=f"stack{RUN}/a", qos=1, payload=b'{"v": 1}')
    until(lambda: ddb.get_item(TableName=table, Key={"k": {"S": "a"}}).get("Item"))
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return f"{table}: made, written by its rule, and deleted"


def be_in_two_regions():
    """20. The table and the certificate in a second Region; then the device leaves."""
    far_ddb, far_iot = session.client("dynamodb", "us-west-2"), session.client("iot", "us-west-2")
    ddb.update_table(TableName=known["table"], ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])

    def there():
        try:
            return far_ddb.get_item(TableName=known["table"], Key={"device": {"S": LAMP}}).get("Item")
        except far_ddb.exceptions.ResourceNotFoundException:
            return None

    item = until(there)
    same = far_iot.register_certificate_without_ca(certificatePem=(HERE / "cert.pem").read_text(), status="ACTIVE")
    assert same["certificateId"] == known["certificate"].split("/")[1]
    known["client"].stop()
    return f"{item['device']['S']} in us-west-2, and its certificate under the same id"


STEPS = [who_am_i, make_a_certificate, allow_it, create_the_device, find_the_endpoint, connect, talk, report_by_mqtt,
         wish_by_https, put_it_in_a_group, make_a_table, write_by_a_rule, register_in_bulk, search, watch_health,
         fail_over_by_dns, run_a_function, run_a_workflow, deploy_a_stack, be_in_two_regions]

if __name__ == "__main__":
    for one in STEPS:
        print(one.__doc__.strip())
        print("   ", one(), flush=True)
