# SPDX-License-Identifier: Apache-2.0
"""sluice against clusters of real processes: looking at them, feeds, restarts, the metadata, TLS."""

import os
import re
import subprocess
import sys

from cluster import LEASE, STOPPED, Cluster, Etcd, main, tests_of, wait
from scenario_cli import FAILED, SLUICE, USAGE, create_feed, environment, others, shown, sluice
from scenario_drain import advances, spread


def test_everything_there_is_can_be_looked_at():
    with Cluster(3) as c:
        owner = c.wait_formed()
        create_feed(c)
        wait(lambda: all(item["liveness"] == "alive" for item in shown(c, "node", "list")["items"]), "reports of all")
        table = sluice(c, "node", "list")
        for node in c.nodes:
            assert re.search(rf"^{node.name} +alive .* 127\.0\.0\.1:{node.port} ", table, re.M), table
        names = {item["name"]: item for item in shown(c, "node", "list")["items"]}
        assert names[owner.name]["is_owner"]
        assert shown(c, "node", "show", names["n2"]["id"][:13])["name"] == "n2"
        assert "f1" in sluice(c, "feed", "list")
        assert "blackhole://" in sluice(c, "feed", "show", "f1")
        wait(lambda: sluice(c, "cluster", "status").endswith("ok\n"), "a good state")
        assert 4 < len(sluice(c, "top", "--once").splitlines()) <= 24
        assert sluice(c, "drain", "list", "--all").startswith("DRAIN")


def test_a_feed_is_paused_resumed_moved_and_removed():
    with Cluster(2) as c:
        c.wait_formed()
        create_feed(c)
        sluice(c, "feed", "pause", "f1")
        wait(lambda: "stopped" in sluice(c, "feed", "list"), "the feed to be stopped")
        sluice(c, "feed", "pause", "nothing", expect=FAILED)
        sluice(c, "feed", "move", "f1", "--to", "n1", expect=FAILED)  # it does not run
        sluice(c, "feed", "resume", "f1")
        for there in ("n1", "n2"):  # nobody need wait for the feed to run first
            sluice(c, "feed", "move", "f1", "--to", there)
            assert shown(c, "feed", "list")["items"][0]["node"] == there
        wait(lambda: spread(c) is not None, "all tables to be placed")
        advances(c)
        sluice(c, "feed", "create", "f1", "--source", "gen://?tables=1", "--sink", "blackhole://", expect=FAILED)
        sluice(c, "feed", "remove", "f1", "--yes")
        assert shown(c, "feed", "list")["total"] == 0


def test_all_nodes_are_restarted_one_by_one_as_the_plan_says():
    with Cluster(3) as c:
        owner = c.wait_formed()
        create_feed(c)
        plan = sluice(c, "cluster", "restart-plan")
        commands = [text.split()[1:] for text in plan.splitlines() if text.startswith("sluice node drain")]
        assert commands[-1][2] == owner.name, plan
        for words in commands:
            node = c.node(words[2])
            sluice(c, "node", "drain", node.name, "--stop")
            assert node.wait_exit() == STOPPED
            node.start()
            c.wait_formed(3)
            advances(c)
        wait(lambda: spread(c) is not None, "all tables to be placed")


def test_the_whole_cluster_stops_and_starts_again():
    with Cluster(3, options={"drain_on_stop": True}) as c:  # which is for nodes that stop alone
        c.wait_formed()
        create_feed(c)
        advances(c)
        sluice(c, "cluster", "stop", expect=USAGE)  # nobody can be asked
        sluice(c, "cluster", "stop", "--yes")
        for node in c.nodes:
            assert node.wait_exit() == STOPPED
            assert not node.find("STOP_DRAINS"), node.name
        for node in c.nodes:
            node.start()
        c.wait_formed(3)
        wait(lambda: spread(c) is not None, "all tables to be placed")
        advances(c)


def test_metadata_is_backed_up_restored_and_exported():
    if os.environ.get("SL_E2E_META") == "etcd":
        return
    with Cluster(2, lease_ttl=LEASE) as c:
        c.wait_formed()
        create_feed(c)
        advances(c)
        backup, again = os.path.join(c.folder, "backup"), os.path.join(c.folder, "again.db")
        sluice(c, "meta", "backup", backup, "--meta", c.meta)
        sluice(c, "meta", "backup", backup, "--meta", c.meta, expect=FAILED)  # it exists
        for node in c.nodes:
            node.kill()
        subprocess.run([SLUICE, "meta", "restore", backup, "--meta", "sqlite:" + again], check=True)
        c.meta = "sqlite:" + again
        for node in c.nodes:
            node.start()
        c.wait_formed(2)
        wait(lambda: spread(c) is not None, "all tables to be placed")
        advances(c)
        for node in c.nodes:
            node.kill()
        etcd = Etcd(c.folder).start()
        try:
            subprocess.run([SLUICE, "meta", "export", "--meta", c.meta, "--to", etcd.uri()], check=True)
            twice = subprocess.run([SLUICE, "meta", "export", "--meta", c.meta, "--to", etcd.uri()], check=False,
                                   capture_output=True, text=True)
            assert twice.returncode == FAILED and "is there already" in twice.stderr, twice
            c.meta = etcd.uri()
            for node in c.nodes:
                node.start()
            c.wait_formed(2)
            wait(lambda: spread(c) is not None, "all tables to be placed")
            advances(c)
        finally:
            etcd.kill()


def test_over_tls_with_certificates_on_both_sides():
    if os.environ.get("SL_E2E_META") == "etcd":
        return  # the nodes would want TLS of it too
    c = Cluster(2)
    c.use_tls(mtls=True, cert_allowed_cn="node")
    with c:
        owner = c.wait_formed()
        create_feed(c)
        sluice(c, "node", "drain", others(c, owner)[0].name)
        bare = subprocess.run([SLUICE, "--server", owner.address(), "node", "list"], capture_output=True, text=True,
                              check=False, env=environment())
        assert bare.returncode == FAILED and bare.stderr.startswith("sluice: node list: http://"), bare


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
