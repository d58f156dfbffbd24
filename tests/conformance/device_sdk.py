"""The AWS IoT Device SDK v2 for Python: MQTT 3.1.1 by mtls_from_path, MQTT 5, and the shadow client."""

import queue
from concurrent.futures import Future

from awscrt import exceptions, http, io, mqtt, mqtt5, mqtt_request_response
import awsiot
from awsiot import iotshadow, mqtt5_client_builder, mqtt_connection_builder

import device
import resolver
from case import WAIT_S, case, equal, eventually, fresh

CLIENT = "device-sdk"


def at(t, own=None, side="PRIMARY", port="MQTT_PORT", **more):
    """What both builders take: the endpoint, dialled by its address, and the device's files."""
    own = own or device.shared(t)
    return {"endpoint": t.of(side, "ADDRESS"), "port": int(t.of(side, port)), "cert_filepath": own.cert,
            "pri_key_filepath": own.key, "ca_filepath": own.ca, "client_id": fresh("client"), **more}


def connection(t, own=None, **more):
    """An MQTT 3.1.1 connection as the SDK's samples make it."""
    return mqtt_connection_builder.mtls_from_path(**at(t, own, **more), clean_session=True, keep_alive_secs=60)


@case()
def connect_publish_subscribe_on_3_1_1(t):
    one, inbox, where = connection(t), queue.Queue(), f"dt/{fresh('topic')}"
    equal(one.connect().result(WAIT_S)["session_present"], False)
    done, _ = one.subscribe(where, mqtt.QoS.AT_LEAST_ONCE, lambda topic, payload, **_: inbox.put((topic, payload)))
    equal(done.result(WAIT_S)["qos"], mqtt.QoS.AT_LEAST_ONCE)
    done, _ = one.publish(where, "hello", mqtt.QoS.AT_LEAST_ONCE)
    done.result(WAIT_S)
    equal(inbox.get(timeout=WAIT_S), (where, b"hello"))
    done, _ = one.unsubscribe(where)
    done.result(WAIT_S)
    one.disconnect().result(WAIT_S)


@case()
def an_endpoint_is_dialled_by_name(t):
    # The certificate of a device is SNI_ONLY in the secondary: it connects by the endpoint's name, and not by address.
    own = device.both_regions(t)
    with resolver.Proxy(t.env["GAMEDAY_DNS"]) as proxy:
        by_name = connection(t, own, side="SECONDARY", endpoint=t.of("SECONDARY", "HOST"),
                             http_proxy_options=http.HttpProxyOptions("127.0.0.1", proxy.port))
        by_name.connect().result(WAIT_S)
        by_name.disconnect().result(WAIT_S)
    by_address = connection(t, own, side="SECONDARY")
    try:
        by_address.connect().result(WAIT_S)
    except exceptions.AwsCrtError:
        return
    raise AssertionError("an address was let in")


@case()
def a_will_is_heard_when_the_connection_is_lost(t):
    where, inbox = f"dt/{fresh('topic')}", queue.Queue()
    listener = connection(t)
    listener.connect().result(WAIT_S)
    done, _ = listener.subscribe(where, mqtt.QoS.AT_LEAST_ONCE, lambda topic, payload, **_: inbox.put(payload))
    done.result(WAIT_S)
    will = mqtt.Will(where, mqtt.QoS.AT_LEAST_ONCE, b"gone", False)
    name = fresh("client")
    lost = connection(t, will=will, client_id=name)
    lost.connect().result(WAIT_S)

    def take_over():
        other = connection(t, client_id=name)
        try:
            other.connect().result(WAIT_S)
        except exceptions.AwsCrtError:
            return None
        return other

    # A connection that is taken over is one that is lost.
    other = eventually(take_over, "a client id connects once a second")
    equal(inbox.get(timeout=WAIT_S), b"gone")
    for one in (lost, other, listener):
        one.disconnect().result(WAIT_S)


