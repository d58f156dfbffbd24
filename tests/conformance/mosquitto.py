"""The mosquitto clients, as an operator types them."""

import json
import os
import subprocess

import device
from case import case, equal, eventually, fresh

CLIENT = "mosquitto"


def command(t, program, *arguments, own=None, side="PRIMARY", port="MQTT_PORT", host=None):
    own = own or device.shared(t)
    return [program, "-h", host or t.of(side, "ADDRESS"), "-p", t.of(side, port), "--cafile", own.ca, "--cert", own.cert,
            "--key", own.key, "-i", fresh("client"), *arguments]


def run(t, program, *arguments, **more):
    return subprocess.run(command(t, program, *arguments, **more), capture_output=True, text=True, timeout=25,
                          stdin=subprocess.DEVNULL)


class Listener:
    """A subscriber that has subscribed (`-d` says so). A terminal, since into a pipe it writes when it ends."""

    def __init__(self, t, *arguments, **more):
        reader, writer = os.openpty()
        self.child = subprocess.Popen(command(t, "mosquitto_sub", "-d", "-W", "20", *arguments, **more), stdout=writer,
                                      stderr=writer, stdin=subprocess.DEVNULL)
        os.close(writer)
        self.lines = self._read(reader)
        if not any(line.startswith("Subscribed") for line in self.lines):
            raise AssertionError("it did not subscribe")

    def _read(self, reader):
        with open(reader, errors="replace") as out:
            try:
                for line in out:
                    yield line.strip()
            except OSError:
                return  # The other end of a terminal is closed.

    def heard(self):
        """The lines that are no debug output, up to its end."""
        said = [line for line in self.lines if not line.startswith(("Client ", "Subscribed", "All subs"))]
        self.child.wait(25)
        return said


def talk(t, version):
    where = f"dt/{fresh('topic')}"
    child = Listener(t, "-V", version, "-q", "1", "-t", where, "-C", "2", "-F", "%q %p")
    for text in ("one", "two"):
        equal(run(t, "mosquitto_pub", "-V", version, "-q", "1", "-t", where, "-m", text).returncode, 0)
    equal(child.heard(), ["1 one", "1 two"])
    equal(child.child.returncode, 0)


@case()
def publish_and_subscribe_on_3_1_1(t):
    talk(t, "311")


@case()
def publish_and_subscribe_on_5(t):
    talk(t, "5")


@case()
def retained_and_cleared(t):
    where = f"dt/{fresh('topic')}"
    equal(run(t, "mosquitto_pub", "-q", "1", "-r", "-t", where, "-m", "kept").returncode, 0)
    equal(run(t, "mosquitto_sub", "-t", where, "-C", "1", "-W", "10", "-F", "%r %p").stdout.strip(), "1 kept")
    run(t, "mosquitto_sub", "-t", where, "--remove-retained", "-W", "1")

    def clear():
        return run(t, "mosquitto_sub", "-t", where, "-C", "1", "-W", "1").returncode == 27

    eventually(clear, "nothing is retained")


@case()
def request_and_response_on_5(t):
    where, answer = f"dt/{fresh('topic')}", f"dt/{fresh('answer')}"
    child = Listener(t, "-V", "5", "-q", "1", "-t", where, "-C", "1", "-F", "%R %p")
    asking = subprocess.Popen(command(t, "mosquitto_rr", "-V", "5", "-q", "1", "-t", where, "-e", answer, "-m", "how?",
                                      "-W", "15"), stdout=subprocess.PIPE, text=True)
    equal(child.heard(), [f"{answer} how?"])
    equal(run(t, "mosquitto_pub", "-V", "5", "-q", "1", "-t", answer, "-m", "fine").returncode, 0)
    equal(asking.communicate(timeout=20)[0].strip(), "fine")


@case()
def a_will_of_a_killed_client_is_heard(t):
    where = f"dt/{fresh('topic')}"
    child = Listener(t, "-q", "1", "-t", where, "-C", "1")
    lost = Listener(t, "-t", f"{where}/x", "--will-topic", where, "--will-payload", "gone", "--will-qos", "1")
    lost.child.kill()
    lost.child.wait()
    equal(child.heard(), ["gone"])


@case()
def a_certificate_of_the_other_region_is_refused(t):
    assert run(t, "mosquitto_pub", "-q", "1", "-t", "dt/x", "-m", "x", side="SECONDARY").returncode != 0


@case()
def without_a_certificate_nobody_connects(t):
    plain = ["mosquitto_pub", "-h", t.of("PRIMARY", "ADDRESS"), "-p", t.of("PRIMARY", "MQTT_PORT"), "--cafile",
             t.env["GAMEDAY_CA"], "-i", fresh("client"), "-q", "1", "-t", "dt/x", "-m", "x"]
    assert subprocess.run(plain, capture_output=True, timeout=25).returncode != 0


@case()
def the_https_port_speaks_mqtt_by_alpn(t):
    done = run(t, "mosquitto_pub", "--tls-alpn", "x-amzn-mqtt-ca", "-q", "1", "-t", "dt/x", "-m", "x", port="HTTPS_PORT")
    equal(done.returncode, 0, done.stderr)


@case("iot-data:GetThingShadow")
def a_shadow_is_updated(t):
    own = device.make(t)
    document = json.dumps({"state": {"reported": {"lumen": 800}}})
    equal(run(t, "mosquitto_pub", "-q", "1", "-t", f"$aws/things/{own.name}/shadow/update", "-m", document,
              own=own).returncode, 0)
    seen = json.loads(t.boto("iot-data").get_thing_shadow(thingName=own.name)["payload"].read())
    equal((seen["state"], seen["version"]), ({"reported": {"lumen": 800}}, 1))
