# SPDX-License-Identifier: Apache-2.0
"""What is wrong from outside, at real processes: each ends in one line that says what to do, or in a connection that is
closed and counted; the cluster goes on, and no secret is shown."""

import http.client
import os
import shutil
import socket
import struct
import subprocess
import sys

from cluster import BUILD_DIR, LEASE, PATIENCE, SLUICED, STORE, Cluster, Node, main, make_certificates, tests_of, wait

SLUICE = os.path.join(BUILD_DIR, "bin", "sluice")
FAILED, USAGE = 1, 2
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def run(*words):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLUICE_")}
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * PATIENCE, env=environment,
                          check=False)


def one_line(done, status, *texts, program="sluice"):
    """Exactly one line of the program, with these texts; other lines are events of its log."""
    lines = [line for line in done.stderr.strip().split("\n") if not line.startswith("time=")]
    assert done.returncode == status and len(lines) == 1 and lines[0].startswith(program + ": "), done
    assert all(text in lines[0] for text in texts) and "canary" not in done.stdout + done.stderr, done


def test_commands_say_in_one_line_what_to_do():
    with Cluster(1) as c:
        c.wait_formed()
        server = ["--server", c.nodes[0].address()]
        create = ["feed", "create", "f"]
        good = ["--source", "gen://?tables=1", "--sink", "blackhole://"]
        password = "mysql://u:canary@"
        cases = [
            (["node", "drian", "n1"], USAGE, "no such command: node drian"),
            (["node", "drain", "n1", "--dedline", "1s"], USAGE, "no such option: --dedline"),
            (["node", "drain", "n1", "--deadline", "soon"], USAGE, "10m"),
            (["node", "drain", "n7"], FAILED, "it has n1"),
            ([*create, "--source", "gen://?tabels=1", *good[2:]], FAILED, "no parameter is called 'tabels'"),
            ([*create, "--source", "gen://?tables=-1", *good[2:]], FAILED, "a number from 1"),
            ([*create, "--source", "foo://x", *good[2:]], FAILED, "no source for the scheme 'foo'"),
            ([*create, *good[:2], "--sink", password + "[::1"], FAILED, "no closing bracket"),
            ([*create, *good[:2], "--sink", password + "h:99999/"], FAILED, "port"),
            (["feed", "create", "a/b", *good], FAILED, "letters and digits"),
            ([*create, *good, "--config", "/nonexistent.json"], USAGE, "/nonexistent.json: No such file"),
            (["feed", "show", "f7"], FAILED, "f7"),
        ]
        for words, status, text in cases:
            one_line(run(SLUICE, *server, *words), status, text)
        plain = c.nodes[0].address()
        one_line(run(SLUICE, "--server", "127.0.0.1:1", "node", "list"), FAILED, "is sluiced running there?")
        one_line(run(SLUICE, "--server", "nonsense://x", "node", "list"), USAGE, "http://HOST:PORT")
        one_line(run(SLUICE, "--server", "https://" + plain, "node", "list"), FAILED, "without TLS wants http://")
        # A node's own port is no etcd.
        one_line(run(SLUICED, "--meta", "etcd://" + plain, "--addr", "127.0.0.1:0", "--data-dir", c.folder, "--meta-timeout", "1s"),
                 STORE, "is no etcd", program="sluiced")


def request(node, method, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30 * PATIENCE)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_requests_are_refused_with_the_member_that_is_wrong():
    with Cluster(2) as c:
        c.wait_formed()
        for node in c.nodes:  # of which one forwards
            for body, text in ((b"{", "not a JSON object"), (b"[" * 100000, "too deep"), (b'{"node":5}', "node must be an id"),
                               (b'{"node":"n1","deadlin":"10m"}', "does not know: deadlin"),
                               (b'{"node":"n1","deadline":"soon"}', "deadline must be a time"),
                               (b'{"node":"n9"}', "no such node")):
                status, answer = request(node, "POST", "/api/v2/drains", body)
                assert 400 <= status < 500 and text in answer, (body[:40], status, answer)
            status, answer = request(node, "POST", "/api/v2/changefeeds",
                                     b'{"changefeed_id":"a","source_uri":"gen://?tables=1","sink_uri":"mysql://u:canary@[::1"}')
            assert status == 400 and "canary" not in answer, answer
        assert c.nodes[0].get("/api/v2/drains")["items"] == []


