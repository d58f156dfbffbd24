"""What all cases share: how one is registered, what it is handed, and how it waits.

A case is a function of one `Target`. It passes by returning, is skipped by `skip(why)` and fails by anything else.
"""

import itertools
import os
import secrets
import threading
import time
from dataclasses import dataclass, field

import shapes

CASES = []
#: The longest that `eventually` waits, and that one call may take.
WAIT_S = float(os.environ.get("CONFORMANCE_WAIT_S", "20"))
CALL_S = 15
ACCOUNT = "123456789012"
PRIMARY, SECONDARY = "us-east-1", "us-west-2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"


class Skipped(Exception):
    """Says why a case was not tried; it never counts as passed."""


def skip(why):
    raise Skipped(why)


@dataclass(frozen=True)
class Case:
    name: str
    client: str
    #: `service:Operation`, as botocore names the service.
    operations: tuple
    #: Applies to moto and MiniStack too.
    peers: bool
    #: Changes what other cases see: it runs by itself.
    alone: bool
    run: object


def case(operations="", *, peers=False, alone=False):
    """Registers a case of the module's `CLIENT`. Its name is the function's."""

    def register(run):
        client = run.__globals__["CLIENT"]
        CASES.append(Case(run.__name__, client, tuple(operations.split()), peers, alone, run))
        return run

    return register


@dataclass
class Target:
    """Where the calls go. `twin` has all of it; moto and MiniStack have the API alone."""

    kind: str
    env: dict
    folder: str
    clients: dict = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    kept: dict = field(default_factory=dict)

    @property
    def url(self):
        return self.env["AWS_ENDPOINT_URL"]

    def boto(self, service, region=PRIMARY, **more):
        """A boto3 client whose every answer is held against botocore's model."""
        key = (service, region, tuple(more.items()))
        with self.lock:
            if key not in self.clients:
                self.clients[key] = self._boto(service, region, more)
            return self.clients[key]

    def _boto(self, service, region, more):
        import boto3
        from botocore.config import Config

        retries = {"total_max_attempts": 1, "mode": "standard"}
        config = Config(retries=retries, connect_timeout=5, read_timeout=CALL_S, max_pool_connections=20, **more)
        session = self.kept.setdefault("session", boto3.session.Session("test", "test", region_name=PRIMARY))
        client = session.client(service, region_name=region, endpoint_url=self.url, config=config)
        shapes.watch(client)
        return client

    def once(self, key, make):
        """What several cases use and nobody changes, made by the first one."""
        with self.lock:
            if key not in self.kept:
                self.kept[key] = make(self)
            return self.kept[key]

    def of(self, side, name):
        """A variable of a Region's endpoint: `of("PRIMARY", "HOST")`."""
        return self.env[f"GAMEDAY_{side}_{name}"]


_number = itertools.count(1)
_run = secrets.token_hex(3)


def fresh(kind):
    """A name that nothing else has."""
    return f"{kind}-{_run}-{next(_number)}"


def eventually(look, what, within_s=None):
    """Polls until `look` answers with something true."""
    deadline = time.monotonic() + (WAIT_S if within_s is None else within_s)
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.05)


def equal(left, right, what=""):
    assert left == right, f"{what + ': ' if what else ''}{left!r} is not {right!r}"


def refused(code, call, *arguments, status=None, **parameters):
    """The call must fail with this code; the answer is botocore's error."""
    from botocore.exceptions import ClientError

    name = getattr(call, "__name__", "the call")
    try:
        call(*arguments, **parameters)
    except ClientError as error:
        got = error.response["Error"]["Code"]
        assert got == code, f"{name}: {got} ({error.response['Error'].get('Message')}) is not {code}"
        owner = getattr(call, "__self__", None)
        if owner is not None and hasattr(owner.exceptions, code):
            assert isinstance(error, getattr(owner.exceptions, code)), f"{name}: not the client's exceptions.{code}"
        if status is not None:
            equal(error.response["ResponseMetadata"]["HTTPStatusCode"], status, f"{name}: HTTP status")
        return error
    raise AssertionError(f"{name} was accepted; {code} was expected")
