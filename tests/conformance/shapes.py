"""Holds every answer that boto3 gets against botocore's model of the operation.

botocore drops members it does not know and converts what it can, so a client alone sees little of a wrong answer. Here the
raw body is walked: no member that the model lacks, the right JSON type or XML text, enumerations, timestamps in the
format of the protocol, and required members there. Errors must be in the operation's list, with the modelled status.
"""

import base64
import json
import re
import threading
from datetime import datetime
from xml.etree import ElementTree

_here = threading.local()

#: Errors that AWS documents for all operations of a service; botocore lists them for some only.
COMMON = {
    "AccessDeniedException", "ExpiredTokenException", "IncompleteSignature", "InternalFailure", "InvalidAction",
    "InvalidSignatureException", "ThrottlingException", "Throttling", "UnknownOperationException",
    "UnrecognizedClientException", "ValidationException", "ValidationError", "SerializationException",
    "MissingAuthenticationToken", "AccessDenied", "InvalidParameterValue", "MissingParameter", "OptInRequired",
}
#: Members that botocore requires and AWS leaves out when there is nothing: programs ask whether they are there.
OMITTED = {"sqs": {"Failed", "Successful"}}
#: Members that AWS sends and botocore does not model.
EXTRA = {"__type", "message", "Message", "code", "Type"}


def begin():
    """Starts the record of one case on this thread."""
    _here.called, _here.wrong = set(), []


def called():
    return _here.called


def wrong():
    return _here.wrong


def watch(client):
    """Checks every answer of this client from now on."""
    client.meta.events.register("before-parameter-build", _note)
    client.meta.events.register("after-call", _check)


def _service(model):
    return model.service_model.service_name


def _note(model, **_):
    if hasattr(_here, "called"):
        _here.called.add(f"{_service(model)}:{model.name}")


def _check(http_response, parsed, model, **_):
    if not hasattr(_here, "wrong"):
        return
    name = f"{_service(model)}:{model.name}"
    found = []
    try:
        if http_response.status_code >= 300:
            _error(http_response.status_code, parsed, model, found)
        else:
            _answer(http_response, parsed, model, found)
    except (ValueError, ElementTree.ParseError) as error:
        found.append(f"body does not parse: {error}")
    if not parsed.get("ResponseMetadata", {}).get("RequestId"):
        found.append("no request id")
    _here.wrong.extend(f"{name}: {what}" for what in found)


def _error(status, parsed, model, found):
    code = parsed.get("Error", {}).get("Code", "")
    if status == 404 and model.http.get("method") == "HEAD" or status == 304:
        return
    for shape in model.error_shapes:
        stated = shape.metadata.get("error", {})
        if code in (shape.name, stated.get("code")):
            expected = stated.get("httpStatusCode")
            protocol = model.service_model.metadata["protocol"]
            if expected and protocol != "json" and expected != status:
                found.append(f"{code} has status {status}; the model says {expected}")
            return
    if code not in COMMON and _service(model) not in ("s3", "route53", "cloudformation", "sqs"):
        found.append(f"error {code!r} ({status}) is not in the operation's list")


def _answer(response, parsed, model, found):
    output = model.output_shape
    if output is None:
        return
    omitted = OMITTED.get(_service(model), ())
    for member in output.required_members:
        if member not in parsed and member not in omitted:
            found.append(f"required member {member} is missing")
    for member, shape in output.members.items():
        if shape.serialization.get("location") in ("header", "headers", "statusCode") and member in parsed:
            _enum(parsed[member], shape, member, found)
    payload = output.serialization.get("payload")
    if payload:
        output = output.members[payload]
        if output.type_name in ("blob", "string") or not response.content:
            return
    protocol = model.service_model.metadata["protocol"]
    if protocol in ("json", "rest-json"):
        body = json.loads(response.content) if response.content.strip() else {}
        _json(body, output, "", found, "unixTimestamp")
    elif response.content.strip():
        root = ElementTree.fromstring(response.content)
        if protocol == "query":
            wrapper = output.serialization.get("resultWrapper", f"{model.name}Result")
            root = next((child for child in root if _tag(child) == wrapper), None)
        if root is not None:
            _xml(root, output, "", found)


