# SPDX-License-Identifier: Apache-2.0
"""Clusters of real sluiced processes, for tests. Standard library only.

    with Cluster(3) as c:                       # n1, n2, n3 on free ports, metadata in one SQLite file
        c.wait_formed()                         # every node sees every node, one of them is the owner
        c.owner().kill()                        # SIGKILL
        c.wait(lambda: c.owner() ..., "a new owner")

A test is a function test_*(); it fails by an exception. Nothing here depends on time: what is expected is waited for
(`wait`), with a limit that only says when to give up. Ports are taken by the processes themselves (port 0) and read from
their log. Every process is ended by its number when the `with` ends, whatever happened; if the test failed the ends of
all logs are printed. SL_KEEP=1 keeps the folder with logs, metadata and journals. What a sanitizer says fails the test.

Where the program is found: SL_BUILD_DIR/bin/sluiced. SL_E2E_WAIT multiplies all limits (sanitizers, busy machines).
"""

import functools
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

SOURCE_DIR = os.environ.get("SL_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "support"))
from free_port import free_port  # noqa: E402, F401 pylint: disable=wrong-import-position,unused-import

BUILD_DIR = os.environ.get("SL_BUILD_DIR", os.path.join(SOURCE_DIR, "build", "release"))
SLUICED = os.path.join(BUILD_DIR, "bin", "sluiced")
PATIENCE = float(os.environ.get("SL_E2E_WAIT", "1"))
LIMIT_S = 30.0
SANITIZER = re.compile(r"\w+Sanitizer|runtime error:")

# A machine whose processors are wanted by others has been seen to stand still for 2.5 s. A node that stands still for
# longer than its lease fences itself, as it should; so leases are long unless a test waits for the end of one, and then
# they are a little longer than that.
LEASE, LONG_LEASE = "5s", "20s"

# And a commit of the metadata waits for the disk: on a busy one that takes longer than a lease.
MEMORY_DIR = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# The exit status of sluiced (docs/configuration.md).
STOPPED, FAILED, USAGE, CONFIG, ADDRESS, FILES, STORE, CUT_SHORT, FENCED, REPLAY = range(10)


class Failure(Exception):
    """What was expected did not come."""


@functools.cache
def is_sanitized():
    """Whether the nodes of this build look after themselves (ASan, TSan)."""
    words = subprocess.run(["readelf", "-d", SLUICED], capture_output=True, text=True, check=True).stdout
    return "libasan" in words or "libtsan" in words


def wait(condition, what, limit=LIMIT_S):
    """The first value of condition() that is true. It may fail with Unavailable meanwhile."""
    until = time.monotonic() + limit * PATIENCE
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except Unavailable as error:
            last = error
        if time.monotonic() > until:
            raise Failure(f"waited {limit * PATIENCE:g} s for {what}; at the end: {last!r}")
        time.sleep(0.02)


class Unavailable(Exception):
    """The node does not answer, or answers with an error: its status and text."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text[:300]}")
        self.status, self.text = status, text


class Node:
    """One process, or what is left of it. A node that is started again keeps its name, and gets another port and id."""

    def __init__(self, cluster, name, options):
        self.cluster, self.name, self.options = cluster, name, options
        self.log_path = os.path.join(cluster.folder, name + ".log")
        self.process, self.port, self.log_start = None, None, 0
        self.environment = {}  # in addition
        self.program = None  # another one than sluiced

    # ---- process ----

    def command(self):
        folder = self.cluster.folder
        words = [self.program or SLUICED, "--name", self.name, "--addr", "127.0.0.1:0", "--data-dir", os.path.join(folder, "data"),
                 "--log-file", self.log_path, "--log-format", "json", "--log-level", "debug",
                 "--meta", self.cluster.meta, "--lease-ttl", self.cluster.lease_ttl]
        for key, value in {**self.cluster.options, **self.options}.items():
            words += ["--" + key.replace("_", "-") + ("" if value is True else "=" + str(value))]
        return words

    def start(self):
        """Starts the process and waits until it listens. Returns self."""
        self.log_start = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        self.port = None
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SLUICE_")}
        environment.update(self.environment)
        with open(os.path.join(self.cluster.folder, self.name + ".stderr"), "ab") as errors:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                            env=environment)
        self.port = wait(self._listening, f"{self.name} to listen")["port"]
        return self

    def _listening(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with {self.process.returncode}: {self.stderr()}")
        return self.find("LISTENING")

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """SIGKILL, and gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def terminate(self):
        self.signal(signal.SIGTERM)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def wait_exit(self, limit=LIMIT_S):
        """The exit status."""
        wait(lambda: self.process.poll() is not None, f"{self.name} to end", limit)
        return self.process.returncode

    # ---- what it says ----

    def stderr(self):
        """Of all its lives; "" if it never began one."""
        path = os.path.join(self.cluster.folder, self.name + ".stderr")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def events(self, name=None):
        """The events of this life of the node, as dictionaries."""
        if not os.path.exists(self.log_path):
            return []
        with open(self.log_path, encoding="utf-8") as file:
            file.seek(self.log_start)
            lines = file.read().split("\n")[:-1]
        events = [json.loads(line) for line in lines]
        return [event for event in events if name is None or event["event"] == name]

    def find(self, name, **fields):
        """The newest event of this name whose fields have these values; None."""
        for event in reversed(self.events(name)):
            if all(event.get(key) == value for key, value in fields.items()):
                return event
        return None

    # ---- its API ----

    def call(self, method, path, body=None, timeout=10):
        """The decoded answer (None if it is empty). Raises Unavailable."""
        data = None if body is None else json.dumps(body).encode()
        scheme = "https" if self.cluster.ssl else "http"
        request = urllib.request.Request(f"{scheme}://127.0.0.1:{self.port}{path}", data=data, method=method,
                                         headers={"Content-Type": "application/json", **self.cluster.headers})
        try:
            with urllib.request.urlopen(request, timeout=timeout * PATIENCE, context=self.cluster.ssl) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Unavailable(error.code, error.read().decode(errors="replace")) from None
        except (OSError, urllib.error.URLError) as error:
            raise Unavailable(0, str(error)) from None
        return json.loads(text) if text.strip() else None

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.call("POST", path, body or {}, **more)

    def put(self, path, body=None, **more):
        return self.call("PUT", path, body or {}, **more)

    def delete(self, path, **more):
        return self.call("DELETE", path, **more)

    def status(self):
        return self.get("/api/v2/status")

    def id(self):
        return self.status()["id"]

    def address(self):
        return f"127.0.0.1:{self.port}"


class Etcd:
    """One etcd, with its data in a folder that the caller removes."""

    flags = ["--unsafe-no-fsync"]

    def __init__(self, folder):
        self.folder, self.client, self.process, self.words = folder, None, None, None

    def start(self):
        for _ in range(10):  # a port may be taken between looking and using it
            self.client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
            self.words = ["etcd", "--name", "e", "--data-dir", os.path.join(self.folder, "etcd"), *self.flags,
                          "--listen-client-urls", self.client, "--advertise-client-urls", self.client,
                          "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "e=" + peer]
            self.start_again()
            if wait(lambda: self.process.poll() is not None or self.is_healthy(), "etcd to be healthy") is True:
                if self.process.poll() is None:
                    return self
        raise Failure("etcd does not start; see etcd.log")

    def start_again(self):
        """At the same ports, after kill()."""
        with open(os.path.join(self.folder, "etcd.log"), "ab") as log:
            self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_healthy(self):
        try:
            with urllib.request.urlopen(self.client + "/health", timeout=2) as answer:
                return b"true" in answer.read()
        except OSError:
            return False

    def uri(self):
        return self.client.replace("http://", "etcd://")

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def make_certificates(folder, names=("node",)):
    """An authority ca.pem and a certificate NAME.pem, NAME.key for 127.0.0.1 for each name, in the folder."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority")
    with open(os.path.join(folder, "names.ext"), "w", encoding="utf-8") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in names:
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key",
                "-out", name + ".csr", "-subj", "/CN=" + name)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "names.ext", "-out", name + ".pem")


class Cluster:
    """
    Nodes n1 ... that share metadata. options: more options of sluiced for all of them, with '_' for '-'. Before the
    `with` begins, `folder` may be filled with what the options name.

    SL_E2E_META=etcd: an etcd of their own instead of a file (unless meta says something else).
    """

    def __init__(self, count=3, meta=None, lease_ttl=LONG_LEASE, options=None):
        self.folder = tempfile.mkdtemp(prefix="sluice-e2e-", dir=MEMORY_DIR)
        self.meta = meta or "sqlite:" + os.path.join(self.folder, "meta.db")
        self.etcd = Etcd(self.folder) if os.environ.get("SL_E2E_META") == "etcd" and not meta else None
        self.lease_ttl, self.options = lease_ttl, options or {}
        self.ssl, self.headers = None, {}
        self.nodes = [Node(self, f"n{i + 1}", {}) for i in range(count)]

    def __enter__(self):
        try:
            if self.etcd:
                self.etcd.start()
                # With certificates etcd:// means TLS; this one speaks none.
                self.meta = self.etcd.client if self.ssl else self.etcd.uri()
            for node in self.nodes:
                node.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        if is_sanitized() and kind is None:
            self.end_nodes()
        for node in self.nodes:
            node.kill()
        if self.etcd:
            self.etcd.kill()
        found = [node.name for node in self.nodes if SANITIZER.search(node.stderr())]
        if kind is not None or found:
            self.print_logs()
        if os.environ.get("SL_KEEP"):
            print("kept:", self.folder, file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None and found:
            raise Failure(f"a sanitizer found something in {found}")

    def end_nodes(self, limit=20):
        """Lets the nodes end by themselves: that is when lost memory and races are told. Those that do not are killed later."""
        for node in self.running():
            node.resume()
            node.terminate()
        until = time.monotonic() + limit
        while self.running() and time.monotonic() < until:
            time.sleep(0.02)

    def add(self, name, **options):
        """Another node, running."""
        node = Node(self, name, options)
        self.nodes.append(node)
        return node.start()

    def print_logs(self, lines=40):
        for node in self.nodes:
            print(f"---- {node.name}: {node.stderr().strip()}", file=sys.stderr)
            for event in node.events()[-lines:]:
                print(json.dumps(event), file=sys.stderr)

    def running(self):
        return [node for node in self.nodes if node.is_running()]

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)

    def use_tls(self, name="node", **options):
        """All nodes and this test speak TLS with the certificate of this name. Before the `with` begins."""
        make_certificates(self.folder, [name])
        files = {key: os.path.join(self.folder, file) for key, file in
                 (("ca", "ca.pem"), ("cert", name + ".pem"), ("key", name + ".key"))}
        self.options = {**self.options, **files, **options}
        self.ssl = ssl.create_default_context(cafile=files["ca"])
        self.ssl.load_cert_chain(files["cert"], files["key"])

    def captures(self, node=None):
        """What the owner lists, asked by way of any node."""
        return (node or self.running()[0]).get("/api/v2/captures")["items"]

    def owner(self):
        """The running node that says it is the owner; None unless it is exactly one."""
        owners = []
        for node in self.running():
            try:
                if node.status()["is_owner"]:
                    owners.append(node)
            except Unavailable:
                pass
        return owners[0] if len(owners) == 1 else None

    def is_formed(self, count):
        for node in self.running():
            captures = self.captures(node)
            if len(captures) != count or sum(1 for c in captures if c["is_owner"]) != 1:
                return False
        return self.owner() is not None

    def wait_formed(self, count=None):
        """Every running node lists the same members, one of which is the owner. Returns the owner."""
        count = count or len(self.running())
        wait(lambda: self.is_formed(count), f"a cluster of {count}")
        return self.owner()


def main(tests):
    """Runs the functions named on the command line, or all; prints one line each. The status of the program."""
    names = sys.argv[1:] or list(tests)
    failed = 0
    for name in names:
        began = time.monotonic()
        try:
            tests[name]()
            print(f"ok {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:  # one failing test does not keep the others from running
            failed += 1
            traceback.print_exc()
            print(f"FAILED {name}", flush=True)
    return 1 if failed else 0


def tests_of(module):
    """The functions test_* of a module's globals(), in order."""
    return {name: value for name, value in module.items() if name.startswith("test_") and callable(value)}
