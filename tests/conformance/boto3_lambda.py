"""Functions by boto3: their life, calls, concurrency and URLs. The function itself is plain Python over the Runtime API."""

import io
import json
import sys
import zipfile

from case import ACCOUNT, PRIMARY, ROLE, WAIT_S, case, equal, eventually, fresh, refused

CLIENT = "boto3"

#: Answers what it is asked: echo, an error, a crash, a wait; and shows its environment.
ECHO = f"""#!{sys.executable}
import http.client, json, os, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def post(path, body):
    api.request("POST", "/2018-06-01/runtime/" + path, json.dumps(body)); api.getresponse().read()
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse(); event = json.loads(answer.read()); own = answer.getheader("Lambda-Runtime-Aws-Request-Id")
    do = event.get("do") if isinstance(event, dict) else None
    if do == "fail":
        post("invocation/%s/error" % own, {{"errorMessage": "as asked", "errorType": "Asked", "stackTrace": []}})
    elif do == "crash":
        os._exit(3)
    else:
        if do == "wait":
            time.sleep(event["s"])
        post("invocation/%s/response" % own, {{"event": event, "env": {{name: os.environ.get(name) for name in event.get(
            "env", [])}}, "deadline": answer.getheader("Lambda-Runtime-Deadline-Ms"), "arn": answer.getheader(
            "Lambda-Runtime-Invoked-Function-Arn")}})
"""