class Five:
    """An MQTT 5 client whose callbacks are queues."""

    def __init__(self, t, own=None, name=None, **more):
        self.inbox, self.events, self.stopped = queue.Queue(), queue.Queue(), Future()
        if name:
            more["client_id"] = name
        self.client = mqtt5_client_builder.mtls_from_path(
            **at(t, own, **more), keep_alive_interval_sec=60,
            on_publish_received=lambda data: self.inbox.put(data.publish_packet),
            on_lifecycle_connection_success=lambda data: self.events.put(("success", data)),
            on_lifecycle_connection_failure=lambda data: self.events.put(("failure", data)),
            on_lifecycle_disconnection=lambda data: self.events.put(("end", data)),
            on_lifecycle_stopped=lambda data: self.stopped.set_result(None))

    def __enter__(self):
        self.client.start()
        return self

    def __exit__(self, *_):
        self.client.stop()
        self.stopped.result(WAIT_S)

    def event(self, kind):
        got, data = self.events.get(timeout=WAIT_S)
        equal(got, kind)
        return data

    def subscribe(self, topic):
        packet = mqtt5.SubscribePacket([mqtt5.Subscription(topic, mqtt5.QoS.AT_LEAST_ONCE)])
        return self.client.subscribe(packet).result(WAIT_S).reason_codes

    def publish(self, topic, payload, **more):
        packet = mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE, **more)
        return self.client.publish(packet).result(WAIT_S).puback


@case()
def connect_publish_subscribe_on_5(t):
    where = f"dt/{fresh('topic')}"
    with Five(t) as one:
        data = one.event("success")
        equal((data.negotiated_settings.maximum_qos, data.connack_packet.reason_code),
              (mqtt5.QoS.AT_LEAST_ONCE, mqtt5.ConnectReasonCode.SUCCESS))
        equal(one.subscribe(where), [mqtt5.SubackReasonCode.GRANTED_QOS_1])
        ack = one.publish(where, "hello", content_type="text/plain", user_properties=[mqtt5.UserProperty("a", "1")])
        equal(ack.reason_code, mqtt5.PubackReasonCode.SUCCESS)
        seen = one.inbox.get(timeout=WAIT_S)
        equal((seen.payload, seen.content_type, [(x.name, x.value) for x in seen.user_properties]),
              (b"hello", "text/plain", [("a", "1")]))


@case()
def a_session_is_rejoined_on_5(t):
    where, name = f"dt/{fresh('topic')}", fresh("client")
    with Five(t, name=name, session_expiry_interval_sec=300) as one:
        one.event("success")
        one.subscribe(where)
    with Five(t) as two:
        two.event("success")
        two.publish(where, "while away")

    def again():
        client = Five(t, name=name, session_behavior=mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS,
                      session_expiry_interval_sec=300)
        client.__enter__()
        kind, data = client.events.get(timeout=WAIT_S)
        if kind == "success":
            return client, data
        client.__exit__()

    client, data = eventually(again, "a client id connects once a second")
    equal(data.connack_packet.session_present, True)
    equal(client.inbox.get(timeout=WAIT_S).payload, b"while away")
    client.__exit__()


@case()
def a_policy_refuses_on_5(t):
    from device import restricted

    own = t.once("restricted", restricted)
    with Five(t, own, name=fresh("other")) as one:
        failure = one.event("failure")
        equal(failure.connack_packet.reason_code, mqtt5.ConnectReasonCode.NOT_AUTHORIZED)


def shadow(t, own, name, five):
    """The generated shadow client over either protocol; the answer is what it heard and what closes it."""
    if five:
        under = Five(t, own)
        under.__enter__()
        under.event("success")
        return iotshadow.IotShadowClient(under.client), under.__exit__
    under = connection(t, own)
    under.connect().result(WAIT_S)
    return iotshadow.IotShadowClient(under), lambda: under.disconnect().result(WAIT_S)


