# SPDX-License-Identifier: Apache-2.0
"""A feed from the generated source; nodes are drained, undrained, and stopped by a drain."""

import base64
import os
import subprocess
import sys

from cluster import CUT_SHORT, STOPPED, Cluster, Unavailable, main, tests_of, wait

TABLES = 60


def create_feed(c, name="f1", tables=TABLES, rows_per_s=2000):
    wait(lambda: c.running()[0].post("/api/v2/changefeeds", {
        "changefeed_id": name, "source_uri": f"gen://?tables={tables}&rows_per_s={rows_per_s}",
        "sink_uri": "blackhole://", "start_ts": 1}), f"{name} to be created")  # a coordinator may not be ready yet
    wait(lambda: spread(c, name, tables) is not None, f"all tables of {name} to be placed")


def spread(c, name="f1", tables=TABLES):
    """How many tables each node has, by id; None while not all have a place."""
    rows = c.running()[0].get(f"/api/v2/changefeeds/{name}/tables")["items"]
    found = {row["node_id"]: len(row["table_ids"]) for row in rows}
    return found if sum(found.values()) >= tables else None


def checkpoint(c, name="f1"):
    feeds = c.running()[0].get("/api/v2/changefeeds")["items"]
    return next(feed["checkpoint_tso"] for feed in feeds if feed["id"] == name)


def advances(c, name="f1"):
    """Waits until the feed's checkpoint has moved on twice."""
    for _ in range(2):
        before = wait(lambda: checkpoint(c, name), f"the checkpoint of {name}")
        wait(lambda: checkpoint(c, name) > before, f"the checkpoint of {name} to move on from {before}")


def drain(c, node, by=None, **more):
    by = by or next(other for other in c.running() if other is not node)
    return by.post("/api/v2/drains", {"node": node.name, "reason": "a test", **more})["id"]


def drain_state(c, drain_id, by=None):
    return (by or c.running()[0]).get(f"/api/v2/drains/{drain_id}")


def wait_safe(c, drain_id, by=None):
    return wait(lambda: (lambda state: state if state["safe_to_stop"] else None)(drain_state(c, drain_id, by)),
                "the node to be safe to stop")


def test_a_drained_node_has_nothing_left_and_the_feed_goes_on():
    with Cluster(3) as c:
        owner = c.wait_formed()
        create_feed(c)
        target = next(node for node in c.nodes if node is not owner)
        target_id = target.id()
        wait_safe(c, drain(c, target))
        assert target_id not in spread(c)
        advances(c)
        target.terminate()
        assert target.wait_exit() == STOPPED
        c.wait_formed(2)
        advances(c)


def test_the_owner_can_be_drained():
    with Cluster(3) as c:
        owner = c.wait_formed()
        create_feed(c)
        owner_id = owner.id()
        other = next(node for node in c.nodes if node is not owner)
        drain_id = drain(c, owner)
        wait_safe(c, drain_id, other)
        assert wait(c.owner, "an owner") is not owner
        assert owner_id not in spread(c)
        advances(c)


def test_an_undrained_node_takes_work_again():
    with Cluster(2) as c:
        owner = c.wait_formed()
        create_feed(c)
        target = next(node for node in c.nodes if node is not owner)
        blocker = c.add("n3")  # the drain waits for a node that sleeps, so it is certainly not over yet
        c.wait_formed(3)
        blocker.pause()
        drain(c, target, by=owner)
        owner.post(f"/api/v2/nodes/{target.name}/undrain", {"reason": "a test"})
        blocker.resume()
        wait(lambda: target.status()["liveness"] == 0, "the node to be alive")
        advances(c)


def test_sigterm_drains_first_when_it_is_told_to():
    with Cluster(3, options={"drain_on_stop": True, "drain_timeout": "60s"}) as c:
        owner = c.wait_formed()
        create_feed(c)
        for node in (next(n for n in c.nodes if n is not owner), owner):
            node.terminate()
            assert node.wait_exit() == STOPPED
            assert node.find("STOP_DRAINED"), node.events()[-20:]
            assert not node.find("STOP_DRAIN_LATE")
            advances(c)
        last = c.running()[0]  # alone, it has nobody to give its work to
        wait(lambda: len(c.captures()) == 1, "the last node to be alone")
        last.terminate()
        assert last.wait_exit() == STOPPED
        assert not last.find("STOP_DRAINS")


