# SPDX-License-Identifier: Apache-2.0
"""Real nodes with users, and with TLS on their port: what is forwarded arrives, secrets do not show."""

import base64
import http.client
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)
import crypt  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from cluster import Cluster, main, tests_of, wait  # noqa: E402

CANARY = "hunter2canary"


def ask(node, method, path, body=None, user=None, tls=None):
    headers = {"Content-Type": "application/json"} if body else {}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", node.port, timeout=30, context=tls)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def other(c, tls=None):
    owner = json.loads(ask(c.running()[0], "GET", "/api/v2/captures", tls=tls)[1])["items"]
    address = next(i["address"] for i in owner if i["is_owner"])
    return next(n for n in c.running() if not address.endswith(f":{n.port}"))


def write_users(path, *lines):
    with open(path, "w") as f:
        f.write("# users\n" + "".join(line + "\n" for line in lines))


def test_users_are_asked_for_and_what_they_do_is_written_down():
    with Cluster(0, lease_ttl="15s") as c:
        users = os.path.join(c.folder, "users")
        # As mkpasswd makes them: yescrypt, at its least cost, because this is not a test of patience.
        anna = crypt.crypt(CANARY, "$y$j7T$abcdefghijkl")
        write_users(users, f"anna:operator:{anna}")
        for name in ("n1", "n2"):
            c.add(name, api_users_file=users)
        c.wait_formed(2)
        node = other(c)
        assert ask(node, "GET", "/api/v2/nodes")[0] == 401
        assert ask(node, "GET", "/api/v2/nodes", user="anna:wrong")[0] == 401
        right = f"anna:{CANARY}"
        status, text = wait(lambda: (a := ask(node, "GET", "/api/v2/nodes", user=right))[0] == 200 and a, "the nodes")
        assert len(json.loads(text)["items"]) == 2
        body = {"changefeed_id": "f", "source_uri": f"gen://u:{CANARY}@x/?tables=3", "sink_uri": "blackhole://"}
        ask(node, "POST", "/api/v2/changefeeds", body, user=right)
        status, _ = ask(node, "POST", "/api/v2/drains", {"node": node.name, "reason": "because", "actor": "somebody"}, user=right)
        assert status == 202
        owner = next(n for n in c.running() if n is not node)
        event = wait(lambda: owner.find("AUDIT", action="drain_start"), "the audit line of the drain")
        assert event["actor"] == "anna" and event["reason"] == "because", event
        for path in ("/api/v2/changefeeds/f", "/api/v2/unsafe/metadata", "/config", "/metrics", "/debug/info"):
            for n in c.running():
                assert CANARY not in ask(n, "GET", path, user=right)[1], f"{path} shows a secret"
        for n in c.running():
            assert CANARY not in open(n.log_path).read(), "a log shows a secret"


def test_a_node_behind_tls_forwards_to_the_owner():
    with Cluster(0, lease_ttl="15s") as c:
        c.use_tls()
        for name in ("n1", "n2"):
            c.add(name)
        tls = c.ssl
        wait(lambda: len(json.loads(ask(c.running()[0], "GET", "/api/v2/captures", tls=tls)[1])["items"]) == 2, "two nodes")
        wait(lambda: all(ask(n, "GET", "/api/v2/nodes", tls=tls)[0] == 200 for n in c.running()), "both to answer")
        status, text = ask(other(c, tls), "GET", "/api/v2/nodes", tls=tls)
        assert status == 200 and len(json.loads(text)["items"]) == 2, text


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
