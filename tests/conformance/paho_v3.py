"""MQTT 3.1.1 by paho: sessions, retained messages, wills, policies, and shadows over MQTT."""

import json
import queue

import paho.mqtt.client as mqtt

import device
from case import WAIT_S, case, equal, eventually, fresh

CLIENT = "paho"


class Client:
    """A paho client whose callbacks are queues, so that a case reads like a conversation."""

    def __init__(self, t, own=None, side="PRIMARY", name=None, version=mqtt.MQTTv311, alpn=None, https=False, **more):
        own = own or device.shared(t)
        self.inbox, self.ended, self.said = queue.Queue(), queue.Queue(), queue.Queue()
        self.paho = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=fresh("client") if name is None else name,
                                protocol=version, reconnect_on_failure=False, **more)
        self.paho.tls_set_context(device.context(own, alpn))
        # Dialled by address: the certificate of the endpoint names the host.
        self.paho.tls_insecure_set(True)
        self.paho.on_connect = lambda client, data, flags, reason, properties: self.said.put(
            ("CONNACK", reason, flags, properties))
        self.paho.on_message = lambda client, data, message: self.inbox.put(message)
        self.paho.on_disconnect = lambda client, data, flags, reason, properties: self.ended.put((reason, properties))
        self.paho.on_subscribe = lambda client, data, mid, reasons, properties: self.said.put(("SUBACK", reasons))
        self.paho.on_publish = lambda client, data, mid, reason, properties: self.said.put(("PUBACK", reason))
        self.paho.on_unsubscribe = lambda client, data, mid, reasons, properties: self.said.put(("UNSUBACK", reasons))
        self.at = (t.of(side, "ADDRESS"), int(t.of(side, "HTTPS_PORT" if https else "MQTT_PORT")))

    def connect(self, **more):
        """Connects; the answer is the CONNACK."""
        self.paho.connect(*self.at, keepalive=60, **more)
        self.paho.loop_start()
        return self.heard("CONNACK")

    def heard(self, kind):
        answer = self.said.get(timeout=WAIT_S)
        equal(answer[0], kind)
        return answer[1:]

    def subscribe(self, topic, qos=1, **more):
        code, _ = self.paho.subscribe(topic, qos, **more)
        equal(code, mqtt.MQTT_ERR_SUCCESS)
        return self.heard("SUBACK")[0]

    def publish(self, topic, payload, qos=1, **more):
        self.paho.publish(topic, payload, qos, **more)
        return self.heard("PUBACK")[0]

    def message(self):
        return self.inbox.get(timeout=WAIT_S)

    def end(self):
        return self.ended.get(timeout=WAIT_S)

    def silent(self, sender, topic):
        """Nothing came before what is published now, which does come."""
        sender.publish(topic, "marker")
        equal(self.message().payload, b"marker")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.paho.disconnect()
        self.paho.loop_stop()

    def cut(self):
        """Loses the connection without a DISCONNECT."""
        import socket

        self.paho.socket().shutdown(socket.SHUT_RDWR)
        self.end()
        self.paho.loop_stop()


def ok(reason):
    equal(getattr(reason, "value", reason), 0, str(reason))


def topic():
    return f"dt/{fresh('topic')}"


@case()
def a_message_is_published_and_received(t):
    where = topic()
    with Client(t) as one, Client(t) as two:
        for client in (one, two):
            ok(client.connect()[0])
        equal(one.subscribe(where)[0].value, 1)
        two.publish(where, "hello")
        message = one.message()
        equal((message.topic, message.payload, message.qos, message.retain), (where, b"hello", 1, False))


@case()
def the_quality_is_the_lower_of_both(t):
    where = topic()
    with Client(t) as one:
        one.connect()
        one.subscribe(where, 0)
        one.publish(where, "x", 1)
        equal(one.message().qos, 0)


@case()
def wildcards_match_levels(t):
    base = topic()
    with Client(t) as one:
        one.connect()
        one.subscribe(f"{base}/+/state")
        one.publish(f"{base}/a/b/state", "deeper")
        one.publish(f"{base}/a/state", "one level")
        equal(one.message().payload, b"one level")


@case()
def a_hash_does_not_match_its_parent(t):
    # AWS: "'#' ... doesn't include the topic itself", other than the specification.
    base = topic()
    with Client(t) as one:
        one.connect()
        one.subscribe(f"{base}/#")
        one.publish(base, "the parent")
        one.silent(one, f"{base}/child")


