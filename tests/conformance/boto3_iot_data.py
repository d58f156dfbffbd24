"""The data plane by boto3: shadows and publishes."""

import json

from case import case, equal, fresh, refused

CLIENT = "boto3"


def put(t, thing, document, **more):
    answer = t.boto("iot-data").update_thing_shadow(thingName=thing, payload=json.dumps(document), **more)
    return json.loads(answer["payload"].read())


def get(t, thing, **more):
    return json.loads(t.boto("iot-data").get_thing_shadow(thingName=thing, **more)["payload"].read())


def owner(t):
    name = fresh("thing")
    t.boto("iot").create_thing(thingName=name)
    return name


@case("iot-data:UpdateThingShadow iot-data:GetThingShadow", peers=True)
def a_shadow_has_state_delta_metadata_and_version(t):
    name = owner(t)
    answer = put(t, name, {"state": {"desired": {"on": True, "lumen": 5}, "reported": {"on": False}}, "clientToken": "x"})
    equal((answer["version"], answer["clientToken"]), (1, "x"))
    seen = get(t, name)
    equal(seen["state"]["desired"], {"on": True, "lumen": 5})
    equal(seen["state"]["reported"], {"on": False})
    equal(seen["state"]["delta"], {"on": True, "lumen": 5})
    equal(seen["version"], 1)
    stamp = seen["metadata"]["desired"]["on"]["timestamp"]
    assert 0 <= seen["timestamp"] - stamp < 60, "seconds"


@case("iot-data:UpdateThingShadow", peers=True)
def null_removes_a_key(t):
    name = owner(t)
    put(t, name, {"state": {"reported": {"a": 1, "b": {"c": 1, "d": 2}}}})
    put(t, name, {"state": {"reported": {"a": None, "b": {"c": None}}}})
    equal(get(t, name)["state"], {"reported": {"b": {"d": 2}}})


@case("iot-data:UpdateThingShadow", peers=True)
def the_version_is_compared(t):
    name = owner(t)
    put(t, name, {"state": {"reported": {"a": 1}}})
    equal(put(t, name, {"state": {"reported": {"a": 2}}, "version": 1})["version"], 2)
    refused("ConflictException", t.boto("iot-data").update_thing_shadow, thingName=name, status=409,
            payload=json.dumps({"state": {"reported": {"a": 3}}, "version": 1}))


@case("iot-data:UpdateThingShadow", peers=True)
def a_document_without_state_is_refused(t):
    data, name = t.boto("iot-data"), owner(t)
    refused("InvalidRequestException", data.update_thing_shadow, thingName=name, payload=b"{}", status=400)
    refused("InvalidRequestException", data.update_thing_shadow, thingName=name, payload=b"{", status=400)


@case("iot-data:UpdateThingShadow", peers=True)
def a_large_document_is_refused(t):
    body = json.dumps({"state": {"reported": {"a": "x" * 9000}}})
    refused("RequestEntityTooLargeException", t.boto("iot-data").update_thing_shadow, thingName=owner(t), payload=body,
            status=413)


@case("iot-data:UpdateThingShadow", peers=True)
def six_levels_are_too_many(t):
    deep = {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}
    refused("InvalidRequestException", t.boto("iot-data").update_thing_shadow, thingName=owner(t),
            payload=json.dumps({"state": {"reported": deep}}), status=400)


@case("iot-data:GetThingShadow", peers=True)
def an_absent_shadow_is_not_found(t):
    refused("ResourceNotFoundException", t.boto("iot-data").get_thing_shadow, thingName=owner(t), status=404)


@case("iot-data:DeleteThingShadow", peers=True)
def a_deleted_shadow_keeps_its_version(t):
    # AWS: "Deleting a device shadow does not reset its version number to 0" (kept for 48 hours).
    data, name = t.boto("iot-data"), owner(t)
    put(t, name, {"state": {"reported": {"a": 1}}})
    gone = json.loads(data.delete_thing_shadow(thingName=name)["payload"].read())
    equal(gone["version"], 1)
    refused("ResourceNotFoundException", data.get_thing_shadow, thingName=name)
    refused("ResourceNotFoundException", data.delete_thing_shadow, thingName=name, status=404)
    assert put(t, name, {"state": {"reported": {"a": 2}}})["version"] > 1


@case("iot-data:ListNamedShadowsForThing iot-data:UpdateThingShadow", peers=True)
def named_shadows_are_listed_without_the_classic_one(t):
    name = owner(t)
    put(t, name, {"state": {"reported": {"a": 1}}})
    put(t, name, {"state": {"reported": {"b": 1}}}, shadowName="one")
    put(t, name, {"state": {"reported": {"c": 1}}}, shadowName="two")
    listed = t.boto("iot-data").list_named_shadows_for_thing(thingName=name)
    equal(sorted(listed["results"]), ["one", "two"])
    assert 1e9 < listed["timestamp"] < 1e10, "seconds"
    equal(get(t, name, shadowName="two")["state"], {"reported": {"c": 1}})


@case("iot-data:Publish", peers=True)
def a_publish_is_accepted(t):
    t.boto("iot-data").publish(topic=f"dt/{fresh('topic')}", qos=1, payload=b"hello")


@case("iot-data:Publish", peers=True)
def a_wildcard_is_no_topic(t):
    refused("InvalidRequestException", t.boto("iot-data").publish, topic="dt/#", payload=b"x", status=400)


@case("iot-data:Publish", peers=True)
def a_large_payload_is_refused(t):
    # The model has no other error for it: payloads end at 128 KB.
    from botocore.exceptions import ClientError

    try:
        t.boto("iot-data").publish(topic="dt/x", qos=1, payload=b"x" * (128 * 1024 + 1))
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 413), error
        return
    raise AssertionError("129 KB were accepted")
