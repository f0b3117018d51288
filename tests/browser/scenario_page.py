# SPDX-License-Identifier: Apache-2.0
"""A cluster with work, and a person who drains a node on its web page. argv[1]: where playwright-core is."""

import os
import shutil
import subprocess
import sys

PLACE = sys.argv.pop(1)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from cluster import STOPPED, Cluster, Failure, main, tests_of, wait  # noqa: E402


def browse(c, node, *steps):
    """Runs steps of page.mjs on the page of a node."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "chromium is not installed"
    result = subprocess.run(["node", "page.mjs", chromium, f"http://127.0.0.1:{node.port}", *steps], cwd=PLACE,
                            capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        raise Failure(result.stdout + result.stderr)


def feed(c, name, tables):
    body = {"changefeed_id": name, "source_uri": f"gen://?tables={tables}&rows_per_s=200", "sink_uri": "blackhole://"}
    c.owner().post("/api/v2/changefeeds", body)


def is_spread(c, dispatchers):
    nodes = c.owner().get("/api/v2/nodes")["items"]
    return sum(n["dispatchers"] or 0 for n in nodes) >= dispatchers and all(n["dispatchers"] for n in nodes)


def other(c):
    return next(n for n in c.running() if n.name != c.owner().name)


def test_a_drain_is_started_and_watched_on_the_page():
    with Cluster(3, lease_ttl="15s") as c:
        c.wait_formed()
        feed(c, "orders", 120)
        feed(c, "billing", 60)
        wait(lambda: is_spread(c, 180), "all dispatchers to run")
        target = other(c)
        # Not the coordinator's page: what it shows comes from another node.
        browse(c, target, "looks", f"drains:{target.name}", "restart", "feeds", "themes", "stale", "small")
        drains = c.owner().get("/api/v2/drains")["items"]
        assert [d["node"]["name"] for d in drains] == [target.name], drains
        assert drains[0]["reason"] == "kernel <b>update</b>", drains
        assert drains[0]["safe_to_stop"]
        target.terminate()
        assert target.wait_exit() == STOPPED
        owner = c.wait_formed(2)
        wait(lambda: owner.get(f"/api/v2/drains/{drains[0]['id']}")["phase"] == "done", "the drain to be history")
        browse(c, owner, f"history:{target.name}")


def test_the_last_node_is_not_drained_and_the_page_says_why():
    with Cluster(2, lease_ttl="15s") as c:
        c.wait_formed()
        feed(c, "orders", 20)
        wait(lambda: is_spread(c, 20), "all dispatchers to run")
        target, last = other(c), c.owner()
        # What the drained node had is on the other one, and nobody could take it from there.
        c.owner().post("/api/v2/drains", {"node": target.name, "reason": "first"})
        wait(lambda: c.owner().get(f"/api/v2/drains/{target.name}")["safe_to_stop"], "the first drain")
        browse(c, last, f"blocked:{target.name}")


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
