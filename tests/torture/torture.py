# SPDX-License-Identifier: Apache-2.0
"""Calls of real processes fail: memory, sockets, the disk. No crash, no lost row, and an end always says why.

What fails is in faults.py. All numbers and combinations with --full (SL_TORTURE=all), else a sample.
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import faults as f  # noqa: E402
from cluster import (FAILED, LEASE, MEMORY_DIR, SLUICED, STOPPED, STORE, Cluster, Failure, main,  # noqa: E402
                     make_certificates, tests_of, wait)
from scenario_drain import drain, drain_state  # noqa: E402
from scenario_proof import Proof  # noqa: E402

ALL = os.environ.get("SL_TORTURE") == "all"
SAMPLE = 16


def sample(count):
    """Numbers 1 ... count: all of them, or some, close together at the beginning."""
    if ALL or count <= SAMPLE:
        return range(1, count + 1)
    return sorted({1 + int((count - 1) * (i / (SAMPLE - 1)) ** 1.5) for i in range(SAMPLE)})


def assert_sound_end(status, stderr, what, by_library=False):
    """No crash, nothing that a sanitizer says, and whoever does not end as asked says why in a line. by_library: libuv gives
    up in silence when it has no memory for a signal."""
    assert "Sanitizer" not in stderr and "runtime error:" not in stderr, (what, stderr)
    if by_library and status == -signal.SIGABRT and stderr == "":
        return
    assert status is not None and status >= 0, (what, status, stderr)
    lines = [line for line in stderr.split("\n") if line.startswith("sluiced: ")]
    assert status == STOPPED or len(lines) == 1, (what, status, stderr)


# ---- start-up ----

def start_and_stop(folder, faults, what, more=(), look=lambda port: None):
    """A node alone from its start to its end, which is asked for once it listens and was looked at. Its exit status."""
    log = os.path.join(folder, "log")
    words = [SLUICED, "--name", "n1", "--addr", "127.0.0.1:0", "--data-dir", os.path.join(folder, "data"),
             "--meta", "sqlite:" + os.path.join(folder, "meta.db"), "--log-file", log, "--lease-ttl", "3s",
             "--meta-timeout", "5s", "--log-format", "json", *more]
    with open(os.path.join(folder, "stderr"), "w+", encoding="utf-8") as errors:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                   env={**os.environ, **faults.environment})
        try:
            wait(lambda: process.poll() is not None or has_said(log, "LISTENING"), f"{what}: to listen or to end")
            if process.poll() is None:
                look(has_said(log, "LISTENING")["port"])
            process.send_signal(signal.SIGTERM)
            wait(lambda: process.poll() is not None, f"{what}: to end")
        finally:
            process.kill()
            process.wait()
        errors.seek(0)
        stderr = errors.read()
    assert_sound_end(process.returncode, stderr, what, by_library=bool(more))
    return process.returncode


def has_said(log, event):
    """The event, or None."""
    if not os.path.exists(log):
        return None
    with open(log, encoding="utf-8") as file:
        events = [json.loads(line) for line in file.read().split("\n")[:-1]]
    return next((e for e in events if e["event"] == event), None)


def fail_each_call_of_a_start(kind, how, path=""):
    ended = {}

    def once(number):
        with tempfile.TemporaryDirectory(prefix="sluice-torture-", dir=MEMORY_DIR) as folder:
            faults = f.Faults(os.path.join(folder, "faults"), path)
            if number:
                faults.fail(kind, number, how=how)
            status = start_and_stop(folder, faults, f"call {number} of kind {kind} fails ({how})")
            ended[status] = ended.get(status, 0) + 1
            return faults.get(kind, f.CALLS), faults.failed(kind)

    count, _ = once(0)
    assert count > 0 and ended == {STOPPED: 1}, (count, ended)
    hit = sum(once(number)[1] for number in sample(count))
    assert hit > 0, "nothing failed"
    # Whoever supervises the node starts it again after these (src/app/exits.h), and the next start may go well.
    assert set(ended) <= {STOPPED, FAILED, STORE}, ended
    print(f"  {hit} of {count} calls failed, one at a time; exit status: {ended}")


def test_start_with_each_allocation_failing():
    fail_each_call_of_a_start(f.OWN_ALLOC, f.HARD)


def test_start_with_each_write_of_the_metadata_failing():
    for how in (f.HARD, f.FULL, f.SHORT, f.INTERRUPT) if ALL else (f.HARD, f.FULL):
        fail_each_call_of_a_start(f.DISK, how, "meta.db")


def refuses_to_talk_plainly(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/status", timeout=10) as answer:
            raise AssertionError(f"without TLS, {answer.status}")
    except (OSError, http.client.HTTPException):
        pass


def test_start_with_certificates_never_goes_on_without_them():
    with tempfile.TemporaryDirectory(prefix="sluice-torture-", dir=MEMORY_DIR) as folder:
        make_certificates(folder)
        ca, cert, key = (os.path.join(folder, name) for name in ("ca.pem", "node.pem", "node.key"))
        for number in range(1, 1000 if ALL else 60):  # certificates are read early
            os.mkdir(os.path.join(folder, "n"))
            faults = f.Faults(os.path.join(folder, "n", "faults"))
            faults.fail(f.ANY_ALLOC, number)
            start_and_stop(os.path.join(folder, "n"), faults, f"allocation {number} fails, with TLS",
                           ["--ca", ca, "--cert", cert, "--key", key], refuses_to_talk_plainly)
            shutil.rmtree(os.path.join(folder, "n"))
            if faults.failed(f.ANY_ALLOC) == 0:
                break


# ---- a feed's life with a drain ----

class Life:
    """Three nodes, a feed that writes down what it commits, and a plan of faults for each node."""

    def __init__(self, path=""):
        self.c, self.faults = Cluster(3, lease_ttl=LEASE), {}
        for node in self.c.nodes:
            self.faults[node] = f.Faults(os.path.join(self.c.folder, node.name + ".faults"), path)
            node.environment = self.faults[node].environment

    def run(self, role, kind, count, every, how):
        """Calls of the node in this role fail while another node, or itself, is drained. In the end all is well."""
        with self.c as c:
            owner = c.wait_formed()
            proof = Proof(c, rows_per_s=1000)
            others = [node for node in c.nodes if node is not owner]
            target, victim = others[0], {"owner": owner, "target": others[0], "other": others[1]}[role]
            plan = self.faults[victim]
            plan.fail_from_now(kind, count, every, how)
            drain_id = self.ask_for_drain(target, others[1] if victim is owner else owner)
            try:
                wait(lambda: plan.get(kind, f.CALLS) >= plan.get(kind, f.FIRST) + count or not victim.is_running(),
                     "the calls to fail", 3)
            except Failure:
                pass  # it does not call so often
            plan.stop(kind)
            self.restart_who_ended()
            if drain_id:
                wait(lambda: drain_state(c, drain_id)["phase"] in ("done", "safe", "cancelled", "failed"),
                     "the drain to end", 60)
            proof.check()
            failed = plan.failed(kind)
            print(f"  {failed} calls of the {role} failed (kind {kind}, {how})")
            assert failed > 0
            self.stop_all()

    def ask_for_drain(self, target, by):
        try:
            return wait(lambda: drain(self.c, target, by=by), "the drain to be accepted")
        except Failure as error:
            print(f"  no drain: {error}")
            return None

    def restart_who_ended(self):
        for node in self.c.nodes:
            if not node.is_running():
                assert_sound_end(node.process.returncode, node.stderr(), node.name)
                print(f"  {node.name} ended: {node.stderr().strip()[-200:]}")
                node.start()
        self.c.wait_formed(3)

    def stop_all(self):
        for node in self.c.nodes:
            if node.is_running():
                node.terminate()
        for node in self.c.nodes:
            assert_sound_end(node.wait_exit(60), node.stderr(), node.name)


def live(path, cases):
    for role, kind, count, every, how in cases:
        Life(path).run(role, kind, count, every, how)


def roles_and(*rest, few=("owner",)):
    return [(role, *rest) for role in (("owner", "target", "other") if ALL else few)]


def test_life_with_allocations_failing():
    cases = roles_and(f.OWN_ALLOC, 300, 5, f.HARD)
    if ALL:
        cases += roles_and(f.OWN_ALLOC, 100, 1, f.HARD) + roles_and(f.OWN_ALLOC, 500, 23, f.HARD)
    live("", cases)


def test_life_with_socket_operations_failing():
    cases = roles_and(f.SOCKET, 60, 5, f.HARD, few=("target",))
    if ALL:
        cases += roles_and(f.SOCKET, 1000, 2, f.SHORT) + roles_and(f.SOCKET, 500, 5, f.INTERRUPT)
        cases += roles_and(f.SOCKET, 500, 20, f.FULL)
    live("", cases)


def test_life_with_writes_of_the_metadata_failing():
    cases = roles_and(f.DISK, 200, 7, f.HARD)
    if ALL:
        cases += roles_and(f.DISK, 100, 1, f.FULL) + roles_and(f.DISK, 400, 3, f.SHORT)
    live("meta.db", cases)


def test_life_with_writes_of_the_sink_failing():
    cases = roles_and(f.DISK, 400, 23, f.HARD, few=("other",))
    if ALL:
        cases += roles_and(f.DISK, 200, 1, f.FULL) + roles_and(f.DISK, 1000, 3, f.SHORT)
    live("check-f1", cases)


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
