"""MQTT 5 by paho: reasons, properties, session expiry, shared subscriptions, wills with a delay."""

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from case import case, equal, eventually, fresh
from device import restricted
from paho_v3 import Client, ok, topic

CLIENT = "paho"


def five(t, *more, **options):
    return Client(t, *more, version=mqtt.MQTTv5, **options)


def properties(kind, **values):
    made = Properties(getattr(PacketTypes, kind))
    for name, value in values.items():
        setattr(made, name, value)
    return made


def expiring(seconds):
    return properties("CONNECT", SessionExpiryInterval=seconds)


@case()
def connack_tells_the_limits_of_the_broker(t):
    with five(t) as one:
        reason, flags, told = one.connect()
        ok(reason)
        told = told.json()
        equal((told["MaximumQoS"], told.get("RetainAvailable", 1), told["TopicAliasMaximum"]), (1, 1, 8))
        equal(told["ReceiveMaximum"], 100)
        assert told["MaximumPacketSize"] >= 128 * 1024, told


@case()
def an_empty_client_id_gets_one(t):
    with five(t, name="") as one:
        reason, _, told = one.connect()
        ok(reason)
        assert told.AssignedClientIdentifier.startswith("$GEN/"), told


@case()
def properties_of_a_publish_are_passed_on(t):
    where = topic()
    with five(t) as one:
        one.connect()
        one.subscribe(where)
        sent = properties("PUBLISH", ContentType="text/plain", ResponseTopic="dt/answer", CorrelationData=b"7",
                          PayloadFormatIndicator=1, UserProperty=[("a", "1"), ("a", "2")])
        one.publish(where, "x", properties=sent)
        seen = one.message().properties
        equal((seen.ContentType, seen.ResponseTopic, seen.CorrelationData), ("text/plain", "dt/answer", b"7"))
        equal(seen.UserProperty, [("a", "1"), ("a", "2")])
        equal(seen.PayloadFormatIndicator, 1)


@case()
def a_publish_without_a_reader_is_told(t):
    with five(t) as one:
        one.connect()
        reason = one.publish(topic(), "x")
        assert reason.value in (0, 16), reason


@case()
def a_session_lives_as_long_as_it_says(t):
    where, name = topic(), fresh("client")
    with five(t, name=name) as one:
        one.connect(clean_start=True, properties=expiring(300))
        one.subscribe(where)
    with five(t) as two:
        two.connect()
        two.publish(where, "while away")

    def again():
        client = five(t, name=name)
        answer = client.connect(clean_start=False, properties=expiring(300))
        return (client, answer[1]) if answer[0].value == 0 else None

    client, flags = eventually(again, "connects again")
    with client:
        equal(flags.session_present, True)
        equal(client.message().payload, b"while away")


@case()
def a_session_without_expiry_ends_with_its_connection(t):
    name = fresh("client")
    with five(t, name=name) as one:
        one.connect(clean_start=True)
        one.subscribe(topic())

    def again():
        client = five(t, name=name)
        answer = client.connect(clean_start=False)
        return (client, answer[1]) if answer[0].value == 0 else None

    client, flags = eventually(again, "connects again")
    with client:
        equal(flags.session_present, False)


@case()
def a_shared_subscription_gives_each_message_to_one(t):
    where, group = topic(), fresh("group")
    with five(t) as one, five(t) as two, five(t) as sender:
        for client in (one, two, sender):
            client.connect()
        for client in (one, two):
            client.subscribe(f"$share/{group}/{where}")
        for index in range(10):
            sender.publish(where, str(index))
        eventually(lambda: one.inbox.qsize() + two.inbox.qsize() >= 10, "ten messages")
        got = [[m.payload for m in list(client.inbox.queue)] for client in (one, two)]
        equal(sorted(got[0] + got[1]), [str(index).encode() for index in range(10)])
        assert got[0] and got[1], got


