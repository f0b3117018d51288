# SPDX-License-Identifier: Apache-2.0
"""Drains that end the process of their node, with nobody who waits for them."""

import sys

from cluster import LEASE, STOPPED, Cluster, main, tests_of, wait
from scenario_drain import advances, create_feed, drain, drain_state


def phase(c, drain_id):
    return drain_state(c, drain_id)["phase"]


def test_a_drained_node_ends_by_itself_if_that_was_asked_for():
    with Cluster(3) as c:
        owner = c.wait_formed()
        create_feed(c)
        target = next(node for node in c.nodes if node is not owner)
        drain_id = drain(c, target, stop=True)
        assert target.wait_exit() == STOPPED
        assert target.find("STOP_ORDERED"), target.events()[-20:]
        wait(lambda: phase(c, drain_id) == "done", "the drain to be done")
        assert not target.find("MESSAGE_REFUSED"), target.events("MESSAGE_REFUSED")
        advances(c)


def test_a_coordinator_that_takes_over_ends_it_too():
    with Cluster(4, lease_ttl=LEASE) as c:
        owner = c.wait_formed()
        create_feed(c)
        target, blocker = [node for node in c.nodes if node is not owner][:2]
        blocker.pause()  # the drain waits for a node that sleeps, so it is certainly not over yet
        drain_id = drain(c, target, by=owner, stop=True)
        owner.kill()
        blocker.resume()
        assert target.wait_exit() == STOPPED
        wait(lambda: phase(c, drain_id) == "done", "the drain to be done")


def test_the_owner_hands_over_and_ends():
    with Cluster(3) as c:
        owner = c.wait_formed()
        create_feed(c)
        drain(c, owner, stop=True)
        assert owner.wait_exit() == STOPPED
        c.wait_formed(2)
        advances(c)


def test_without_that_wish_it_stays():
    with Cluster(2) as c:
        owner = c.wait_formed()
        create_feed(c)
        target = next(node for node in c.nodes if node is not owner)
        drain_id = drain(c, target)
        wait(lambda: drain_state(c, drain_id)["safe_to_stop"], "the node to be safe to stop")
        again = drain(c, target)
        assert again == drain_id and target.is_running()
        assert not target.find("STOP_ORDERED")


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
