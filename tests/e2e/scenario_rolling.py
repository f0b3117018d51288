# SPDX-License-Identifier: Apache-2.0
"""All nodes are restarted one by one, as the plan says, under load: nothing is lost, nothing comes twice."""

import shlex
import sys

from cluster import LONG_LEASE, STOPPED, Cluster, main, tests_of
from scenario_cli import sluice
from scenario_faults import wait_led
from scenario_proof import Proof


def test_a_rolling_restart_under_load():
    with Cluster(3, lease_ttl=LONG_LEASE) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        plan = sluice(c, "cluster", "restart-plan")
        commands = [shlex.split(text)[1:] for text in plan.splitlines() if text.startswith("sluice node drain")]
        assert len(commands) == 3 and commands[-1][2] == owner.name, plan
        for words in commands:
            node = c.node(words[2])
            sluice(c, *words, *(["--stop"] if "--stop" not in words else []))
            assert node.wait_exit() == STOPPED
            node.start()
            wait_led(c, 3)
        proof.check()


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
