#!/usr/bin/env python3
"""Runs the cases of one client, or of all, against one target. See README.md."""

import argparse
import concurrent.futures
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

import case as cases  # noqa: E402
import coverage  # noqa: E402
import shapes  # noqa: E402
import targets  # noqa: E402

#: A client, its files, and what must be there for it.
CLIENTS = {
    "boto3": (["boto3_things", "boto3_groups", "boto3_certificates", "boto3_policies", "boto3_rules", "boto3_iot_data",
               "boto3_dynamodb", "boto3_tables", "boto3_streams", "boto3_lambda", "boto3_mappings", "boto3_route53",
               "boto3_states", "boto3_account", "boto3_pages", "boto3_storage", "boto3_stacks", "boto3_more",
               "boto3_events", "boto3_traffic", "boto3_gateway", "boto3_service_pages", "boto3_solution_stack"], ["boto3"]),
    "aws-cli": (["aws_cli"], ["awscli", "bin:aws"]),
    "paho": (["paho_v3", "paho_v5"], ["paho", "boto3"]),
    "device-sdk": (["device_sdk"], ["awsiot", "awscrt", "boto3"]),
    "mosquitto": (["mosquitto"], ["bin:mosquitto_pub", "bin:mosquitto_sub", "bin:mosquitto_rr", "boto3"]),
    "curl": (["device_https"], ["bin:curl", "boto3"]),
    "awslambdaric": (["lambda_ric"], ["awslambdaric", "boto3"]),
    "twenty-steps": (["twenty"], ["awscli", "boto3", "awsiot", "bin:aws"]),
}
JOBS = 6


def missing(needs):
    """What of this is not installed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    absent = []
    for need in needs:
        if need.startswith("bin:"):
            if not shutil.which(need[4:], path=path):
                absent.append(need[4:])
        elif importlib.util.find_spec(need) is None:
            absent.append(need)
    return absent


def load(clients):
    """The cases of these clients; those whose client is not there come with the reason."""
    absent = {}
    for client in clients:
        modules, needs = CLIENTS[client]
        gone = missing(needs)
        if gone:
            absent[client] = f"not installed: {', '.join(gone)}; see .ci/tools"
            continue
        for module in modules:
            importlib.import_module(module)
    return absent


def play(case, target):
    """Runs one case; the answer is its line."""
    began = time.monotonic()
    shapes.begin()
    outcome, why = "passed", ""
    try:
        case.run(target)
        shape = shapes.wrong()
        uncalled = sorted(set(case.operations) - shapes.called()) if case.client == "boto3" else []
        if shape:
            outcome, why = "failed", "shape: " + "; ".join(sorted(set(shape))[:6])
        elif uncalled:
            outcome, why = "failed", f"the case does not call {', '.join(uncalled)}"
    except cases.Skipped as error:
        outcome, why = "skipped", str(error)
    except (Exception, subprocess.TimeoutExpired) as error:
        outcome, why = "failed", f"{type(error).__name__}: {error}".strip()[:600]
        if not isinstance(error, AssertionError) and os.environ.get("CONFORMANCE_TRACE"):
            import traceback
            traceback.print_exc()
    taken = round((time.monotonic() - began) * 1000)
    return {"client": case.client, "case": case.name, "operations": list(case.operations), "outcome": outcome,
            "why": why, "duration_ms": taken}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=["twin", "moto", "ministack"], default="twin")
    parser.add_argument("--client", choices=[*CLIENTS, "all"], default="all")
    parser.add_argument("--case", default="", help="only cases whose name holds this")
    # The twin is started elsewhere: a relative path would lead nowhere.
    parser.add_argument(
        "--gameday",
        type=lambda path: str(Path(path).resolve()),
        help="the binary that starts a twin; else the variables of one that runs",
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON a case")
    parser.add_argument("--coverage", action="store_true", help="only print operations of the README without a case")
    parser.add_argument("--write", action="store_true", help="with --coverage: write the table of operations and cases")
    parser.add_argument("--jobs", type=int, default=JOBS)
    options = parser.parse_args()

    clients = list(CLIENTS) if options.client == "all" else [options.client]
    absent = load(clients)
    if options.coverage:
        if absent:
            print(json.dumps({"unknown": absent}))
            return 0
        gaps, stale, table = coverage.gaps(cases.CASES), coverage.stale(), coverage.table(cases.CASES)
        if options.write:
            coverage.TABLE.write_text(table)
        old = not coverage.TABLE.exists() or coverage.TABLE.read_text() != table
        print(json.dumps({"operations": len(coverage.listed()), "without_case": gaps, "excused": coverage.EXCUSED,
                          "excused_for_nothing": stale, "table_is_old": old}))
        return 1 if gaps or stale or old else 0

    chosen = [c for c in cases.CASES if c.client in clients and options.case in c.name and (options.target == "twin" or c.peers)]
    lines, printing = [], threading.Lock()

    def say(line):
        with printing:
            lines.append(line)
            if options.json:
                print(json.dumps(line), flush=True)
            elif line["outcome"] != "passed":
                print(f"{line['outcome']:8}{line['client']:14}{line['case']}: {line['why']}", flush=True)

    for client, why in absent.items():
        say({"client": client, "case": "*", "operations": [], "outcome": "skipped", "why": why, "duration_ms": 0})
    with tempfile.TemporaryDirectory() as folder, targets.start(options.target, options.gameday, folder) as target:
        together = [c for c in chosen if not c.alone]
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for done in concurrent.futures.as_completed(pool.submit(play, c, target) for c in together):
                say(done.result())
        for one in (c for c in chosen if c.alone):
            say(play(one, target))
        for close in target.kept.get("close", []):
            close()

    failed = False
    for client in clients:
        own = [line["outcome"] for line in lines if line["client"] == client]
        counts = {outcome: own.count(outcome) for outcome in ("passed", "failed", "skipped")}
        failed |= counts["failed"] > 0
        if options.json:
            print(json.dumps({"client": client, "count": counts}))
        else:
            print(f"{client}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
