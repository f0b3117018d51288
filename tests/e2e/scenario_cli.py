# SPDX-License-Identifier: Apache-2.0
"""sluice against clusters of real processes: what an operator does, by the commands he has."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import threading

from cluster import BUILD_DIR, PATIENCE, STOPPED, Cluster, Etcd, Failure, main, tests_of, wait
from scenario_drain import TABLES, advances, spread

SLUICE = os.path.join(BUILD_DIR, "bin", "sluice")
SAFE, FAILED, USAGE, DEADLINE, CANCELLED, BLOCKED, DETACHED, DRY_RUN = 0, 1, 2, 3, 4, 5, 10, 11


def line(c, args, by=None):
    nodes = [by] if by else c.running()
    words = [SLUICE, "--server", ",".join(node.address() for node in nodes), "--timeout", f"{10 * PATIENCE:g}s"]
    if c.ssl:
        words += [word for key in ("ca", "cert", "key") for word in ("--" + key, c.options[key])]
    return words + list(args)


def environment(**more):
    return {**{k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}, **more}


def sluice(c, *args, by=None, expect=0):
    """Runs it to its end; what it printed."""
    done = subprocess.run(line(c, args, by), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300 * PATIENCE, env=environment(), check=False)
    if done.returncode != expect:
        raise Failure(f"sluice {' '.join(args)}: {done.returncode}, not {expect}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def start(c, *args, by=None):
    return subprocess.Popen(line(c, args, by), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, env=environment())


def end(process, expect):
    text, _ = process.communicate(timeout=300 * PATIENCE)
    if process.returncode != expect:
        raise Failure(f"{process.args}: {process.returncode}, not {expect}: {text}")
    return text


def shown(c, *args, by=None):
    return json.loads(sluice(c, *args, "--json", by=by))


def create_feed(c, tables=TABLES, rows_per_s=2000):
    sluice(c, "feed", "create", "f1", "--source", f"gen://?tables={tables}&rows_per_s={rows_per_s}",
           "--sink", "blackhole://", "--start", "1")
    wait(lambda: spread(c, tables=tables) is not None, "all tables to be placed")


def others(c, *nodes):
    return [node for node in c.running() if node not in nodes]


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
        assert len(sluice(c, "top", "--once").splitlines()) == 24
        assert sluice(c, "drain", "list", "--all").startswith("DRAIN")


def test_a_feed_is_paused_resumed_moved_and_removed():
    with Cluster(2) as c:
        c.wait_formed()
        create_feed(c)
        sluice(c, "feed", "pause", "f1")
        wait(lambda: "stopped" in sluice(c, "feed", "list"), "the feed to be stopped")
        sluice(c, "feed", "pause", "nothing", expect=FAILED)
        sluice(c, "feed", "resume", "f1")
        wait(lambda: "normal" in sluice(c, "feed", "list"), "the feed to run")
        wait(lambda: spread(c) is not None, "all tables to be placed")
        here = shown(c, "feed", "list")["items"][0]["node"]
        there = next(node.name for node in c.nodes if node.name != here)
        sluice(c, "feed", "move", "f1", "--to", there)
        wait(lambda: shown(c, "feed", "list")["items"][0]["node"] == there, "the maintainer to have moved")
        advances(c)
        sluice(c, "feed", "create", "f1", "--source", "gen://?tables=1", "--sink", "blackhole://", expect=FAILED)
        sluice(c, "feed", "remove", "f1", "--yes")
        assert shown(c, "feed", "list")["total"] == 0


def test_a_drain_is_waited_for_and_the_code_0_is_the_proof():
    with Cluster(3) as c:
        owner = c.wait_formed()
        create_feed(c)
        target = others(c, owner)[0]
        text = sluice(c, "node", "drain", target.name, "--dry-run", expect=DRY_RUN)
        assert "would work" in text, text
        text = sluice(c, "node", "drain", target.name, "--reason", "a test")
        assert f"{target.name} is safe to stop" in text, text
        assert target.id() not in spread(c)
        assert "a test" in sluice(c, "drain", "list")
        assert "safe to stop yes" in sluice(c, "drain", "show", target.name)
        sluice(c, "node", "undrain", target.name, expect=FAILED)  # too late
        advances(c)


def test_the_coordinator_is_drained_and_exits():
    with Cluster(3) as c:
        owner = c.wait_formed()
        create_feed(c)
        text = sluice(c, "node", "drain", owner.name, "--stop")
        assert "was proved safe to stop and has left" in text, text
        assert owner.wait_exit() == STOPPED
        c.wait_formed(2)
        advances(c)


def test_two_drains_at_once():
    with Cluster(4) as c:
        owner = c.wait_formed()
        create_feed(c)
        targets = others(c, owner)[:2]
        waiting = [start(c, "node", "drain", node.name, by=owner) for node in targets]
        for process in waiting:
            end(process, SAFE)
        left = spread(c)
        assert not any(node.id() in left for node in targets)


def test_the_last_node_is_refused():
    with Cluster(1) as c:
        c.wait_formed()
        sluice(c, "node", "drain", "n1", "--dry-run", expect=BLOCKED)
        assert "last node" in sluice(c, "node", "drain", "n1", expect=BLOCKED)


def test_detached_watched_and_cancelled():
    with Cluster(3, lease_ttl="60s") as c:
        owner = c.wait_formed()
        create_feed(c)
        target, sleeper = others(c, owner)
        sleeper.pause()  # it acknowledges nothing, so the drain cannot end
        sluice(c, "node", "drain", target.name, "--detach", by=owner, expect=DETACHED)
        text = sluice(c, "drain", "watch", target.name, "--fail-if-blocked", "1s", by=owner, expect=BLOCKED)
        assert "has not acknowledged" in text, text
        sluice(c, "node", "drain", target.name, "--deadline", "1h", by=owner, expect=FAILED)  # other options
        watching = start(c, "drain", "watch", target.name, by=owner)
        wait(lambda: select.select([watching.stdout], [], [], 0)[0], "the first line")
        sluice(c, "node", "undrain", target.name, by=owner)
        end(watching, CANCELLED)
        sleeper.resume()
        wait(lambda: target.status()["liveness"] == 0, "the node to be alive")
        sluice(c, "node", "drain", target.name)


def test_a_deadline_that_passes():
    with Cluster(3, lease_ttl="60s") as c:
        owner = c.wait_formed()
        create_feed(c)
        target, sleeper = others(c, owner)
        sleeper.pause()
        text = sluice(c, "node", "drain", target.name, "--deadline", "1s", by=owner, expect=DEADLINE)
        assert "its drain goes on" in text, text
        sleeper.resume()
        sluice(c, "drain", "watch", target.name)


def test_ctrl_c_leaves_the_drain_alone():
    with Cluster(3, lease_ttl="60s") as c:
        owner = c.wait_formed()
        create_feed(c)
        target, sleeper = others(c, owner)
        sleeper.pause()
        pid, terminal = pty.fork()
        if pid == 0:
            words = line(c, ["node", "drain", target.name], owner)
            os.execve(words[0], words, environment(TERM="xterm"))
        text = b""
        while b"not safe to stop" not in text:
            text += os.read(terminal, 4096)
        os.write(terminal, b"\x03")
        while True:
            try:
                text += os.read(terminal, 4096)
            except OSError:
                break
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == DETACHED, text
        assert b"detached" in text and b"sluice drain watch" in text, text
        sleeper.resume()
        sluice(c, "drain", "watch", target.name)


def test_the_node_that_is_asked_dies():
    with Cluster(4, lease_ttl="3s") as c:
        owner = c.wait_formed()
        create_feed(c)
        target, asked, sleeper = others(c, owner)
        sleeper.pause()
        process = start(c, "node", "drain", target.name, by=asked)
        wait(lambda: shown(c, "drain", "list", by=owner)["total"] == 1, "the drain to begin")
        asked.kill()
        sleeper.resume()
        text = end(process, SAFE)
        assert "is safe to stop" in text, text


def test_the_coordinator_dies_meanwhile():
    with Cluster(4, lease_ttl="3s") as c:
        owner = c.wait_formed()
        create_feed(c)
        target, asked, sleeper = others(c, owner)
        sleeper.pause()
        process = start(c, "node", "drain", target.name, by=asked)
        wait(lambda: shown(c, "drain", "list", by=owner)["total"] == 1, "the drain to begin")
        owner.kill()
        sleeper.resume()
        end(process, SAFE)
        assert target.id() not in spread(c)


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
    with Cluster(3) as c:
        c.wait_formed()
        create_feed(c)
        advances(c)
        sluice(c, "cluster", "stop", expect=USAGE)  # nobody can be asked
        sluice(c, "cluster", "stop", "--yes")
        for node in c.nodes:
            assert node.wait_exit() == STOPPED
        for node in c.nodes:
            node.start()
        c.wait_formed(3)
        wait(lambda: spread(c) is not None, "all tables to be placed")
        advances(c)


def test_metadata_is_backed_up_restored_and_exported():
    if os.environ.get("SL_E2E_META") == "etcd":
        return
    with Cluster(2) as c:
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
    c = Cluster(2)
    c.use_tls(mtls=True, cert_allowed_cn="node")
    with c:
        owner = c.wait_formed()
        create_feed(c)
        sluice(c, "node", "drain", others(c, owner)[0].name)
        bare = subprocess.run([SLUICE, "--server", owner.address(), "node", "list"], capture_output=True, text=True,
                              check=False, env=environment())
        assert bare.returncode == FAILED and bare.stderr.startswith("sluice: node list: http://"), bare


def test_nobody_sees_a_difference_while_drains_are_watched_by_many():
    with Cluster(3) as c:
        owner = c.wait_formed()
        create_feed(c)
        target = others(c, owner)[0]
        codes = []

        def watch():
            process = start(c, "node", "drain", target.name)
            process.communicate(timeout=300 * PATIENCE)
            codes.append(process.returncode)
        threads = [threading.Thread(target=watch) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes == [SAFE] * 6, codes
        assert shown(c, "drain", "list")["total"] == 1


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
