"""Devices for the clients that speak MQTT or HTTPS with a certificate."""

import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from case import PRIMARY, SECONDARY, fresh

ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})


@dataclass
class Device:
    name: str
    arn: str
    cert: str
    key: str
    ca: str
    pem: str


def make(target, policy=None, region=PRIMARY):
    """A thing with an ACTIVE certificate and a policy, by default one that allows everything."""
    iot = target.boto("iot", region)
    name = fresh("device")
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.create_thing(thingName=name)
    iot.create_policy(policyName=name, policyDocument=json.dumps(policy) if policy else ALL)
    iot.attach_policy(policyName=name, target=made["certificateArn"])
    iot.attach_thing_principal(thingName=name, principal=made["certificateArn"])
    folder = Path(target.folder)
    cert, key = folder / f"{name}.cert.pem", folder / f"{name}.key.pem"
    cert.write_text(made["certificatePem"])
    key.write_text(made["keyPair"]["PrivateKey"])
    return Device(name, made["certificateArn"], str(cert), str(key), target.env["GAMEDAY_CA"], made["certificatePem"])


def shared(target):
    """One device that many cases connect with, each by a client id of its own."""
    return target.once("device", make)


def both_regions(target):
    """A device whose certificate is registered, as multi-account registration does it, in the secondary too."""

    def build(target):
        device = make(target)
        other = target.boto("iot", SECONDARY)
        arn = other.register_certificate_without_ca(certificatePem=device.pem, status="ACTIVE")["certificateArn"]
        other.create_policy(policyName=device.name, policyDocument=ALL)
        other.attach_policy(policyName=device.name, target=arn)
        return device

    return target.once("device-both", build)


def restricted(t):
    """A device that may connect as any `client-...`, and speak under its own name alone."""
    where = "arn:aws:iot:us-east-1:123456789012:"
    allow = [("iot:Connect", "client/client-*"), ("iot:Publish", "topic/own/*"), ("iot:Receive", "topic/own/*"),
             ("iot:Subscribe", "topicfilter/own/*")]
    return make(t, {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Resource": where + resource} for action, resource in allow]})


def context(device, alpn=None):
    """TLS as a device sets it up: the twin's root, its own certificate."""
    tls = ssl.create_default_context(cafile=device.ca)
    tls.load_cert_chain(device.cert, device.key)
    if alpn:
        tls.set_alpn_protocols([alpn])
    return tls


def site_packages():
    """Where the clients are installed, for child processes."""
    import boto3

    return os.path.dirname(os.path.dirname(boto3.__file__))
