"""A device over HTTPS with its certificate, by curl: shadow and publish, and the name in TLS."""

import json
import subprocess

import device
from case import case, equal, eventually

CLIENT = "curl"


def curl(t, path, *more, own=None, side="PRIMARY", certificate=True):
    """The answer is (status, body as JSON)."""
    own = own or device.shared(t)
    host, port = t.of(side, "HOST"), t.of(side, "HTTPS_PORT")
    identity = ["--cert", own.cert, "--key", own.key] if certificate else []
    done = subprocess.run(["curl", "-sS", "--max-time", "15", "--cacert", own.ca, "--resolve",
                           f"{host}:{port}:{t.of(side, 'ADDRESS')}", "-w", "\n%{http_code}", *identity, *more,
                           f"https://{host}:{port}{path}"], capture_output=True, text=True, timeout=25)
    assert done.returncode == 0, done.stderr
    body, status = done.stdout.rsplit("\n", 1)
    return int(status), json.loads(body) if body else {}


@case()
def a_shadow_is_updated_read_and_deleted(t):
    own = device.make(t)
    path = f"/things/{own.name}/shadow"
    status, seen = curl(t, path, "-d", '{"state":{"desired":{"on":true}}}', own=own)
    equal((status, seen["version"]), (200, 1))
    status, seen = curl(t, path, own=own)
    equal((status, seen["state"]), (200, {"desired": {"on": True}, "delta": {"on": True}}))
    equal(curl(t, path, "-X", "DELETE", own=own)[0], 200)
    status, seen = curl(t, path, own=own)
    equal(status, 404)
    assert seen["message"], seen


@case()
def a_named_shadow_has_its_own_state(t):
    own = device.make(t)
    path = f"/things/{own.name}/shadow?name=config"
    equal(curl(t, path, "-d", '{"state":{"reported":{"a":1}}}', own=own)[0], 200)
    equal(curl(t, path, own=own)[1]["state"], {"reported": {"a": 1}})
    equal(curl(t, f"/things/{own.name}/shadow", own=own)[0], 404)


@case()
def wrong_documents_have_their_status(t):
    own = device.make(t)
    path = f"/things/{own.name}/shadow"
    equal(curl(t, path, "-d", "{", own=own)[0], 400)
    equal(curl(t, path, "-d", '{"state":{"desired":{}},"version":9}', own=own)[0], 409)
    equal(curl(t, path, "-d", json.dumps({"state": {"desired": {"a": "x" * 9000}}}), own=own)[0], 413)


@case("iot:CreateTopicRule dynamodb:GetItem")
def a_publish_goes_to_the_rules(t):
    from boto3_dynamodb import table
    from boto3_rules import payload, rule_name

    where, name = table(t), rule_name()
    t.boto("iot").create_topic_rule(ruleName=name, topicRulePayload=payload(where, f"SELECT topic(2) AS k FROM '{name}/+'"))
    equal(curl(t, f"/topics/{name}/lamp?qos=1", "-d", "{}")[0], 200)
    ddb = t.boto("dynamodb")
    eventually(lambda: "Item" in ddb.get_item(TableName=where, Key={"k": {"S": "lamp"}}), "the item is there")


@case()
def without_a_certificate_it_is_forbidden(t):
    equal(curl(t, "/topics/dt/x?qos=1", "-d", "{}", certificate=False)[0], 403)


@case()
def another_regions_certificate_is_forbidden(t):
    equal(curl(t, "/topics/dt/x?qos=1", "-d", "{}", own=device.make(t), side="SECONDARY")[0], 403)


@case("iot:RegisterCertificateWithoutCA")
def a_registered_certificate_works_in_the_secondary_by_name(t):
    own = device.both_regions(t)
    equal(curl(t, "/topics/dt/x?qos=1", "-d", "{}", own=own, side="SECONDARY")[0], 200)
    # The certificate is in SNI_ONLY mode there: without the endpoint's name in TLS it is refused.
    address, port = t.of("SECONDARY", "ADDRESS"), t.of("SECONDARY", "HTTPS_PORT")
    done = subprocess.run(["curl", "-sSk", "--max-time", "15", "--cert", own.cert, "--key", own.key, "-d", "{}", "-o",
                           "/dev/null", "-w", "%{http_code}", f"https://{address}:{port}/topics/dt/x?qos=1"],
                          capture_output=True, text=True, timeout=25)
    assert done.returncode != 0 or done.stdout == "403", done.stdout


@case("iot:UpdateCertificate")
def a_deactivated_certificate_is_forbidden(t):
    own = device.make(t)
    equal(curl(t, "/topics/dt/x?qos=1", "-d", "{}", own=own)[0], 200)
    t.boto("iot").update_certificate(certificateId=own.arn.split("/")[-1], newStatus="INACTIVE")
    eventually(lambda: curl(t, "/topics/dt/x?qos=1", "-d", "{}", own=own)[0] == 403, "it is refused")


@case("lambda:CreateFunctionUrlConfig")
def a_function_url_is_called(t):
    from boto3_lambda import ECHO, function, package

    name = function(t, package(bootstrap=ECHO))
    url = t.boto("lambda").create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    host = url.split("/")[2].split(":")[0]
    port = t.of("PRIMARY", "HTTPS_PORT")
    done = subprocess.run(["curl", "-sS", "--max-time", "15", "--cacert", t.env["GAMEDAY_CA"], "--resolve",
                           f"{host}:{port}:{t.of('PRIMARY', 'ADDRESS')}", f"https://{host}:{port}/a/b?c=d"],
                          capture_output=True, text=True, timeout=25)
    event = json.loads(done.stdout)["event"]
    equal((event["version"], event["rawPath"], event["rawQueryString"]), ("2.0", "/a/b", "c=d"))
    equal((event["queryStringParameters"], event["requestContext"]["http"]["method"]), ({"c": "d"}, "GET"))
