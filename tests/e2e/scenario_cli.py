# SPDX-License-Identifier: Apache-2.0
"""sluice against clusters of real processes: drains that are waited for, left alone, cancelled, and that survive losses."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading

from cluster import BUILD_DIR, LEASE, PATIENCE, STOPPED, Cluster, Failure, main, tests_of, wait
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
        # A node that is gone still has its name in what is said of it.
        assert shown(c, "drain", "show", owner.name)["node"]["name"] == owner.name
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
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # what is started in the background is born deaf to it
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
    with Cluster(4, lease_ttl=LEASE) as c:
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
    with Cluster(4, lease_ttl=LEASE) as c:
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
