"""Starts what the cases run against: a twin, or one of its peers, each in a process of its own on loopback."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import case as cases

#: The peers and their versions; `.ci/tools` installs these.
PEERS = {"moto": "5.2.5", "ministack": "1.5.33"}
START_S = 30


@contextlib.contextmanager
def start(kind, gameday, folder):
    """A target that ends with the block. A twin that runs already is taken by its variables."""
    if kind == "twin" and not gameday:
        if "GAMEDAY_CA" not in os.environ:
            raise SystemExit("no twin: give --gameday, or the variables that `gameday twin` prints")
        yield cases.Target(kind, dict(os.environ), folder)
        return
    # What the environment says of AWS is not for these.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GAMEDAY_"))}
    log = open(Path(folder) / f"{kind}.log", "w")
    env_file = Path(folder) / "twin.env"
    port = free_port()
    if kind == "twin":
        command, more = [gameday, "twin", "--quota-scale", "20", "--env", str(env_file)], {}
    elif kind == "moto":
        command, more = [peer("moto_server"), "-H", "127.0.0.1", "-p", str(port)], {}
    else:
        command = [peer("ministack")]
        more = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0", "LOG_LEVEL": "WARNING",
                "MINISTACK_ACCOUNT_ID": cases.ACCOUNT, "MINISTACK_HOST": "127.0.0.1"}
    process = subprocess.Popen(command, env={**clean, **more}, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        if kind == "twin":
            env = wait(process, kind, lambda: variables(env_file))
        else:
            url = f"http://127.0.0.1:{port}"
            probe = url + ("/moto-api/" if kind == "moto" else "/_ministack/health")
            wait(process, kind, lambda: answers(probe))
            env = {"AWS_ENDPOINT_URL": url}
            if kind == "moto":
                role(url)
        os.environ.update(env)
        yield cases.Target(kind, {**clean, **env}, folder)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        log.close()


def role(url):
    """moto's Lambda wants the role to be in its IAM; the twin and MiniStack do not look."""
    import boto3

    iam = boto3.client("iam", region_name=cases.PRIMARY, endpoint_url=url, aws_access_key_id="x", aws_secret_access_key="x")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                     "Principal": {"Service": "lambda.amazonaws.com"}}]}
    iam.create_role(RoleName="any", AssumeRolePolicyDocument=json.dumps(trust))


def peer(name):
    return str(Path(sys.executable).parent.parent / "peers/bin" / name)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def variables(path):
    """What `gameday twin --env` wrote, once it is whole."""
    text = path.read_text() if path.exists() else ""
    if "GAMEDAY_SECONDARY_HTTPS_PORT" not in text:
        return None
    return dict(re.findall(r"(\w+)=(\S+)", text))


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status < 500
    except OSError:
        return False


def wait(process, kind, look):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        if process.poll() is not None:
            raise SystemExit(f"{kind} ended with {process.returncode}")
        time.sleep(0.05)
    raise SystemExit(f"{kind} did not start in {START_S} s")