def package(**files):
    """A zip with these files, each executable: `bootstrap="..."`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name.replace("__", "."))
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
    return packed.getvalue()


def function(t, code=None, **more):
    name = fresh("function")
    parameters = {"Runtime": "provided.al2023", "Handler": "main.handler", "Timeout": 10, **more}
    t.boto("lambda").create_function(FunctionName=name, Role=ROLE, Code={"ZipFile": code or package(bootstrap=ECHO)},
                                     **parameters)
    t.boto("lambda").get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    return name


def echo(t):
    return t.once("echo", function)


def call(t, name, event, **more):
    answer = t.boto("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **more)
    return answer, json.loads(answer["Payload"].read() or b"null")


@case("lambda:CreateFunction lambda:GetFunction lambda:GetFunctionConfiguration", peers=True)
def a_function_is_described(t):
    api, name = t.boto("lambda"), fresh("function")
    made = api.create_function(FunctionName=name, Role=ROLE, Runtime="provided.al2023", Handler="main.handler", Timeout=7,
                               MemorySize=256, Environment={"Variables": {"MINE": "1"}}, Description="echo",
                               Code={"ZipFile": package(bootstrap=ECHO)})
    equal(made["FunctionArn"], f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:{name}")
    api.get_waiter("function_exists").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    api.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    seen = api.get_function_configuration(FunctionName=name)
    equal((seen["Timeout"], seen["MemorySize"], seen["Handler"], seen["Runtime"]), (7, 256, "main.handler", "provided.al2023"))
    equal(seen["Environment"]["Variables"], {"MINE": "1"})
    equal((seen["State"], seen["LastUpdateStatus"], seen["Version"]), ("Active", "Successful", "$LATEST"))
    equal(api.get_function(FunctionName=name)["Configuration"]["CodeSha256"], seen["CodeSha256"])
    equal(api.get_function(FunctionName=made["FunctionArn"])["Configuration"]["FunctionName"], name, "by ARN")


@case("lambda:CreateFunction", peers=True)
def a_function_is_made_once(t):
    refused("ResourceConflictException", t.boto("lambda").create_function, FunctionName=echo(t), Role=ROLE, Handler="x",
            Runtime="provided.al2023", Code={"ZipFile": package(bootstrap=ECHO)}, status=409)


@case("lambda:CreateFunction", peers=True)
def what_is_no_zip_is_refused(t):
    refused("InvalidParameterValueException", t.boto("lambda").create_function, FunctionName=fresh("function"), Role=ROLE,
            Handler="x", Runtime="provided.al2023", Code={"ZipFile": b"no zip"}, status=400)


@case("lambda:ListFunctions lambda:DeleteFunction", peers=True)
def functions_are_listed_and_deleted(t):
    api, name = t.boto("lambda"), function(t)
    listed = api.get_paginator("list_functions").paginate().build_full_result()["Functions"]
    assert name in [x["FunctionName"] for x in listed]
    api.delete_function(FunctionName=name)
    refused("ResourceNotFoundException", api.get_function, FunctionName=name, status=404)
    refused("ResourceNotFoundException", api.delete_function, FunctionName=name, status=404)


@case("lambda:Invoke", peers=True)
def a_call_has_an_answer(t):
    answer, body = call(t, echo(t), {"a": 1})
    equal((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
    equal(body["event"], {"a": 1})
    assert "FunctionError" not in answer
    assert body["arn"].endswith(echo(t)) and int(body["deadline"]) > 1e12


@case("lambda:Invoke")
def a_function_has_the_environment_of_lambda(t):
    names = ["AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "_HANDLER", "LAMBDA_TASK_ROOT",
             "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_LOG_GROUP_NAME"]
    _, body = call(t, echo(t), {"env": names})
    equal([name for name in names if not body["env"][name]], [], "not set")
    equal((body["env"]["AWS_REGION"], body["env"]["AWS_LAMBDA_FUNCTION_NAME"]), (PRIMARY, echo(t)))


@case("lambda:Invoke", peers=True)
def an_error_of_the_function_is_told_in_the_answer(t):
    answer, body = call(t, echo(t), {"do": "fail"})
    equal((answer["StatusCode"], answer["FunctionError"]), (200, "Unhandled"))
    equal((body["errorMessage"], body["errorType"]), ("as asked", "Asked"))


@case("lambda:Invoke", peers=True)
def a_crash_and_a_time_out_are_errors_of_the_function(t):
    answer, body = call(t, echo(t), {"do": "crash"})
    equal(answer["FunctionError"], "Unhandled")
    equal(body["errorType"], "Runtime.ExitError")
    answer, body = call(t, function(t, Timeout=1), {"do": "wait", "s": 9})
    equal(answer["FunctionError"], "Unhandled")
    assert "Task timed out after 1.00 seconds" in body["errorMessage"], body


@case("lambda:Invoke", peers=True)
def a_dry_run_and_an_event_have_their_status(t):
    api = t.boto("lambda")
    equal(api.invoke(FunctionName=echo(t), InvocationType="DryRun")["StatusCode"], 204)
    equal(api.invoke(FunctionName=echo(t), InvocationType="Event", Payload=b"{}")["StatusCode"], 202)


@case("lambda:Invoke", peers=True)
def absent_functions_and_bad_json_are_refused(t):
    api = t.boto("lambda")
    refused("ResourceNotFoundException", api.invoke, FunctionName=fresh("none"), status=404)
    refused("InvalidRequestContentException", api.invoke, FunctionName=echo(t), Payload=b"{", status=400)


@case("lambda:PutFunctionConcurrency lambda:DeleteFunctionConcurrency lambda:Invoke", peers=True)
def no_concurrency_means_throttled(t):
    api, name = t.boto("lambda"), function(t)
    reserved = api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    equal(reserved["ReservedConcurrentExecutions"], 0)
    error = refused("TooManyRequestsException", api.invoke, FunctionName=name, status=429)
    equal(error.response.get("Reason"), "ReservedFunctionConcurrentInvocationLimitExceeded")
    api.delete_function_concurrency(FunctionName=name)
    equal(call(t, name, {})[0]["StatusCode"], 200)


@case("lambda:AddPermission", peers=True)
def a_permission_is_a_statement_with_an_id(t):
    api, sid = t.boto("lambda"), fresh("statement")
    wanted = {"FunctionName": echo(t), "StatementId": sid, "Action": "lambda:InvokeFunction",
              "Principal": "iot.amazonaws.com"}
    statement = json.loads(api.add_permission(**wanted)["Statement"])
    equal((statement["Sid"], statement["Effect"], statement["Action"]), (sid, "Allow", "lambda:InvokeFunction"))
    equal(statement["Principal"], {"Service": "iot.amazonaws.com"})
    refused("ResourceConflictException", api.add_permission, **wanted, status=409)


@case("lambda:CreateFunctionUrlConfig lambda:GetFunctionUrlConfig lambda:DeleteFunctionUrlConfig", peers=True)
def a_function_has_a_url(t):
    api, name = t.boto("lambda"), function(t)
    made = api.create_function_url_config(FunctionName=name, AuthType="NONE")
    assert made["FunctionUrl"].startswith("https://") and f".lambda-url.{PRIMARY}.on.aws/" in made["FunctionUrl"], made
    equal(api.get_function_url_config(FunctionName=name)["FunctionUrl"], made["FunctionUrl"])
    refused("ResourceConflictException", api.create_function_url_config, FunctionName=name, AuthType="NONE", status=409)
    api.delete_function_url_config(FunctionName=name)
    refused("ResourceNotFoundException", api.get_function_url_config, FunctionName=name, status=404)


@case("lambda:UpdateFunctionConfiguration lambda:UpdateFunctionCode", peers=True)
def a_function_is_updated(t):
    api, name = t.boto("lambda"), function(t)
    api.update_function_configuration(FunctionName=name, Timeout=3, Environment={"Variables": {"NEW": "yes"}})
    api.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    equal(call(t, name, {"env": ["NEW"]})[1]["env"], {"NEW": "yes"})
    before = api.get_function_configuration(FunctionName=name)["CodeSha256"]
    code = package(bootstrap=ECHO.replace('{"event": event', '{"code": "new", "event": event'))
    assert api.update_function_code(FunctionName=name, ZipFile=code)["CodeSha256"] != before
    api.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    equal(call(t, name, {})[1].get("code"), "new")


@case("lambda:PutFunctionEventInvokeConfig lambda:GetFunctionEventInvokeConfig sqs:ReceiveMessage")
def an_event_that_fails_goes_to_the_queue(t):
    api, name, sqs = t.boto("lambda"), function(t), t.boto("sqs")
    queue = sqs.create_queue(QueueName=fresh("failed"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    api.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0,
                                         DestinationConfig={"OnFailure": {"Destination": arn}})
    equal(api.get_function_event_invoke_config(FunctionName=name)["MaximumRetryAttempts"], 0)
    api.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"do":"fail"}')
    found = eventually(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), "the record", WAIT_S)
    record = json.loads(found[0]["Body"])
    equal((record["requestContext"]["condition"], record["requestPayload"]), ("RetriesExhausted", {"do": "fail"}))
    equal(record["responsePayload"]["errorMessage"], "as asked")


@case("lambda:GetFunctionConcurrency lambda:GetPolicy lambda:RemovePermission lambda:ListVersionsByFunction "
      "lambda:GetAccountSettings", peers=True)
def a_function_tells_more_of_itself(t):
    api, name = t.boto("lambda"), function(t)
    api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
    equal(api.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"], 3)
    refused("ResourceNotFoundException", api.get_policy, FunctionName=name, status=404)
    api.add_permission(FunctionName=name, StatementId="one", Action="lambda:InvokeFunction", Principal="iot.amazonaws.com")
    equal([x["Sid"] for x in json.loads(api.get_policy(FunctionName=name)["Policy"])["Statement"]], ["one"])
    api.remove_permission(FunctionName=name, StatementId="one")
    refused("ResourceNotFoundException", api.get_policy, FunctionName=name, status=404)
    equal([x["Version"] for x in api.list_versions_by_function(FunctionName=name)["Versions"]], ["$LATEST"])
    assert api.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] >= 10


@case("lambda:TagResource lambda:UntagResource lambda:ListTags", peers=True)
def a_function_has_tags(t):
    api, arn = t.boto("lambda"), f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:{function(t)}"
    api.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    api.untag_resource(Resource=arn, TagKeys=["a"])
    equal(api.list_tags(Resource=arn)["Tags"], {"b": "2"})


@case("lambda:PutFunctionEventInvokeConfig lambda:UpdateFunctionEventInvokeConfig lambda:ListFunctionEventInvokeConfigs "
      "lambda:DeleteFunctionEventInvokeConfig lambda:GetFunctionEventInvokeConfig", peers=True)
def what_happens_to_events_is_set(t):
    api, name = t.boto("lambda"), function(t)
    api.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1, MaximumEventAgeInSeconds=100)
    api.update_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    seen = api.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]
    equal([(x["MaximumRetryAttempts"], x["MaximumEventAgeInSeconds"]) for x in seen], [(0, 100)])
    api.delete_function_event_invoke_config(FunctionName=name)
    refused("ResourceNotFoundException", api.get_function_event_invoke_config, FunctionName=name, status=404)


@case("lambda:UpdateFunctionUrlConfig lambda:ListFunctionUrlConfigs", peers=True)
def a_url_is_changed_and_listed(t):
    api, name = t.boto("lambda"), function(t)
    api.create_function_url_config(FunctionName=name, AuthType="NONE")
    api.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    equal([x["AuthType"] for x in api.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]], ["AWS_IAM"])