@case()
def after_unsubscribe_nothing_comes(t):
    where, other = topic(), topic()
    with Client(t) as one:
        one.connect()
        one.subscribe(where)
        one.subscribe(other)
        one.paho.unsubscribe(where)
        one.heard("UNSUBACK")
        one.publish(where, "x")
        one.silent(one, other)


@case()
def a_persistent_session_keeps_subscriptions_and_messages(t):
    where, name = topic(), fresh("client")
    one = Client(t, name=name, clean_session=False)
    equal(one.connect()[1].session_present, False)
    one.subscribe(where)
    with one:
        pass
    with Client(t) as two:
        two.connect()
        two.publish(where, "while away")
    again = eventually(lambda: _connected(t, name, clean_session=False), "a client id connects once a second")
    with again[0]:
        equal(again[1].session_present, True)
        equal(again[0].message().payload, b"while away")


def _connected(t, name, **more):
    client = Client(t, name=name, **more)
    try:
        answer = client.connect()
    except Exception:
        return None
    return (client, answer[1]) if answer[0].value == 0 else None


@case()
def a_clean_session_forgets(t):
    where, name = topic(), fresh("client")
    with Client(t, name=name, clean_session=True) as one:
        one.connect()
        one.subscribe(where)
    again = eventually(lambda: _connected(t, name, clean_session=True), "connects again")
    with again[0]:
        equal(again[1].session_present, False)


@case()
def a_retained_message_meets_new_subscribers(t):
    where = topic()
    with Client(t) as one, Client(t) as two:
        one.connect()
        one.publish(where, "kept", retain=True)
        two.connect()
        two.subscribe(where)
        message = two.message()
        equal((message.payload, message.retain), (b"kept", True))
        one.publish(where, "", retain=True)
        equal((two.message().payload), b"")
    with Client(t) as three:
        three.connect()
        three.subscribe(where)
        three.publish(where, "now")
        equal(three.message().payload, b"now", "an empty payload clears it")


@case()
def a_will_is_sent_when_the_connection_is_lost(t):
    where = topic()
    with Client(t) as listener:
        listener.connect()
        listener.subscribe(where)
        lost = Client(t)
        lost.paho.will_set(where, "gone", qos=1)
        lost.connect()
        lost.cut()
        equal(listener.message().payload, b"gone")


@case()
def a_disconnect_sends_no_will(t):
    where = topic()
    with Client(t) as listener:
        listener.connect()
        listener.subscribe(where)
        leaver = Client(t)
        leaver.paho.will_set(where, "gone", qos=1)
        leaver.connect()
        with leaver:
            pass
        listener.silent(listener, where)


@case()
def a_newer_connection_takes_the_client_id(t):
    name = fresh("client")
    with Client(t, name=name) as one:
        one.connect()
        with eventually(lambda: _connected(t, name), "the newer one connects")[0]:
            one.end()


@case()
def lifecycle_events_tell_connects_and_disconnects(t):
    name = fresh("client")
    with Client(t) as listener:
        listener.connect()
        listener.subscribe(f"$aws/events/presence/+/{name}")
        with Client(t, name=name) as one:
            one.connect()
            event = json.loads(listener.message().payload)
            equal((event["eventType"], event["clientId"]), ("connected", name))
            assert event["principalIdentifier"] in device.shared(t).arn and event["timestamp"] > 1e12
        event = json.loads(listener.message().payload)
        equal((event["eventType"], event["disconnectReason"], event["clientInitiatedDisconnect"]),
              ("disconnected", "CLIENT_INITIATED_DISCONNECT", True))


@case()
def a_shadow_is_updated_over_mqtt(t):
    own = device.make(t)
    base = f"$aws/things/{own.name}/shadow"
    with Client(t, own) as one:
        one.connect()
        for kind in ("update/accepted", "update/delta", "update/documents", "get/accepted", "delete/accepted"):
            one.subscribe(f"{base}/{kind}")
        one.publish(f"{base}/update", json.dumps({"state": {"desired": {"on": True}}, "clientToken": "mine"}))
        seen = {m.topic.removeprefix(base + "/"): json.loads(m.payload) for m in (one.message() for _ in range(3))}
        equal((seen["update/accepted"]["version"], seen["update/accepted"]["clientToken"]), (1, "mine"))
        equal(seen["update/delta"]["state"], {"on": True})
        equal(seen["update/documents"]["current"]["state"], {"desired": {"on": True}})
        one.publish(f"{base}/get", "")
        equal(json.loads(one.message().payload)["state"], {"desired": {"on": True}, "delta": {"on": True}})
        one.publish(f"{base}/delete", "")
        equal(json.loads(one.message().payload)["version"], 1)


