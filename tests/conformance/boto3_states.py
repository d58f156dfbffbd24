"""Step Functions, by boto3."""

import json

from case import ACCOUNT, PRIMARY, ROLE, case, equal, eventually, fresh, refused

CLIENT = "boto3"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"on": True}, "End": True}}})
WAIT = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 600, "End": True}}})


def machine(t, definition=PASS, **more):
    made = t.boto("stepfunctions").create_state_machine(name=fresh("machine"), definition=definition, roleArn=ROLE, **more)
    return made["stateMachineArn"]


def ended(t, arn):
    def look():
        seen = t.boto("stepfunctions").describe_execution(executionArn=arn)
        return seen if seen["status"] != "RUNNING" else None

    return eventually(look, "the execution ends")


@case("stepfunctions:CreateStateMachine stepfunctions:DescribeStateMachine stepfunctions:ListStateMachines", peers=True)
def a_machine_is_described_and_listed(t):
    states, name = t.boto("stepfunctions"), fresh("machine")
    arn = states.create_state_machine(name=name, definition=PASS, roleArn=ROLE)["stateMachineArn"]
    equal(arn, f"arn:aws:states:{PRIMARY}:{ACCOUNT}:stateMachine:{name}")
    seen = states.describe_state_machine(stateMachineArn=arn)
    equal((seen["status"], seen["type"], seen["roleArn"]), ("ACTIVE", "STANDARD", ROLE))
    equal(json.loads(seen["definition"]), json.loads(PASS))
    listed = states.get_paginator("list_state_machines").paginate().build_full_result()["stateMachines"]
    assert arn in [x["stateMachineArn"] for x in listed]


@case("stepfunctions:CreateStateMachine", peers=True)
def what_is_no_machine_is_refused(t):
    states = t.boto("stepfunctions")
    for definition in ("{", json.dumps({"StartAt": "B", "States": {"A": {"Type": "Pass", "End": True}}})):
        refused("InvalidDefinition", states.create_state_machine, name=fresh("machine"), definition=definition,
                roleArn=ROLE, status=400)


@case("stepfunctions:CreateStateMachine", peers=True)
def an_equal_machine_is_made_once_and_a_different_one_refused(t):
    states, name = t.boto("stepfunctions"), fresh("machine")
    one = states.create_state_machine(name=name, definition=PASS, roleArn=ROLE)["stateMachineArn"]
    equal(states.create_state_machine(name=name, definition=PASS, roleArn=ROLE)["stateMachineArn"], one)
    refused("StateMachineAlreadyExists", states.create_state_machine, name=name, definition=WAIT, roleArn=ROLE)


