# SPDX-License-Identifier: Apache-2.0
"""Processes form a cluster, lose nodes, and stop."""

import os
import signal
import subprocess
import sys

from cluster import (ADDRESS, CONFIG, FENCED, FILES, LEASE, SLUICED, STOPPED, STORE, USAGE, Cluster, main, tests_of, wait)


def test_three_nodes_form_a_cluster_with_one_owner():
    with Cluster(3) as c:
        owner = c.wait_formed()
        for node in c.nodes:
            assert node.status()["is_owner"] == (node is owner)
            assert len(c.captures(node)) == 3
        names = {capture["address"] for capture in c.captures()}
        assert names == {node.address() for node in c.nodes}


def test_another_node_takes_over_when_the_owner_is_killed():
    with Cluster(3, lease_ttl=LEASE) as c:
        old = c.wait_formed()
        old.kill()
        wait(lambda: c.owner() not in (None, old), "another owner")
        c.wait_formed(2)


def test_a_killed_node_comes_back_with_its_name():
    with Cluster(2, lease_ttl=LEASE) as c:
        c.wait_formed()
        c.nodes[1].kill()
        c.nodes[1].start()
        c.wait_formed(2)


def test_a_node_that_is_asked_to_stop_leaves_at_once():
    with Cluster(3, lease_ttl="60s") as c:  # so long that nobody waits for the end of a lease here
        owner = c.wait_formed()
        other = next(node for node in c.nodes if node is not owner)
        other.terminate()
        assert other.wait_exit() == STOPPED
        c.wait_formed(2)
        owner.terminate()
        assert owner.wait_exit() == STOPPED
        c.wait_formed(1)


def test_a_node_that_slept_past_its_lease_ends_as_fenced():
    with Cluster(3, lease_ttl=LEASE) as c:
        old = c.wait_formed()
        old.pause()
        others = [node for node in c.nodes if node is not old]
        wait(lambda: [node for node in others if node.status()["is_owner"]], "another owner")
        old.resume()
        assert old.wait_exit() == FENCED
        assert "fenced" in old.stderr()
        assert wait(lambda: old.find("FENCED"), "its last words")["cause"] == "the process did not get to run"
        c.wait_formed(2)


def test_nodes_find_each_other_over_tls():
    c = Cluster(3)
    c.use_tls(mtls=True, cert_allowed_cn="node")
    with c:
        owner = c.wait_formed()
        for node in c.nodes:
            wait(lambda node=node: len(node.events("PEER_CONNECTED")) >= 2, f"{node.name} to be connected to both")
        owner.terminate()
        assert owner.wait_exit() == STOPPED
        c.wait_formed(2)


def test_a_signal_reloads_what_can_be_reloaded():
    with Cluster(1, lease_ttl=LEASE, options={"log_level": "info"}) as c:
        node = c.nodes[0]
        c.wait_formed()
        path = os.path.join(c.folder, "n1.yaml")
        node.kill()
        with open(path, "w", encoding="utf-8") as file:
            file.write("drain: {timeout: 1m}\nthreads: 1\n")
        node.options["config"] = path
        node.start()
        with open(path, "w", encoding="utf-8") as file:
            file.write("drain: {timeout: 2m}\nthreads: 2\n")
        os.rename(node.log_path, node.log_path + ".1")
        node.log_start = 0
        node.signal(signal.SIGHUP)
        reloaded = wait(lambda: node.find("RELOADED"), "the new log")
        assert reloaded["needs_start"] == "threads", reloaded
        assert node.get("/config")["drain-timeout"] == "2m"
        with open(path, "w", encoding="utf-8") as file:
            file.write("threads: many\n")
        node.signal(signal.SIGHUP)
        failed = wait(lambda: node.find("RELOAD_FAILED"), "the complaint")
        assert "n1.yaml:1" in failed["detail"], failed
        assert node.get("/config")["drain-timeout"] == "2m"


def test_a_journal_replays_to_the_same_outputs():
    with Cluster(2, lease_ttl=LEASE) as c:
        for node in c.nodes:
            node.kill()
            node.options["journal"] = os.path.join(c.folder, node.name + ".journal")
            node.start()
        owner = c.wait_formed()
        owner.terminate()
        assert owner.wait_exit() == STOPPED
        c.wait_formed(1)
        c.running()[0].kill()  # a journal may end anywhere
        for node in c.nodes:
            done = subprocess.run([SLUICED, "--replay", node.options["journal"]], capture_output=True, text=True, check=False)
            assert done.returncode == STOPPED, done
            assert "inputs, identical" in done.stdout, done


def run(*words):
    return subprocess.run([SLUICED, *words], capture_output=True, text=True, timeout=60, check=False)


def test_what_cannot_work_is_one_line_and_a_status():
    with Cluster(1) as c:
        c.wait_formed()
        folder, port = c.folder, c.nodes[0].port
        bad = os.path.join(folder, "bad.yaml")
        with open(bad, "w", encoding="utf-8") as file:
            file.write("name: a\nlease-ttl: soon\n")
        closed = os.path.join(folder, "closed")
        os.mkdir(closed, 0o000)
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)  # that nobody reads
        meta, free = "sqlite:" + os.path.join(folder, "other.db"), "127.0.0.1:0"
        cases = [
            (["--lease-tll", "3s"], USAGE, "did you mean 'lease-ttl'?"),
            (["--config", bad], CONFIG, ":2: "),
            (["--config", os.path.join(folder, "none.yaml")], CONFIG, "No such file"),
            (["--addr", f"127.0.0.1:{port}", "--meta", meta, "--data-dir", folder], ADDRESS, f"127.0.0.1:{port}"),
            (["--addr", "192.0.2.1:8300", "--meta", meta, "--data-dir", folder], ADDRESS, "192.0.2.1"),
            (["--addr", "nonsense"], ADDRESS, "nonsense"),
            (["--addr", free, "--cluster-id", "a/b"], CONFIG, "--cluster-id"),
            (["--addr", free, "--meta", "sqlite:/nonexistent/x.db", "--data-dir", folder], STORE, "/nonexistent"),
            (["--addr", free, "--meta", meta, "--data-dir", "/nonexistent/x"], FILES, "/nonexistent"),
            (["--addr", free, "--meta", meta, "--data-dir", folder, "--log-file", pipe], FILES, pipe),
            (["--addr", free, "--meta", "etcd://127.0.0.1:1", "--data-dir", folder, "--meta-timeout", "1s",
              "--log-level", "error"], STORE, "connection refused"),
            (["--replay", bad], 9, "not a journal"),
        ]
        if os.geteuid() != 0:
            cases.append((["--addr", free, "--meta", meta, "--data-dir", closed], FILES, "Permission denied"))
        for words, status, text in cases:
            done = run(*words)
            assert done.returncode == status, (words, done)
            lines = [line for line in done.stderr.strip().split("\n") if line.startswith("sluiced: ")]
            assert len(lines) == 1 and text in lines[0], (words, done.stderr)


def test_secrets_are_not_shown():
    words = ["--meta", "etcd://user:canary@127.0.0.1:1", "--print-config"]
    done = run(*words)
    assert done.returncode == 0 and "canary" not in done.stdout + done.stderr
    assert "canary" not in run("--meta", "canary://x").stderr


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
