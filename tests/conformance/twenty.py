"""The twenty steps as cases: in their order, each needing those before it."""

import importlib
import os

from case import case, skip

CLIENT = "twenty-steps"
NAMES = [
    "who_am_i", "make_a_certificate", "allow_it", "create_the_device", "find_the_endpoint", "connect", "talk",
    "report_by_mqtt", "wish_by_https", "put_it_in_a_group", "make_a_table", "write_by_a_rule", "register_in_bulk",
    "search", "watch_health", "fail_over_by_dns", "run_a_function", "run_a_workflow", "deploy_a_stack",
    "be_in_two_regions",
]
done = set()


def register(number, name):
    def run(t):
        # The script takes the environment, as a user's shell has it.
        os.environ.update({**t.env, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_ATTEMPTS": "1"})
        steps = importlib.import_module("twenty_steps")
        assert [step.__name__ for step in steps.STEPS] == NAMES
        needed = [before for before in NAMES[:number] if before not in done]
        if needed:
            skip(f"needs the step {needed[0]}, which failed")
        steps.STEPS[number]()
        done.add(name)

    run.__name__ = f"{number + 1:02}_{name}"
    case(alone=True)(run)


for _number, _name in enumerate(NAMES):
    register(_number, _name)
