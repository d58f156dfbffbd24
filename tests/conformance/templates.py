#!/usr/bin/env python3
"""Deploys the replicator's templates on MiniStack, which nobody here wrote: each stack is made, looked at through the services
that it is made of, updated with itself, and deleted.

    target/tools/bin/python tests/conformance/templates.py
"""

import io
import re
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import boto3
import targets
from botocore.exceptions import ClientError
from case import PRIMARY, SECONDARY

TEMPLATES = Path(__file__).parents[2] / "replicator/templates"
WAIT_S = 60
#: What MiniStack does not make; these resources are left out there, with what names them.
LEFT_OUT = {
    "health": {"HealthCheck": "MiniStack does not know AWS::Route53::HealthCheck"},
    "primary": {"LostEventsAlarm": "MiniStack has no alarms with metric math"},
}
SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"


class Stacks:
    """The stacks of a Region."""

    def __init__(self, url, region):
        self.url, self.region = url, region
        self.formation = self.of("cloudformation")
        bucket = f"code-{region}"
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as code:
            code.writestr("bootstrap", "#!/bin/sh\nexit 1\n")
        self.of("s3").create_bucket(Bucket=bucket, **where)
        self.of("s3").put_object(Bucket=bucket, Key="replicator.zip", Body=package.getvalue())
        self.code = {"CodeBucket": bucket, "CodeKey": "replicator.zip"}

    def of(self, service):
        return boto3.client(service, self.region, endpoint_url=self.url, aws_access_key_id="x", aws_secret_access_key="x")

    def make(self, template, **parameters):
        """Makes a stack, and gives it again what it has; its outputs."""
        name, body = f"gameday-main-{template}", text(template)
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in {"Postfix": "main", **parameters}.items()]
        args = {"StackName": name, "TemplateBody": body, "Parameters": given, "Capabilities": ["CAPABILITY_NAMED_IAM"]}
        self.formation.create_stack(**args)
        stack = self.settled(name)
        assert stack["StackStatus"] == "CREATE_COMPLETE", f"{name}: {stack['StackStatus']}: {self.failed(name)}"
        try:
            self.formation.update_stack(**args)
        except ClientError as error:
            assert "No updates are to be performed" in str(error), error
        else:
            status = self.settled(name)["StackStatus"]
            assert status == "UPDATE_COMPLETE", f"{name}, given again: {status}"
        resources = self.formation.list_stack_resources(StackName=name)["StackResourceSummaries"]
        wanted = set(re.findall(r"^  (\w+):\n    Type: AWS::", body, re.MULTILINE))
        made = {resource["LogicalResourceId"] for resource in resources}
        assert made <= wanted, f"{name}: made besides: {made - wanted}"
        print(f"{self.region} {name}: {len(made)} resources of {len(wanted)} (the others have conditions)")
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def failed(self, name):
        events = self.formation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in events if "FAILED" in event["ResourceStatus"]]
        return [(event["LogicalResourceId"], event.get("ResourceStatusReason")) for event in failed]

    def settled(self, name):
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            stack = self.formation.describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                return stack
            time.sleep(0.1)
        raise AssertionError(f"{name} did not settle in {WAIT_S} s")

    def delete(self, template):
        name = f"gameday-main-{template}"
        self.formation.delete_stack(StackName=name)
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                status = self.formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            except ClientError as error:
                assert "does not exist" in str(error), error
                return
            if status == "DELETE_COMPLETE":
                return
            assert status != "DELETE_FAILED" and time.monotonic() < deadline, f"{name}: {status}"
            time.sleep(0.1)

    def left(self):
        """What there is of a deployment."""
        functions = [function["FunctionName"] for function in self.of("lambda").list_functions()["Functions"]]
        rules = [rule["ruleName"] for rule in self.of("iot").list_topic_rules()["rules"]]
        queues = self.of("sqs").list_queues().get("QueueUrls", [])
        schedules = [rule["Name"] for rule in self.of("events").list_rules()["Rules"]]
        return functions + rules + queues + schedules + self.of("dynamodb").list_tables()["TableNames"]


def text(template):
    """A template without what MiniStack does not make."""
    body = (TEMPLATES / f"{template}.yaml").read_text()
    for name, why in LEFT_OUT.get(template, {}).items():
        # The resource and the output of that name.
        body, count = re.subn(rf"^  {name}:\n(?:(?:    .*)?\n)+", "", body, flags=re.MULTILINE)
        assert count, f"{template}.yaml has no {name}"
        print(f"left out of {template}.yaml: {name}: {why}")
    return body


def deploy(url):
    primary, secondary = Stacks(url, PRIMARY), Stacks(url, SECONDARY)
    tables = secondary.make("tables", PrimaryRegion=PRIMARY)
    stream, documents = tables["EventsStream"], tables["DocumentsStream"]
    assert stream != documents, tables
    for dispatch in ("direct", "workflow"):
        streams = {"EventsStream": stream, "DocumentsStream": documents}
        there = secondary.make("secondary", PrimaryRegion=PRIMARY, Dispatch=dispatch, **streams, **secondary.code)
        function = "dispatch" if dispatch == "workflow" else "replicate"
        for output, of in (("Mapping", stream), ("DocumentsMapping", documents)):
            mapping = secondary.of("lambda").get_event_source_mapping(UUID=there[output])
            assert mapping["FunctionArn"].endswith(f"gameday-main-{function}"), mapping
            assert mapping["EventSourceArn"] == of, mapping
        if dispatch == "direct":
            secondary.delete("secondary")
    machine = secondary.of("stepfunctions").describe_state_machine(stateMachineArn=there["Workflow"])
    assert "gameday-main-apply" in machine["definition"], machine["definition"]
    # MiniStack keeps a global table in one Region: the other one's stream is the same.
    names = {name: tables[name] for name in ("EventsTable", "DocumentsTable")}
    primary.make("primary", SecondaryRegion=SECONDARY, EventsStream=stream, **names, **primary.code)
    rules = primary.of("iot").list_topic_rules()["rules"]
    assert len(rules) == 8, rules
    for rule in rules:
        sql = primary.of("iot").get_topic_rule(ruleName=rule["ruleName"])["rule"]
        assert sql["sql"].startswith("SELECT") and sql["actions"] and sql["errorAction"], sql
    identity = {"Ca": "ca", "Certificate": "certificate", "Key": "key", "QueryString": SECRET}
    health = primary.make("health", Endpoint="localhost", **identity, **primary.code)
    assert health["Host"], health
    primary.make("jitr", IotPolicyName="device", **primary.code)
    for template in ("jitr", "health", "primary"):
        primary.delete(template)
    for template in ("secondary", "tables"):
        secondary.delete(template)
    left = primary.left() + secondary.left()
    assert not left, f"left behind: {left}"


def main():
    if not Path(targets.peer("ministack")).exists():
        sys.exit("no MiniStack; see .ci/tools")
    with tempfile.TemporaryDirectory() as folder, targets.start("ministack", None, folder) as target:
        deploy(target.env["AWS_ENDPOINT_URL"])
    print("the templates deploy on MiniStack, and go")


if __name__ == "__main__":
    main()
