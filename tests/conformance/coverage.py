"""What the twin says that it has, by its README, against what the cases call."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "harness/twin/README.md"
TABLE = Path(__file__).resolve().parent / "OPERATIONS.md"

#: The README's word for a service, and botocore's.
SERVICES = {
    "IoT": "iot", "IoT data": "iot-data", "DynamoDB": "dynamodb", "DynamoDB Streams": "dynamodbstreams",
    "Lambda": "lambda", "Route 53": "route53", "Step Functions": "stepfunctions", "Service Quotas": "service-quotas",
    "STS": "sts", "S3": "s3", "SQS": "sqs", "EventBridge": "events", "CloudFormation": "cloudformation",
    "API Gateway": "apigateway", "API Gateway v2": "apigatewayv2", "IAM": "iam", "CloudWatch": "cloudwatch",
    "CloudWatch Logs": "logs", "EventBridge Scheduler": "scheduler", "SNS": "sns", "SSM": "ssm", "KMS": "kms",
}

#: Listed without a case, and why.
EXCUSED = {}


def names(words):
    """The operations of a cell. `Get-, DeleteThing` is two: a verb with a hyphen takes the noun that follows."""
    found, verbs = [], []
    for word in re.findall(r"\b[A-Z][A-Za-z0-9]+-?", words):
        if word.endswith("-"):
            verbs.append(word[:-1])
            continue
        noun = re.sub(r"^[A-Z][a-z]+", "", word)
        found += [verb + noun for verb in verbs] + [word]
        verbs = []
    return found


def listed():
    """`service:Operation` for each row of the README's table of operations."""
    text = README.read_text().split("## Operations", 1)[1].split("\n## ", 1)[0]
    found, service = [], ""
    for row in re.findall(r"^\|([^|]*)\|([^|]*)\|$", text, re.M):
        label, words = (cell.strip() for cell in row)
        if label in ("Service", "---") or not words.strip("-"):
            continue
        if label:
            service = SERVICES.get(label.split(":")[0].strip())
            if service is None:
                raise ValueError(f"coverage.py does not know the service {label!r}")
        found += [f"{service}:{name}" for name in names(re.sub(r"\(.*?\)", "", words))]
    return found


def gaps(cases):
    """Operations of the README that no case names and nobody excused."""
    named = {operation for case in cases for operation in case.operations}
    return [operation for operation in listed() if operation not in named and operation not in EXCUSED]


def stale():
    """Excuses that are not needed any more."""
    return sorted(set(EXCUSED) - set(listed()))


def table(cases):
    """Every operation of the README with the cases that call it, as Markdown."""
    lines = ["# Operations of the twin, and the cases that call them", "",
             "Made by `run.py --coverage --write`; a test fails if it is not up to date.", "",
             "| Operation | Cases (client) |", "|---|---|"]
    for operation in listed():
        own = [f"{case.name.replace('_', ' ')} ({case.client})" for case in cases if operation in case.operations]
        lines.append(f"| {operation} | {'; '.join(own)} |")
    return "\n".join(lines) + "\n"
