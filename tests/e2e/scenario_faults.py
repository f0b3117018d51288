# SPDX-License-Identifier: Apache-2.0
"""Clusters under load that lose processes, the network or the metadata while they drain. Each test ends with a proof that
no row is lost and none comes twice."""

import os
import shutil
import subprocess
import sys

from cluster import FENCED, LEASE, LONG_LEASE, STOPPED, Cluster, Etcd, Unavailable, main, tests_of, wait
from proxy import Proxy
from scenario_cli import SLUICE, shown, sluice
from scenario_drain import advances, drain, drain_state, spread, wait_safe
from scenario_proof import TABLES, Proof, others

ON_ETCD = os.environ.get("SL_E2E_META") == "etcd"


def wait_led(c, count):
    """Waits until a coordinator lists so many nodes. Returns it."""
    def led():
        owner = c.owner()
        return owner if owner and len(c.captures(owner)) == count else None
    return wait(led, f"a coordinator of {count} nodes", 60)


def wait_placed(c):
    wait(lambda: spread(c, tables=TABLES), "all tables to be placed", 60)


def tables_on(c, node_id):
    rows = c.running()[0].get("/api/v2/changefeeds/f1/tables")["items"]
    return next((len(row["table_ids"]) for row in rows if row["node_id"] == node_id), 0)


def start_again(c, *nodes):
    for node in nodes:
        if not node.is_running():
            node.start()
    wait_led(c, len(c.nodes))


def begin_drain(c, node, by):
    """Asks until it is accepted: a coordinator may be new, or still end the node's drain before this one."""
    return wait(lambda: drain(c, node, by=by), f"a drain of {node.name} to be accepted")


def wait_left(c, node_id):
    """Waits until all tables have a place, and none is there."""
    wait(lambda: node_id not in (spread(c, tables=TABLES) or {node_id: 0}), "all tables to be elsewhere")


def stop(node):
    node.terminate()
    assert node.wait_exit() == STOPPED


# ---- several drains, and drains taken back ----


def test_two_nodes_are_drained_at_once():
    with Cluster(4, lease_ttl=LONG_LEASE) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        targets = others(c, owner)[:2]
        ids = [node.id() for node in targets]
        drains = [begin_drain(c, node, owner) for node in targets]
        for drain_id in drains:
            wait_safe(c, drain_id, owner)
        for node_id in ids:
            wait_left(c, node_id)
        for node in targets:
            stop(node)
        proof.check()


def test_the_coordinator_and_another_node_are_drained_at_once():
    with Cluster(4, lease_ttl=LONG_LEASE) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        other, witness = others(c, owner)[:2]
        for drain_id in [begin_drain(c, node, witness) for node in (owner, other)]:
            wait_safe(c, drain_id, witness)
        stop(owner)
        stop(other)
        proof.check()