@case("stepfunctions:UpdateStateMachine stepfunctions:DescribeStateMachine", peers=True)
def a_machine_is_updated(t):
    states, arn = t.boto("stepfunctions"), machine(t)
    assert states.update_state_machine(stateMachineArn=arn, definition=WAIT)["updateDate"]
    equal(json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"]), json.loads(WAIT))
    refused("MissingRequiredParameter", states.update_state_machine, stateMachineArn=arn)


@case("stepfunctions:DeleteStateMachine stepfunctions:DescribeStateMachine", peers=True)
def a_machine_is_deleted(t):
    states, arn = t.boto("stepfunctions"), machine(t)
    states.delete_state_machine(stateMachineArn=arn)
    from botocore.exceptions import ClientError

    def gone():
        try:
            return states.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING" and None
        except ClientError as error:
            return error.response["Error"]["Code"] == "StateMachineDoesNotExist"

    eventually(gone, "the machine is gone")


@case("stepfunctions:ValidateStateMachineDefinition")
def a_definition_is_validated(t):
    states = t.boto("stepfunctions")
    equal(states.validate_state_machine_definition(definition=PASS)["result"], "OK")
    bad = states.validate_state_machine_definition(definition='{"States":{}}')
    equal(bad["result"], "FAIL")
    assert bad["diagnostics"][0]["severity"] == "ERROR", bad


@case("stepfunctions:StartExecution stepfunctions:DescribeExecution", peers=True)
def an_execution_has_input_and_output(t):
    arn = machine(t)
    name = fresh("run")
    started = t.boto("stepfunctions").start_execution(stateMachineArn=arn, name=name, input='{"a":1}')
    equal(started["executionArn"], arn.replace(":stateMachine:", ":execution:") + f":{name}")
    seen = ended(t, started["executionArn"])
    equal((seen["status"], json.loads(seen["input"]), json.loads(seen["output"])), ("SUCCEEDED", {"a": 1}, {"on": True}))
    assert seen["startDate"] <= seen["stopDate"]


@case("stepfunctions:StartExecution", peers=True)
def a_name_is_started_once(t):
    states, arn, name = t.boto("stepfunctions"), machine(t, WAIT), fresh("run")
    one = states.start_execution(stateMachineArn=arn, name=name, input="{}")
    two = states.start_execution(stateMachineArn=arn, name=name, input="{}")
    equal(one["executionArn"], two["executionArn"])
    refused("ExecutionAlreadyExists", states.start_execution, stateMachineArn=arn, name=name, input='{"b":1}', status=400)
    states.stop_execution(executionArn=one["executionArn"])


@case("stepfunctions:StartExecution stepfunctions:DescribeExecution", peers=True)
def absent_machines_and_bad_input_are_refused(t):
    states, arn = t.boto("stepfunctions"), machine(t)
    refused("StateMachineDoesNotExist", states.start_execution, stateMachineArn=arn + "x", status=400)
    refused("ExecutionDoesNotExist", states.describe_execution, status=400,
            executionArn=arn.replace(":stateMachine:", ":execution:") + ":none")
    refused("InvalidExecutionInput", states.start_execution, stateMachineArn=arn, input="{", status=400)
    refused("InvalidArn", states.describe_state_machine, stateMachineArn="no-arn", status=400)


@case("stepfunctions:StopExecution stepfunctions:ListExecutions", peers=True)
def an_execution_is_stopped_and_listed(t):
    states, arn = t.boto("stepfunctions"), machine(t, WAIT)
    one = states.start_execution(stateMachineArn=arn)["executionArn"]
    listed = states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]
    equal([x["executionArn"] for x in listed], [one])
    assert states.stop_execution(executionArn=one, error="Mine", cause="because")["stopDate"]
    seen = ended(t, one)
    equal((seen["status"], seen["error"], seen["cause"]), ("ABORTED", "Mine", "because"))
    equal(states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"], [])


@case("stepfunctions:GetExecutionHistory", peers=True)
def the_history_tells_every_state(t):
    choice = {"StartAt": "Kind", "States": {
        "Kind": {"Type": "Choice", "Default": "Unknown",
                 "Choices": [{"Variable": "$.kind", "StringEquals": "lamp", "Next": "Lamp"}]},
        "Lamp": {"Type": "Pass", "ResultPath": "$.state", "Result": {"on": True}, "End": True},
        "Unknown": {"Type": "Fail", "Error": "DefaultStateError", "Cause": "No Matches!"}}}
    states, arn = t.boto("stepfunctions"), machine(t, json.dumps(choice))
    one = states.start_execution(stateMachineArn=arn, input='{"kind":"lamp"}')["executionArn"]
    equal(json.loads(ended(t, one)["output"]), {"kind": "lamp", "state": {"on": True}})
    events = states.get_execution_history(executionArn=one)["events"]
    equal([x["type"] for x in events], ["ExecutionStarted", "ChoiceStateEntered", "ChoiceStateExited", "PassStateEntered",
                                        "PassStateExited", "ExecutionSucceeded"])
    equal([x["id"] for x in events], list(range(1, 7)))
    two = states.start_execution(stateMachineArn=arn, input='{"kind":"door"}')["executionArn"]
    failed = ended(t, two)
    equal((failed["status"], failed["error"], failed["cause"]), ("FAILED", "DefaultStateError", "No Matches!"))
    last = states.get_execution_history(executionArn=two, reverseOrder=True)["events"][0]
    equal(last["executionFailedEventDetails"], {"error": "DefaultStateError", "cause": "No Matches!"})


@case("stepfunctions:DescribeStateMachineForExecution", peers=True)
def an_execution_names_its_machine(t):
    states, arn = t.boto("stepfunctions"), machine(t)
    one = states.start_execution(stateMachineArn=arn)["executionArn"]
    equal(states.describe_state_machine_for_execution(executionArn=one)["stateMachineArn"], arn)


@case("stepfunctions:TagResource stepfunctions:UntagResource stepfunctions:ListTagsForResource", peers=True)
def a_machine_has_tags(t):
    states = t.boto("stepfunctions")
    arn = machine(t, tags=[{"key": "a", "value": "1"}])
    states.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    states.untag_resource(resourceArn=arn, tagKeys=["a"])
    equal(states.list_tags_for_resource(resourceArn=arn)["tags"], [{"key": "b", "value": "2"}])
