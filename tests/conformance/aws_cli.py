"""The AWS CLI as a user types it, with no more than the variables of the twin."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from case import ACCOUNT, PRIMARY, ROLE, case, equal, eventually, fresh
from device import ALL

CLIENT = "aws-cli"


def run(t, *arguments):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**t.env, "PATH": path, "AWS_PAGER": "", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
           "AWS_DEFAULT_REGION": PRIMARY, "AWS_MAX_ATTEMPTS": "1", "HOME": t.folder}
    env.pop("AWS_REGION", None)
    return subprocess.run([shutil.which("aws", path=path), *arguments], capture_output=True, text=True, env=env, timeout=40,
                          cwd=t.folder, stdin=subprocess.DEVNULL)


def aws(t, *arguments):
    """What it printed, as JSON."""
    done = run(t, *arguments)
    assert done.returncode == 0, f"aws {' '.join(arguments)[:80]}: {done.stderr.strip()}"
    return json.loads(done.stdout) if done.stdout.strip() else None


def refuses(t, code, *arguments):
    done = run(t, *arguments)
    assert done.returncode != 0 and f"({code})" in done.stderr, done.stderr or "it was accepted"


@case("iot:CreateThing iot:DescribeThing iot:UpdateThing iot:ListThings iot:DeleteThing")
def a_thing(t):
    name = fresh("thing")
    made = aws(t, "iot", "create-thing", "--thing-name", name, "--attribute-payload", "attributes={site=berlin}")
    equal(made["thingArn"], f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:thing/{name}")
    equal(aws(t, "iot", "describe-thing", "--thing-name", name)["attributes"], {"site": "berlin"})
    aws(t, "iot", "update-thing", "--thing-name", name, "--attribute-payload", "attributes={},merge=false")
    equal(aws(t, "iot", "describe-thing", "--thing-name", name, "--query", "[attributes,version]"), [{}, 2])
    names = aws(t, "iot", "list-things", "--page-size", "50", "--query", "things[].thingName")
    assert name in names
    equal(aws(t, "iot", "list-things", "--region", "us-west-2", "--query", f"things[?thingName=='{name}']"), [])
    aws(t, "iot", "delete-thing", "--thing-name", name)
    refuses(t, "ResourceNotFoundException", "iot", "describe-thing", "--thing-name", name)


@case("iot:CreateKeysAndCertificate iot:CreatePolicy iot:AttachPolicy iot:AttachThingPrincipal iot:ListThingPrincipals")
def a_device(t):
    name = fresh("device")
    pem, key = Path(t.folder) / f"{name}.pem", Path(t.folder) / f"{name}.key"
    arn = aws(t, "iot", "create-keys-and-certificate", "--set-as-active", "--certificate-pem-outfile", str(pem),
              "--private-key-outfile", str(key))["certificateArn"]
    assert pem.read_text().startswith("-----BEGIN CERTIFICATE") and "PRIVATE KEY" in key.read_text()
    aws(t, "iot", "create-thing", "--thing-name", name)
    aws(t, "iot", "create-policy", "--policy-name", name, "--policy-document", ALL)
    aws(t, "iot", "attach-policy", "--policy-name", name, "--target", arn)
    aws(t, "iot", "attach-thing-principal", "--thing-name", name, "--principal", arn)
    equal(aws(t, "iot", "list-thing-principals", "--thing-name", name)["principals"], [arn])
    equal(aws(t, "iot", "list-attached-policies", "--target", arn, "--query", "policies[].policyName"), [name])


@case("iot:CreateThingGroup iot:AddThingToThingGroup iot:ListThingsInThingGroup iot:CreateThingType iot:SearchIndex "
      "iot:UpdateIndexingConfiguration")
def groups_types_and_search(t):
    name, house, kind = fresh("thing"), fresh("house"), fresh("type")
    aws(t, "iot", "create-thing-type", "--thing-type-name", kind)
    aws(t, "iot", "create-thing", "--thing-name", name, "--thing-type-name", kind)
    aws(t, "iot", "create-thing-group", "--thing-group-name", house)
    aws(t, "iot", "create-thing-group", "--thing-group-name", f"{house}-in", "--parent-group-name", house)
    aws(t, "iot", "add-thing-to-thing-group", "--thing-group-name", f"{house}-in", "--thing-name", name)
    inside = aws(t, "iot", "list-things-in-thing-group", "--thing-group-name", house, "--recursive")
    equal(inside["things"], [name])
    aws(t, "iot", "update-indexing-configuration", "--thing-indexing-configuration", "thingIndexingMode=REGISTRY")
    found = aws(t, "iot", "search-index", "--query-string", f"thingTypeName:{kind} AND thingName:{name[:-1]}*")
    equal([x["thingName"] for x in found["things"]], [name])


@case("iot-data:UpdateThingShadow iot-data:GetThingShadow iot-data:Publish")
def a_shadow_and_a_publish(t):
    name, out = fresh("thing"), Path(t.folder) / fresh("shadow.json")
    aws(t, "iot-data", "update-thing-shadow", "--thing-name", name, "--payload", '{"state":{"desired":{"on":true}}}', str(out))
    equal(json.loads(out.read_text())["version"], 1)
    run(t, "iot-data", "get-thing-shadow", "--thing-name", name, str(out))
    equal(json.loads(out.read_text())["state"], {"desired": {"on": True}, "delta": {"on": True}})
    aws(t, "iot-data", "publish", "--topic", "dt/x", "--qos", "1", "--payload", "hello")


@case("dynamodb:CreateTable dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem dynamodb:DeleteTable")
def a_table(t):
    name = fresh("table")
    aws(t, "dynamodb", "create-table", "--table-name", name, "--billing-mode", "PAY_PER_REQUEST",
        "--attribute-definitions", "AttributeName=k,AttributeType=S", "--key-schema", "AttributeName=k,KeyType=HASH")
    aws(t, "dynamodb", "wait", "table-exists", "--table-name", name)
    aws(t, "dynamodb", "put-item", "--table-name", name, "--item", '{"k":{"S":"a"},"v":{"N":"1"}}')
    aws(t, "dynamodb", "update-item", "--table-name", name, "--key", '{"k":{"S":"a"}}', "--update-expression", "ADD v :one",
        "--expression-attribute-values", '{":one":{"N":"1"}}')
    seen = aws(t, "dynamodb", "query", "--table-name", name, "--key-condition-expression", "k = :k",
               "--expression-attribute-values", '{":k":{"S":"a"}}', "--query", "Items[].v.N")
    equal(seen, ["2"])
    refuses(t, "ConditionalCheckFailedException", "dynamodb", "put-item", "--table-name", name, "--item",
            '{"k":{"S":"a"}}', "--condition-expression", "attribute_not_exists(k)")
    aws(t, "dynamodb", "delete-table", "--table-name", name)


@case("route53:CreateHostedZone route53:ChangeResourceRecordSets route53:ListResourceRecordSets route53:CreateHealthCheck "
      "route53:GetHealthCheckStatus")
def a_zone_and_a_check(t):
    name = fresh("zone") + ".test"
    zone = aws(t, "route53", "create-hosted-zone", "--name", name, "--caller-reference", fresh("ref"))["HostedZone"]["Id"]
    check = aws(t, "route53", "create-health-check", "--caller-reference", fresh("ref"), "--health-check-config",
                "Type=TCP,IPAddress=127.0.0.1,Port=9,RequestInterval=10,FailureThreshold=1")["HealthCheck"]["Id"]
    record = {"Name": f"iot.{name}", "Type": "CNAME", "TTL": 10, "ResourceRecords": [{"Value": "x.test"}],
              "SetIdentifier": "1", "Failover": "PRIMARY", "HealthCheckId": check}
    change = aws(t, "route53", "change-resource-record-sets", "--hosted-zone-id", zone, "--change-batch",
                 json.dumps({"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}))["ChangeInfo"]["Id"]
    aws(t, "route53", "wait", "resource-record-sets-changed", "--id", change)
    listed = aws(t, "route53", "list-resource-record-sets", "--hosted-zone-id", zone, "--query",
                 "ResourceRecordSets[?Type=='CNAME'].Failover")
    equal(listed, ["PRIMARY"])
    assert aws(t, "route53", "get-health-check-status", "--health-check-id", check)["HealthCheckObservations"]


@case("stepfunctions:CreateStateMachine stepfunctions:StartExecution stepfunctions:DescribeExecution")
def a_state_machine(t):
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 7, "End": True}}})
    arn = aws(t, "stepfunctions", "create-state-machine", "--name", fresh("machine"), "--role-arn", ROLE, "--definition",
              definition)["stateMachineArn"]
    one = aws(t, "stepfunctions", "start-execution", "--state-machine-arn", arn)["executionArn"]

    def ended():
        seen = aws(t, "stepfunctions", "describe-execution", "--execution-arn", one)
        return seen if seen["status"] == "SUCCEEDED" else None

    equal(eventually(ended, "it succeeds")["output"], "7")


@case("lambda:CreateFunction lambda:Invoke lambda:DeleteFunction")
def a_function(t):
    from boto3_lambda import ECHO, package

    name, out = fresh("function"), Path(t.folder) / fresh("answer")
    code = Path(t.folder) / f"{name}.zip"
    code.write_bytes(package(bootstrap=ECHO))
    aws(t, "lambda", "create-function", "--function-name", name, "--runtime", "provided.al2023", "--handler", "x", "--role",
        ROLE, "--zip-file", f"fileb://{code}")
    aws(t, "lambda", "wait", "function-active-v2", "--function-name", name)
    answer = aws(t, "lambda", "invoke", "--function-name", name, "--payload", '{"a":1}', str(out))
    equal((answer["StatusCode"], json.loads(out.read_text())["event"]), (200, {"a": 1}))
    aws(t, "lambda", "delete-function", "--function-name", name)


@case("sts:GetCallerIdentity service-quotas:GetServiceQuota service-quotas:ListServiceQuotas")
def an_account_and_its_quotas(t):
    equal(aws(t, "sts", "get-caller-identity")["Account"], ACCOUNT)
    quota = aws(t, "service-quotas", "get-service-quota", "--service-code", "iotcore", "--quota-code", "L-64CBACAC")
    equal(quota["Quota"]["QuotaName"], "CreateThing API TPS")
    listed = aws(t, "service-quotas", "list-service-quotas", "--service-code", "iotcore", "--query", "length(Quotas)")
    assert listed > 200, "every page is read"


@case()
def what_is_not_there_is_refused(t):
    refuses(t, "UnknownOperationException", "iot", "list-streams")
    done = run(t, "iot", "list-things", "--region", "eu-west-1")
    assert done.returncode != 0 and "us-east-1 and us-west-2" in done.stderr, done.stderr