def test_drains_are_taken_back_at_any_moment():
    with Cluster(3, lease_ttl=LONG_LEASE) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        target = others(c, owner)[0]
        target_id = target.id()
        for tables_left in (TABLES, TABLES // 3 - 1, 1):
            drain_id = begin_drain(c, target, owner)
            wait(lambda n=tables_left: tables_on(c, target_id) <= n, "the drain to be that far")
            try:
                owner.post(f"/api/v2/nodes/{target.name}/undrain", {"reason": "a test"})
                wait(lambda: target.status()["liveness"] == 0, "the node to take work again")
            except Unavailable as error:  # it was faster: it has agreed to stop, and there is no way back
                assert 400 <= error.status < 500, error
                wait_safe(c, drain_id, owner)
                stop(target)
                target.start()
                wait_led(c, 3)
                target_id = target.id()
        wait_safe(c, begin_drain(c, target, owner), owner)
        proof.check()


# ---- losses while a node is drained ----


def is_at(c, phase, target_id, drain_id, by):
    if phase == "asked":
        return True
    if phase == "moving":
        return tables_on(c, target_id) < TABLES // 4 or drain_state(c, drain_id, by)["safe_to_stop"]
    return drain_state(c, drain_id, by)["safe_to_stop"]


def lose(kind, phase, how):
    """A cluster loses one node, by how(node), while another one, or the same, is drained."""
    with Cluster(4, lease_ttl=LEASE) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        target, destination, witness = others(c, owner)
        target_id = target.id()
        drain_id = begin_drain(c, target, witness)
        wait(lambda: is_at(c, phase, target_id, drain_id, witness), f"the drain to be {phase}")
        victim = {"target": target, "destination": destination, "coordinator": owner}[kind]
        how(c, victim, witness)
        if kind != "target":
            wait_safe(c, drain_id, witness)
            wait_left(c, target_id)
            stop(target)
        start_again(c, victim, target)
        wait_placed(c)
        proof.check()


def kill(c, victim, witness):
    victim.kill()
    wait(lambda: len(c.captures(witness)) == 3, "the victim to be gone", 60)


def sleep_past_the_lease(c, victim, witness):
    victim.pause()
    wait(lambda: len(c.captures(witness)) == 3, "the sleeper to be lost", 60)
    victim.resume()
    assert victim.wait_exit() == FENCED


def losses(how):
    for kind in ("target", "destination", "coordinator"):
        for phase in ("asked", "moving", "safe"):
            lose(kind, phase, how)


def test_a_node_is_killed_at_any_moment_of_a_drain():
    losses(kill)


def test_a_node_sleeps_past_its_lease_at_any_moment_of_a_drain():
    losses(sleep_past_the_lease)


def test_a_dead_node_is_gone_for_good():
    with Cluster(3, lease_ttl=LEASE) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        dead = others(c, owner)[0]
        dead_id = dead.id()
        dead.kill()
        wait_led(c, 2)
        assert dead.name not in {item["name"] for item in shown(c, "node", "list")["items"]}
        wait_placed(c)
        wait_left(c, dead_id)
        proof.check()


# ---- the network ----


def behind_a_proxy(c, node, proxy):
    """All its connections to others go through the proxy: who has the greater address is the one that is dialled."""
    node.options["advertise_addr"] = proxy.address


def test_a_node_without_network_to_the_others_is_worked_around_or_waited_for():
    c = Cluster(4, lease_ttl=LEASE)
    proxy = Proxy("127.0.9.1")
    behind_a_proxy(c, c.nodes[3], proxy)
    with c:
        proxy.to(c.nodes[3].port)
        owner = c.wait_formed()
        proof = Proof(c)
        target = next(node for node in c.nodes[:3] if node is not owner)
        witness = next(node for node in c.nodes[:3] if node not in (owner, target))
        for break_off in (False, True):
            proxy.cut()
            drain_id = begin_drain(c, target, witness)
            if break_off:
                stop_cut = c.nodes[3]
                stop_cut.kill()
                wait(lambda: len(c.captures(witness)) == 3, "the node without network to be gone", 60)
                wait_safe(c, drain_id, witness)
                proxy.mend()
                stop_cut.start()
                proxy.to(stop_cut.port)
            else:
                proxy.mend()
                wait_safe(c, drain_id, witness)
            stop(target)
            target.start()
            wait_led(c, 4)
        wait_placed(c)
        proof.check()
    proxy.close()


# ---- the metadata ----


def test_etcd_is_restarted_and_stays_away_longer_than_a_lease():
    if not ON_ETCD:
        return
    with Cluster(3, lease_ttl=LEASE) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        target = others(c, owner)[0]
        drain_id = begin_drain(c, target, owner)
        c.etcd.kill()
        c.etcd.start_again()
        wait(c.etcd.is_healthy, "etcd to be back")
        wait_safe(c, drain_id)
        assert len(c.running()) == 3, [node.stderr() for node in c.nodes]
        stop(target)
        target.start()
        wait_led(c, 3)
        c.etcd.kill()
        for node in c.nodes:  # nobody may go on without a lease
            assert node.wait_exit() == FENCED
        c.etcd.start_again()
        wait(c.etcd.is_healthy, "etcd to be back")
        start_again(c, *c.nodes)
        wait_placed(c)
        proof.check()


def test_metadata_goes_from_a_file_to_another_and_to_etcd_and_the_feed_goes_on():
    if ON_ETCD:
        return
    with Cluster(3, lease_ttl=LONG_LEASE) as c:
        c.wait_formed()
        proof = Proof(c)
        sluice(c, "cluster", "stop", "--yes")
        for node in c.nodes:
            assert node.wait_exit() == STOPPED
        backup, again = os.path.join(c.folder, "backup"), "sqlite:" + os.path.join(c.folder, "again.db")
        etcd = Etcd(c.folder).start()
        try:
            for words, meta in ((("backup", backup, "--meta", c.meta), None),
                                (("restore", backup, "--meta", again), again),
                                (("export", "--meta", again, "--to", etcd.uri()), etcd.uri())):
                subprocess.run([SLUICE, "meta", *words], check=True, stdout=subprocess.DEVNULL)
                if meta is None:
                    continue
                c.meta = meta
                start_again(c, *c.nodes)
                wait_placed(c)
                proof.check()
                if meta == again:
                    sluice(c, "cluster", "stop", "--yes")
                    for node in c.nodes:
                        assert node.wait_exit() == STOPPED
        finally:
            for node in c.nodes:
                node.kill()
            etcd.kill()


class SmallDisk:
    """A file system of its own of 4 MiB in a folder of the cluster, that can be filled. Not every user may mount one."""

    def __init__(self, c):
        self.folder = os.path.join(c.folder, "small")
        os.mkdir(self.folder)
        self.is_mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.folder],
                                         check=False, capture_output=True).returncode == 0

    def fill(self):
        with open(os.path.join(self.folder, "filler"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def empty(self):
        os.remove(os.path.join(self.folder, "filler"))

    def close(self):
        subprocess.run(["umount", self.folder], check=True)


def test_the_disk_of_the_metadata_is_full_for_a_while():
    if ON_ETCD:
        return
    c = Cluster(3, lease_ttl=LEASE)
    disk = SmallDisk(c)
    if not disk.is_mounted:
        shutil.rmtree(c.folder)
        return
    try:
        c.meta = "sqlite:" + os.path.join(disk.folder, "meta.db")
        with c:
            owner = c.wait_formed()
            proof = Proof(c)
            target = others(c, owner)[0]
            begin_drain(c, target, owner)
            disk.fill()
            for node in c.nodes:  # a lease that cannot be written down is none
                assert node.wait_exit(60) == FENCED
            disk.empty()
            start_again(c, *c.nodes)
            wait_placed(c)
            proof.check()
            for node in c.nodes:
                node.kill()
            disk.close()
    finally:
        if os.path.ismount(disk.folder):
            disk.close()


# ---- on purpose ----


def test_the_whole_cluster_is_stopped_by_command_and_started_again():
    with Cluster(3, lease_ttl=LONG_LEASE) as c:
        c.wait_formed()
        proof = Proof(c)
        for _ in range(2):
            sluice(c, "cluster", "stop", "--yes")
            for node in c.nodes:
                assert node.wait_exit() == STOPPED
            start_again(c, *c.nodes)
            wait_placed(c)
            advances(c)
        proof.check()


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