@case()
def a_wrong_shadow_update_is_rejected(t):
    own = device.make(t)
    base = f"$aws/things/{own.name}/shadow"
    with Client(t, own) as one:
        one.connect()
        for kind in ("update/rejected", "get/rejected"):
            one.subscribe(f"{base}/{kind}")
        for payload, code in (("{", 400), ("{}", 400), ('{"state":{"desired":{}},"version":9}', 409)):
            one.publish(f"{base}/update", payload)
            equal(json.loads(one.message().payload)["code"], code, payload)
        one.publish(f"{base}/get", '{"clientToken":"mine"}')
        seen = json.loads(one.message().payload)
        equal((seen["code"], seen["clientToken"]), (404, "mine"))


@case()
def a_policy_refuses_a_client_id(t):
    own = t.once("restricted", device.restricted)
    # AWS's developer guide: a connection that is not authorised is answered with return code 7 on MQTT 3.1.1.
    with Client(t, own, name=fresh("other")) as one:
        reason = one.connect()[0]
        assert reason.is_failure, reason


@case()
def a_publish_against_the_policy_ends_the_connection(t):
    own = t.once("restricted", device.restricted)
    with Client(t, own) as one:
        ok(one.connect()[0])
        one.paho.publish("not/own", "x", 1)
        one.end()


@case()
def a_subscription_against_the_policy_is_refused(t):
    own = t.once("restricted", device.restricted)
    with Client(t, own) as one:
        ok(one.connect()[0])
        assert one.subscribe("not/own")[0].is_failure


@case()
def an_unknown_certificate_does_not_connect(t):
    own = device.make(t)
    with Client(t, own, side="SECONDARY") as one:
        try:
            assert one.connect()[0].is_failure
        except (OSError, queue.Empty):
            pass


@case()
def deactivation_ends_the_connection(t):
    own = device.make(t)
    with Client(t, own) as one:
        ok(one.connect()[0])
        t.boto("iot").update_certificate(certificateId=own.arn.split("/")[-1], newStatus="INACTIVE")
        one.end()


@case()
def the_https_port_speaks_mqtt_by_alpn(t):
    with Client(t, https=True, alpn="x-amzn-mqtt-ca") as one:
        ok(one.connect()[0])
        where = topic()
        one.subscribe(where)
        one.publish(where, "x")
        equal(one.message().payload, b"x")


@case()
def nine_filters_in_a_packet_are_too_many(t):
    with Client(t) as one:
        ok(one.connect()[0])
        one.paho.subscribe([(f"dt/{index}", 0) for index in range(9)])
        one.end()


@case()
def a_topic_with_eight_slashes_ends_the_connection(t):
    with Client(t) as one:
        ok(one.connect()[0])
        one.paho.publish("1/2/3/4/5/6/7/8/9", "x", 1)
        one.end()


@case()
def registry_events_are_published(t):
    t.boto("iot").update_event_configurations(eventConfigurations={"THING": {"Enabled": True}})
    name = fresh("thing")
    with Client(t) as one:
        one.connect()
        one.subscribe(f"$aws/events/thing/{name}/#")
        t.boto("iot").create_thing(thingName=name, attributePayload={"attributes": {"a": "1"}})
        event = json.loads(one.message().payload)
        equal((event["eventType"], event["operation"], event["thingName"]), ("THING_EVENT", "CREATED", name))
        equal((event["attributes"], event["versionNumber"]), ({"a": "1"}, 1))


@case("iot-data:Publish")
def a_publish_by_https_reaches_subscribers(t):
    where = topic()
    with Client(t) as one:
        one.connect()
        one.subscribe(where)
        t.boto("iot-data").publish(topic=where, qos=1, payload=b"\x00\xff")
        equal(one.message().payload, b"\x00\xff")