def test_sigterm_joins_a_drain_that_runs_already():
    with Cluster(3, options={"drain_on_stop": True, "drain_timeout": "60s"}) as c:
        owner = c.wait_formed()
        create_feed(c)
        target = next(node for node in c.nodes if node is not owner)
        drain(c, target, deadline_ms=600000)
        target.terminate()
        assert target.wait_exit() == STOPPED
        assert target.find("STOP_DRAINED") and not target.find("STOP_DRAIN_REFUSED"), target.events()[-20:]


def test_sigterm_says_what_the_drain_waits_for():
    with Cluster(3, lease_ttl="60s", options={"drain_on_stop": True, "drain_timeout": "600s"}) as c:
        owner = c.wait_formed()
        create_feed(c)
        target, sleeper = (node for node in c.nodes if node is not owner)
        sleeper.pause()  # it acknowledges nothing, so the drain cannot end
        target.terminate()
        wait(lambda: [e for e in target.events("STOP_DRAIN_WAITS") if e["detail"]], "what it waits for")
        target.terminate()
        assert target.wait_exit() == CUT_SHORT


def test_the_last_node_that_is_not_drained_does_not_wait_for_a_drain():
    with Cluster(2, options={"drain_on_stop": True, "drain_timeout": "600s"}) as c:
        owner = c.wait_formed()
        create_feed(c)
        other = next(node for node in c.nodes if node is not owner)
        wait_safe(c, drain(c, owner), other)
        other.terminate()  # nobody is left who could take its work
        assert other.wait_exit() == STOPPED
        assert other.find("STOP_DRAIN_ALONE")


def test_all_nodes_are_stopped_at_once_and_started_again():
    with Cluster(3, options={"drain_on_stop": True, "drain_timeout": "600s"}) as c:
        c.wait_formed()
        create_feed(c)
        advances(c)
        for node in c.nodes:
            node.terminate()
        for node in c.nodes:
            assert node.wait_exit() == STOPPED
            assert not node.find("STOP_DRAIN_LATE")
        for node in c.nodes:
            node.start()
        c.wait_formed(3)
        wait(lambda: spread(c) is not None, "all tables to be placed")
        advances(c)


def test_a_node_that_checks_users_asks_for_its_drain_with_credentials():
    c = Cluster(2)
    crypt = subprocess.run(["openssl", "passwd", "-6", "-salt", "pepper", "canary"], capture_output=True, text=True,
                           check=True).stdout.strip()
    for name, text in (("users", f"ops:operator:{crypt}\n"), ("me", "ops:canary\n")):
        with open(os.path.join(c.folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    c.options = {"drain_on_stop": True, "api_users_file": os.path.join(c.folder, "users"),
                 "api_credentials_file": os.path.join(c.folder, "me")}
    c.headers = {"Authorization": "Basic " + base64.b64encode(b"ops:canary").decode()}
    with c:
        owner = c.wait_formed()
        create_feed(c)
        target = next(node for node in c.nodes if node is not owner)
        target.terminate()
        assert target.wait_exit() == STOPPED
        assert target.find("STOP_DRAINED")
        for node in c.nodes:
            with open(node.log_path, encoding="utf-8") as file:
                assert "canary" not in file.read()


def test_a_second_sigterm_does_not_wait_for_the_drain():
    with Cluster(2, options={"drain_on_stop": True, "drain_timeout": "600s"}) as c:
        owner = c.wait_formed()
        create_feed(c)
        target = next(node for node in c.nodes if node is not owner)
        owner.pause()  # nobody answers
        target.terminate()
        wait(lambda: target.find("STOP_DRAINS"), "the drain to be asked for")
        target.terminate()
        assert target.wait_exit() == CUT_SHORT
        owner.resume()


def test_a_drain_that_does_not_end_in_time_does_not_hold_up_the_stop():
    with Cluster(2, lease_ttl="60s", options={"drain_on_stop": True, "drain_timeout": "1s"}) as c:
        owner = c.wait_formed()
        create_feed(c)
        target = next(node for node in c.nodes if node is not owner)
        owner.pause()
        target.terminate()
        assert target.wait_exit() == STOPPED
        assert target.find("STOP_DRAIN_LATE")
        owner.resume()


def test_a_drain_without_a_destination_says_so():
    with Cluster(1) as c:
        node = c.wait_formed()
        create_feed(c)
        try:
            plan = node.post("/api/v2/drains", {"node": node.name, "dry_run": True})
            assert not plan.get("possible", plan.get("ok", False)), plan
        except Unavailable as error:
            assert 400 <= error.status < 500, error


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