def sent_bytes(node, data, limit=30):
    """What comes back until the node closes; raises when it does not."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=limit * PATIENCE) as connection:
        try:
            connection.sendall(data)
        except OSError:
            pass  # closed while it was being sent
        got = b""
        try:
            while True:
                piece = connection.recv(4096)
                if not piece:
                    return got
                got += piece
        except ConnectionResetError:
            return got


def leave_connections(node, count):
    left = [socket.create_connection(("127.0.0.1", node.port), timeout=90 * PATIENCE) for _ in range(count)]
    for number, connection in enumerate(left):
        connection.sendall((b"", b"GET /api/v2/nodes HTTP/1.1\r\n", PREFACE[:9])[number % 3])
    return left


def connections_that_are_left_are_closed():
    """Not in the default run: it waits for the end of their time, half a minute."""
    with Cluster(1) as c:
        c.wait_formed()
        for connection in leave_connections(c.nodes[0], 3):
            with connection:
                try:
                    while connection.recv(4096):
                        pass
                except ConnectionResetError:
                    pass


def test_a_port_outlives_what_is_sent_to_it():
    with Cluster(2, lease_ttl=LEASE) as c:
        c.wait_formed()
        node = c.nodes[0]
        assert b" 505 " in sent_bytes(node, b"GET / HTTP/9.9\r\n\r\n")
        assert b" 414 " in sent_bytes(node, b"A" * 200000)
        assert b" 413 " in sent_bytes(node, b"POST /api/v2/drains HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n" + b" " * 100)
        sent_bytes(node, PREFACE + b"\xff" * 1000)  # frames that are none
        sent_bytes(node, PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + struct.pack(">I", 0x7fffff00) * 100)
        # Opened and left, half a request, half a preface: they keep nobody out.
        silent = leave_connections(node, 300)
        assert len(node.get("/api/v2/nodes")["items"]) == 2
        for connection in silent:
            connection.close()
        # One that asks and does not read.
        slow = socket.create_connection(("127.0.0.1", node.port))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        assert len(node.get("/api/v2/nodes")["items"]) == 2
        slow.close()
        c.wait_formed(2)
        assert not node.events("CHECK_FAILED")


def test_a_peer_of_another_authority_stays_outside_and_both_say_so():
    c = Cluster(2, lease_ttl=LEASE)
    c.use_tls(mtls=True, cert_allowed_cn="node")
    elsewhere = os.path.join(c.folder, "elsewhere")
    os.mkdir(elsewhere)
    make_certificates(elsewhere, ["node"])
    with c:
        c.wait_formed()
        files = {key: os.path.join(elsewhere, name) for key, name in (("ca", "ca.pem"), ("cert", "node.pem"), ("key", "node.key"))}
        stranger = c.add("n3", **files)
        inside = [node for node in c.nodes if node is not stranger]
        told = wait(lambda: [e for node in c.nodes for e in node.events() if "certificate" in e.get("detail", "") or "TLS" in e.get("detail", "")],
                    "an event that speaks of the certificate")
        assert all(e["level"] == "warn" for e in told), told
        assert not any(node.find("PEER_CONNECTED", peer=stranger.find("STARTED")["id"]) for node in inside)
        # The command, asked to trust the other authority.
        done = run(SLUICE, "--server", "https://" + inside[0].address(), "--ca", files["ca"], "node", "list")
        one_line(done, FAILED, "--ca names the authority")
        one_line(run(SLUICE, "--server", inside[0].address(), "node", "list"), FAILED, "wants https:// and --ca")


def test_clusters_of_other_names_do_not_meet_in_one_store():
    with Cluster(2) as c:
        c.wait_formed()
        other = c.add("n1x", cluster_id="other")
        wait(lambda: other.status()["is_owner"], "the other cluster to have a coordinator of its own")
        assert [capture["cluster_id"] for capture in c.captures(other)] == ["other"]
        wait(lambda: len(c.captures(c.nodes[0])) == 2, "the first cluster to stay two")
        assert not other.events("PEER_CONNECTED")


def test_a_name_that_is_taken_is_refused_until_it_is_free():
    with Cluster(2, lease_ttl=LEASE) as c:
        c.wait_formed()
        twin = Node(c, "n3", {"name": "n1"})
        c.nodes.append(twin)
        twin.start()
        refused = wait(lambda: twin.find("JOIN_REFUSED"), "the refusal")
        assert "another --name" in refused["reason"], refused
        assert len(c.captures(c.nodes[0])) == 2
        c.nodes[0].terminate()
        wait(lambda: twin.find("READY"), "its turn")


WHEN_NAMED = {"connections_that_are_left_are_closed": connections_that_are_left_are_closed}

if __name__ == "__main__":
    if not shutil.which("openssl"):
        sys.exit("openssl is not installed")
    sys.exit(main({**tests_of(globals()), **WHEN_NAMED} if sys.argv[1:] else tests_of(globals())))
