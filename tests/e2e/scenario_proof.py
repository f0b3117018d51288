# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to processes: no row is lost, none comes twice, and order is kept, by the log of the sink."""

import json
import os
import subprocess
import sys
import time

from cluster import FENCED, LEASE, SLUICED, SOURCE_DIR, STOPPED, Cluster, main, tests_of, wait
from scenario_drain import advances, checkpoint, drain, spread, wait_safe

TABLES = 40
CHECKER = os.path.join(SOURCE_DIR, "tests", "support", "gen_check.py")


class Proof:
    """A feed whose sink writes down what is committed to it, by whom. The start is a moment ago: there is load at once."""

    def __init__(self, c, rows_per_s=4000, name="f1"):
        self.c, self.name, self.folder = c, name, os.path.join(c.folder, "check-" + name)
        os.mkdir(self.folder)
        self.source = f"gen://?tables={TABLES}&rows_per_s={rows_per_s}&keys=50&epoch_ms={int(time.time() * 1000) - 2000}"
        wait(lambda: c.running()[0].post("/api/v2/changefeeds", {
            "changefeed_id": name, "source_uri": self.source, "sink_uri": f"check://{self.folder}?commit_ms=1",
            "start_ts": 1}), f"{name} to be created")  # a coordinator may not be ready yet
        wait(lambda: spread(c, name, TABLES), f"all tables of {name} to be placed")
        advances(c, name)

    def check(self):
        """After more progress than there was. What the checker counted."""
        advances(self.c, self.name)
        reached = wait(lambda: checkpoint(self.c, self.name), "the checkpoint")
        done = subprocess.run(["/usr/bin/python3", "-B", CHECKER, "--source", self.source, "--dir", self.folder,
                               "--start", "1", "--checkpoint", str(reached)],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        counted = json.loads(done.stdout)
        assert counted["tables"] == TABLES and counted["rows"] > 0, counted
        return counted


def others(c, node):
    return [other for other in c.running() if other is not node]


def test_drains_under_load():
    with Cluster(3) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        target = others(c, owner)[0]
        wait_safe(c, drain(c, target))
        target.terminate()
        assert target.wait_exit() == STOPPED
        target.start()
        c.wait_formed(3)
        drain_id = drain(c, owner)
        wait_safe(c, drain_id, others(c, owner)[0])
        proof.check()


def test_kills_of_the_target_the_owner_and_a_bystander_during_drains():
    with Cluster(4, lease_ttl=LEASE) as c:
        c.wait_formed()
        proof = Proof(c)
        for victim_is in ("target", "owner", "bystander"):
            owner = wait(c.owner, "an owner")
            target, bystander = others(c, owner)[:2]
            drain(c, target, by=owner)
            victim = {"target": target, "owner": owner, "bystander": bystander}[victim_is]
            victim_id = victim.id()
            victim.kill()
            wait(lambda: is_gone(c, victim_id), "the victim to be gone")
            if target.is_running():
                target_id = target.id()
                target.terminate()
                target.wait_exit()
                wait(lambda: is_gone(c, target_id), "the target to be gone")
            for node in c.nodes:
                if not node.is_running():
                    node.start()
            c.wait_formed(4)
        proof.check()


def is_gone(c, node_id):
    owner = c.owner()
    return owner and node_id not in [capture["id"] for capture in c.captures(owner)]


def test_a_node_that_slept_past_its_lease_writes_nothing_afterwards():
    with Cluster(3, lease_ttl=LEASE) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        sleeper = others(c, owner)[0]
        sleeper_id = sleeper.id()
        for _ in range(2):
            sleeper.pause()
            wait(lambda: len(c.captures(owner)) == 2, "the sleeper to be lost", 60)
            wait(lambda: (spread_of(c, owner) or {sleeper_id: 1}).get(sleeper_id) is None, "its tables to be elsewhere")
            sleeper.resume()
            assert sleeper.wait_exit() == FENCED
            sleeper.start()
            c.wait_formed(3)
            sleeper_id = sleeper.id()
        proof.check()


def spread_of(c, node):
    rows = node.get("/api/v2/changefeeds/f1/tables")["items"]
    found = {row["node_id"]: len(row["table_ids"]) for row in rows}
    return found if sum(found.values()) >= TABLES else None


def test_journals_of_nodes_with_work_replay_to_the_same_outputs():
    c = Cluster(3)
    for node in c.nodes:
        node.options["journal"] = os.path.join(c.folder, node.name + ".journal")
    with c:
        owner = c.wait_formed()
        proof = Proof(c)
        wait_safe(c, drain(c, owner), others(c, owner)[0])
        proof.check()
        for number, node in enumerate(c.nodes):
            if number == 0:
                node.terminate()
                assert node.wait_exit() == STOPPED
            else:
                node.kill()
            done = subprocess.run([SLUICED, "--replay", node.options["journal"]], capture_output=True, text=True,
                                  check=False)
            assert done.returncode == 0 and "inputs, identical" in done.stdout, done


def test_the_whole_cluster_is_stopped_and_started_again():
    with Cluster(3) as c:
        c.wait_formed()
        proof = Proof(c)
        for node in c.nodes:
            node.terminate()
        for node in c.nodes:
            assert node.wait_exit() == STOPPED
        for node in c.nodes:
            node.start()
        c.wait_formed(3)
        proof.check()


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