@case()
def a_message_that_expired_is_not_delivered(t):
    where, name = topic(), fresh("client")
    with five(t, name=name) as one:
        one.connect(clean_start=True, properties=expiring(300))
        one.subscribe(where)
    with five(t) as two:
        two.connect()
        two.publish(where, "short", properties=properties("PUBLISH", MessageExpiryInterval=1))
        two.publish(where, "long", properties=properties("PUBLISH", MessageExpiryInterval=100))
        import time

        # The second of the first message must pass: it is what is tested.
        time.sleep(1.5)
    with five(t, name=name) as one:
        one.connect(clean_start=False, properties=expiring(300))
        message = one.message()
        equal(message.payload, b"long")
        assert message.properties.MessageExpiryInterval <= 99, "what is left of it"


@case()
def no_local_does_not_echo(t):
    where = topic()
    with five(t) as one, five(t) as two:
        one.connect()
        two.connect()
        one.paho.subscribe(where, options=SubscribeOptions(qos=1, noLocal=True))
        one.heard("SUBACK")
        one.publish(where, "own")
        one.silent(two, where)


@case()
def retained_messages_come_as_asked(t):
    where = topic()
    with five(t) as one, five(t) as two:
        one.connect()
        one.publish(where, "kept", retain=True)
        two.connect()
        two.paho.subscribe(where, options=SubscribeOptions(qos=1, retainHandling=2))
        two.heard("SUBACK")
        two.silent(one, where)
        two.paho.subscribe(where, options=SubscribeOptions(qos=1, retainHandling=0, retainAsPublished=True))
        two.heard("SUBACK")
        message = two.message()
        equal((message.payload, message.retain), (b"kept", True))
        one.publish(where, "", retain=True)


@case()
def a_will_waits_for_its_delay(t):
    where, name = topic(), fresh("client")
    with five(t) as listener:
        listener.connect()
        listener.subscribe(where)
        lost = five(t, name=name)
        lost.paho.will_set(where, "gone", 1, properties=properties("WILLMESSAGE", WillDelayInterval=2))
        lost.connect(clean_start=True, properties=expiring(300))
        lost.cut()
        listener.silent(listener, where)
        equal(listener.message().payload, b"gone")


@case()
def a_takeover_is_told(t):
    name = fresh("client")
    with five(t, name=name) as one:
        one.connect()

        def newer():
            client = five(t, name=name)
            return client if client.connect()[0].value == 0 else None

        with eventually(newer, "the newer one connects"):
            reason, _ = one.end()
            equal(reason.value, 142, "session taken over")


@case()
def what_the_policy_refuses_has_a_reason(t):
    own = t.once("restricted", restricted)
    with five(t, own, name=fresh("other")) as one:
        equal(one.connect()[0].value, 135, "not authorized")
    with five(t, own) as one:
        ok(one.connect()[0])
        equal(one.subscribe("not/own")[0].value, 135)
        equal(one.publish("not/own", "x").value, 135)
        where = "own/" + fresh("topic")
        one.subscribe(where)
        one.publish(where, "still here")
        equal(one.message().payload, b"still here")


@case()
def a_topic_alias_stands_for_its_topic(t):
    where = topic()
    with five(t) as one:
        one.connect()
        one.subscribe(where)
        one.publish(where, "first", properties=properties("PUBLISH", TopicAlias=3))
        equal(one.message().payload, b"first")
        one.publish("", "second", properties=properties("PUBLISH", TopicAlias=3))
        seen = one.message()
        equal((seen.topic, seen.payload), (where, b"second"))


@case()
def quality_two_is_refused(t):
    with five(t) as one:
        one.connect()
        # CONNACK said Maximum QoS 1: by MQTT 5, sending more is a protocol error (155) and the end.
        one.paho.publish(topic(), "x", 2)
        reason, _ = one.end()
        assert reason.is_failure, reason


@case()
def versions_share_one_broker(t):
    where = topic()
    with Client(t) as old, five(t) as new:
        old.connect()
        new.connect()
        old.subscribe(where)
        new.subscribe(where)
        new.publish(where, "x", properties=properties("PUBLISH", ContentType="a/b"))
        equal((old.message().payload, new.message().properties.ContentType), (b"x", "a/b"))