def shadow_life(t, five):
    own, heard = device.make(t), queue.Queue()
    client, close = shadow(t, own, own.name, five)
    level = mqtt.QoS.AT_LEAST_ONCE

    def on(kind):
        return lambda answer: heard.put((kind, answer))

    asked = {"thing_name": own.name}
    for subscribe, request in (
        (client.subscribe_to_update_shadow_accepted, iotshadow.UpdateShadowSubscriptionRequest),
        (client.subscribe_to_update_shadow_rejected, iotshadow.UpdateShadowSubscriptionRequest),
        (client.subscribe_to_get_shadow_accepted, iotshadow.GetShadowSubscriptionRequest),
        (client.subscribe_to_get_shadow_rejected, iotshadow.GetShadowSubscriptionRequest),
        (client.subscribe_to_delete_shadow_accepted, iotshadow.DeleteShadowSubscriptionRequest),
        (client.subscribe_to_shadow_delta_updated_events, iotshadow.ShadowDeltaUpdatedSubscriptionRequest),
        (client.subscribe_to_shadow_updated_events, iotshadow.ShadowUpdatedSubscriptionRequest),
    ):
        done, _ = subscribe(request(**asked), level, on(subscribe.__name__.removeprefix("subscribe_to_")))
        done.result(WAIT_S)

    def answers(count):
        return dict(heard.get(timeout=WAIT_S) for _ in range(count))

    client.publish_get_shadow(iotshadow.GetShadowRequest(**asked), level).result(WAIT_S)
    equal(answers(1)["get_shadow_rejected"].code, 404)
    wanted = iotshadow.ShadowState(desired={"on": True, "lumen": 5}, reported={"on": False})
    client.publish_update_shadow(iotshadow.UpdateShadowRequest(**asked, state=wanted, client_token="mine"),
                                 level).result(WAIT_S)
    seen = answers(3)
    equal((seen["update_shadow_accepted"].version, seen["update_shadow_accepted"].client_token), (1, "mine"))
    equal(seen["shadow_delta_updated_events"].state, {"on": True, "lumen": 5})
    equal(seen["shadow_updated_events"].current.state.desired, {"on": True, "lumen": 5})
    client.publish_get_shadow(iotshadow.GetShadowRequest(**asked), level).result(WAIT_S)
    equal(answers(1)["get_shadow_accepted"].state.delta, {"on": True, "lumen": 5})
    client.publish_update_shadow(iotshadow.UpdateShadowRequest(**asked, state=wanted, version=9), level).result(WAIT_S)
    equal(answers(1)["update_shadow_rejected"].code, 409)
    client.publish_delete_shadow(iotshadow.DeleteShadowRequest(**asked), level).result(WAIT_S)
    equal(answers(1)["delete_shadow_accepted"].version, 1)
    close()


@case()
def the_shadow_client_on_3_1_1(t):
    shadow_life(t, False)


@case()
def the_shadow_client_on_5(t):
    shadow_life(t, True)


@case()
def the_shadow_client_of_version_2(t):
    # Its requests wait for their answer, over response topics of its own.
    own = device.make(t)
    with Five(t, own) as one:
        one.event("success")
        options = mqtt_request_response.ClientOptions(max_request_response_subscriptions=4, max_streaming_subscriptions=2)
        client = iotshadow.IotShadowClientV2(one.client, options)
        wanted = iotshadow.ShadowState(reported={"a": 1})
        request = iotshadow.UpdateShadowRequest(thing_name=own.name, state=wanted)
        equal(client.update_shadow(request).result(WAIT_S).version, 1)
        equal(client.get_shadow(iotshadow.GetShadowRequest(thing_name=own.name)).result(WAIT_S).state.reported, {"a": 1})
        named = iotshadow.UpdateNamedShadowRequest(thing_name=own.name, shadow_name="config", state=wanted)
        equal(client.update_named_shadow(named).result(WAIT_S).version, 1)
        try:
            client.get_named_shadow(iotshadow.GetNamedShadowRequest(thing_name=own.name, shadow_name="none")).result(WAIT_S)
        except awsiot.V2ServiceException as error:
            equal(error.modeled_error.code, 404)
        else:
            raise AssertionError("an absent shadow was got")
        equal(client.delete_shadow(iotshadow.DeleteShadowRequest(thing_name=own.name)).result(WAIT_S).version, 1)


@case()
def the_https_port_speaks_mqtt_by_alpn(t):
    # The builders ask by ALPN on port 443 alone; the twin's port is another, so it is said.
    own = device.shared(t)
    options = io.TlsContextOptions.create_client_with_mtls_from_path(own.cert, own.key)
    options.override_default_trust_store_from_path(None, own.ca)
    options.alpn_list = ["x-amzn-mqtt-ca"]
    one = mqtt.Connection(mqtt.Client(tls_ctx=io.ClientTlsContext(options)), t.of("PRIMARY", "ADDRESS"),
                          int(t.of("PRIMARY", "HTTPS_PORT")), fresh("client"))
    one.connect().result(WAIT_S)
    one.disconnect().result(WAIT_S)