def _json(value, shape, path, found, timestamp):
    kind, at = shape.type_name, path or "the body"
    if value is None:
        return
    if kind == "structure":
        if not isinstance(value, dict):
            found.append(f"{at} is {type(value).__name__}, not a structure")
            return
        if shape.metadata.get("document") or getattr(shape, "is_document_type", False):
            return
        names = {
            member.serialization.get("name", name): member
            for name, member in shape.members.items()
            if member.serialization.get("location") is None
        }
        for name, inner in value.items():
            if name in names:
                _json(inner, names[name], f"{path}.{name}", found, timestamp)
            elif path or name not in EXTRA:
                found.append(f"{path}.{name} is not in the model")
        for name in shape.required_members:
            member = shape.members[name]
            if path and member.serialization.get("name", name) not in value:
                found.append(f"{path}.{name} is required and missing")
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            found.append(f"{at} is a union and has {len(value)} members")
    elif kind == "list":
        if not isinstance(value, list):
            found.append(f"{at} is {type(value).__name__}, not a list")
            return
        for inner in value:
            _json(inner, shape.member, f"{path}[]", found, timestamp)
    elif kind == "map":
        if not isinstance(value, dict):
            found.append(f"{at} is {type(value).__name__}, not a map")
            return
        for inner in value.values():
            _json(inner, shape.value, f"{path}{{}}", found, timestamp)
    elif kind == "timestamp":
        _timestamp(value, shape.serialization.get("timestampFormat", timestamp), at, found)
    elif kind in ("integer", "long"):
        if isinstance(value, bool) or not isinstance(value, int):
            found.append(f"{at} is {value!r}, not an integer")
    elif kind in ("float", "double"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            found.append(f"{at} is {value!r}, not a number")
    elif kind == "boolean":
        if not isinstance(value, bool):
            found.append(f"{at} is {value!r}, not a boolean")
    elif kind == "blob":
        base64.b64decode(value, validate=True)
    elif not isinstance(value, str):
        found.append(f"{at} is {value!r}, not a string")
    else:
        _enum(value, shape, at, found)


def _tag(element):
    return element.tag.rsplit("}", 1)[-1]


def _xml(element, shape, path, found):
    kind, at, text = shape.type_name, path or "the body", (element.text or "").strip()
    if kind == "structure":
        names = {}
        for name, member in shape.members.items():
            flat = member.type_name == "list" and member.serialization.get("flattened")
            if flat:
                name = member.member.serialization.get("name", name)
            names[member.serialization.get("name", name)] = (member, flat)
        seen = {_tag(child) for child in element}
        for child in element:
            name = _tag(child)
            if name not in names:
                if path or name not in ("RequestId", "ResponseMetadata"):
                    found.append(f"{path}.{name} is not in the model")
                continue
            member, flat = names[name]
            _xml(child, member.member if flat else member, f"{path}.{name}", found)
        for name in shape.required_members:
            member = shape.members[name]
            place = member.serialization
            if place.get("location") or place.get("xmlAttribute") or member.type_name == "list":
                continue
            if place.get("name", name) not in seen:
                found.append(f"{path}.{name} is required and missing")
    elif kind == "list":
        wanted = shape.member.serialization.get("name", "member")
        for child in element:
            if _tag(child) != wanted:
                found.append(f"{at}: <{_tag(child)}> is not <{wanted}>")
            _xml(child, shape.member, f"{path}[]", found)
    elif kind == "timestamp":
        _timestamp(text, shape.serialization.get("timestampFormat", "iso8601"), at, found)
    elif kind in ("integer", "long"):
        if not re.fullmatch(r"-?\d+", text):
            found.append(f"{at} is {text!r}, not an integer")
    elif kind == "boolean":
        if text not in ("true", "false"):
            found.append(f"{at} is {text!r}, not a boolean")
    elif kind == "string":
        _enum(text, shape, at, found)


def _timestamp(value, form, at, found):
    if form == "unixTimestamp":
        # Before 2286: seconds, and not milliseconds.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e10:
            found.append(f"{at} is {value!r}, not seconds since 1970")
    elif form == "iso8601":
        try:
            datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        except ValueError:
            found.append(f"{at} is {value!r}, not ISO 8601")


def _enum(value, shape, at, found):
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        found.append(f"{at} is {value!r}, not one of {allowed}")
