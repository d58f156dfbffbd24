#!/usr/bin/env python3
"""Runs the boto3 cases against the twin, moto and MiniStack, and writes what differs into DIFFERENCES.md.

    target/tools/bin/python tests/conformance/peers.py --gameday target/release/gameday
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from reasons import REASONS
from targets import PEERS

HERE = Path(__file__).parent
TARGETS = ("twin", "moto", "ministack")
#: The API reference of a service; operations are pages of it.
REFERENCE = {
    "iot": "https://docs.aws.amazon.com/iot/latest/apireference/API_",
    "iot-data": "https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_",
    "dynamodb": "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_",
    "dynamodbstreams": "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_",
    "lambda": "https://docs.aws.amazon.com/lambda/latest/api/API_",
    "route53": "https://docs.aws.amazon.com/Route53/latest/APIReference/API_",
    "stepfunctions": "https://docs.aws.amazon.com/step-functions/latest/apireference/API_",
    "sts": "https://docs.aws.amazon.com/STS/latest/APIReference/API_",
    "s3": "https://docs.aws.amazon.com/AmazonS3/latest/API/API_",
    "sqs": "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_",
    "events": "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_",
    "cloudformation": "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_",
}
#: What a failure's text means, where nobody wrote a better reason. The first that matches counts.
KINDS = (
    (r"The twin (does not|has n)|twin does not have it yet", "not in the twin"),
    (r"Unable to parse|\(500\)|: 500 \(", "fails with a server error"),
    (r"Unsupported (method|iot-data)", "not implemented"),
    (r"one page of", "does not page: page size ignored"),
    (r"was accepted; (\w+) was expected", r"accepts what AWS refuses with \1"),
    (r"required member (\w+) is missing", r"leaves out the required \1"),
    (r"KeyError: '(\w+)'", r"leaves out \1"),
    (r"([.\w]+) is not in the model", r"answers \1, which the model lacks"),
    (r"shape: [\w:-]+: ([^;]+)", r"\1"),
    (r": (\w+) \(.*\) is not (\w+)", r"\1 where AWS says \2"),
    (r"HTTP status: (\d+) is not (\d+)", r"status \1 where AWS says \2"),
    (r"not in time: (.*)", r"never: \1"),
    (r"(\w+Exception|ClientError): An error occurred \((\w+)\)", r"refuses it: \2"),
    (r"AssertionError: (.*)", r"\1"),
)


def play(target, gameday):
    """The cases of one target: name -> (outcome, why, operations)."""
    command = [sys.executable, str(HERE / "run.py"), "--target", target, "--client", "boto3", "--json"]
    if target == "twin":
        command += ["--gameday", gameday]
    # What a peer has not done in four seconds it does not do: its state changes at once.
    env = {**os.environ, "CONFORMANCE_WAIT_S": "20" if target == "twin" else "4"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = {line["case"]: line for line in lines if "case" in line}
    if not found:
        raise SystemExit(f"{target}: no case ran: {done.stderr[-500:]}")
    return found


def kind(line):
    """One short phrase for a cell."""
    if line["outcome"] == "passed":
        return "as AWS"
    if line["outcome"] == "skipped":
        return "not in the twin"
    why = re.sub(r"\s+", " ", line["why"])
    for pattern, phrase in KINDS:
        found = re.search(pattern, why)
        if found:
            text = re.sub(r"(\w+)[-_][0-9a-f]{6}[-_]\d+", r"\1", found.expand(phrase))
            text = re.sub(r"[0-9a-f]{32,}", "…", text)
            return (text if len(text) <= 90 else text[:89] + "…").replace("|", "\\|").replace("<", "&lt;")
    return why[:80].replace("|", "\\|")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gameday", required=True)
    parser.add_argument("--out", default=str(HERE / "DIFFERENCES.md"))
    options = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        played = dict(zip(TARGETS, pool.map(lambda target: play(target, options.gameday), TARGETS)))
    shared = [name for name in played["moto"] if name in played["twin"] and name in played["ministack"]]
    rows, unexplained = [], []
    for name in shared:
        cells = [kind(played[target][name]) for target in TARGETS]
        if len(set(cells)) == 1:
            continue
        operation = (played["twin"][name]["operations"] or [""])[0]
        service, _, call = operation.partition(":")
        link = f"[{call}]({REFERENCE[service]}{call}.html)" if service in REFERENCE else call
        reason = REASONS.get(name, "")
        if not reason and any(cell.startswith(("as AWS", "not in the twin")) for cell in cells[:1]):
            reason = "the API reference"
        elif not reason:
            unexplained.append(name)
        rows.append((service, f"| {name.replace('_', ' ')} | {link} | {' | '.join(cells)} | {reason} |"))
    counts = {target: sum(played[target][name]["outcome"] == "passed" for name in shared) for target in TARGETS}
    counted = {target: sum(played[target][name]["outcome"] == "passed" for name in shared if not name.startswith("pages_of"))
               for target in TARGETS}
    text = [
        "# The same calls to the twin, moto and MiniStack",
        "",
        "Made by `peers.py`; do not edit. A case passes if the answer is what AWS documents: the API reference of the",
        "operation, botocore's model of it (every member, type, timestamp, error code and status), or what the last column",
        "says. Rows are cases in which the three differ. moto mocks tests of applications and MiniStack stands in for",
        "LocalStack: what neither set out to do is no defect of theirs, and they have much that the twin has not.",
        "",
        f"{len(shared)} cases that apply to all three; versions: moto {PEERS['moto']}, MiniStack {PEERS['ministack']}.",
        "",
        "| | twin | moto | MiniStack |",
        "|---|---|---|---|",
        "| as AWS documents | " + " | ".join(str(counts[target]) for target in TARGETS) + " |",
        "| without paging cases | " + " | ".join(str(counted[target]) for target in TARGETS) + " |",
        "",
        "| Case | Operation | twin | moto | MiniStack | By |",
        "|---|---|---|---|---|---|",
        *(row for _, row in sorted(rows)),
        "",
    ]
    Path(options.out).write_text("\n".join(text))
    print(f"{len(shared)} cases, {len(rows)} differ; as AWS: {counts}")
    if unexplained:
        print("the twin differs without a reason:", ", ".join(unexplained))


if __name__ == "__main__":
    main()
