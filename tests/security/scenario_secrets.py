# SPDX-License-Identifier: Apache-2.0
"""Secrets are in files and values that hold them, and nowhere else: not in what any route answers, not in logs, metrics,
output of the commands, titles of processes, or a replay. Each secret is another word, so that a finding says which."""

import base64
import http.client
import json
import os
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from cluster import BUILD_DIR, SLUICED, STOPPED, Cluster, Unavailable, main, tests_of, wait  # noqa: E402

SLUICE = os.path.join(BUILD_DIR, "bin", "sluice")
SECRETS = {place: f"Canary{number}x{place}".replace("-", "") for number, place in enumerate((
    "source-user", "source-query", "sink-user", "sink-query", "bad-uri", "check-uri", "operator",
    "stranger"))}


def secret(place):
    return SECRETS[place]


def forms(word):
    """As it is, and inside of what is sent as a user's name and password."""
    shifted = [base64.b64encode(b"x" * pad + word.encode())[4 if pad else 0:-4] for pad in range(3)]
    return [word.encode(), *shifted]


def found_in(text, more=()):
    words = [(place, form) for place, word in SECRETS.items() for form in forms(word)]
    return sorted({place for place, form in words + list(more) if form in text})


class House:
    """Two nodes with TLS, users, journals, and feeds whose URIs hold secrets."""

    def __init__(self, c):
        self.c = c
        c.use_tls()
        self.password_file = self.write("password", secret("operator") + "\n")
        crypt = subprocess.run(["openssl", "passwd", "-5", secret("operator")], capture_output=True, text=True, check=True)
        self.hash = crypt.stdout.strip()
        c.options["api_users_file"] = self.write("users", f"ops:operator:{self.hash}\n")
        c.options["api_credentials_file"] = self.write("me", f"ops:{secret('operator')}\n")
        c.headers = {"Authorization": "Basic " + base64.b64encode(f"ops:{secret('operator')}".encode()).decode()}
        for node in c.nodes:
            node.options["journal"] = os.path.join(c.folder, node.name + ".journal")
        with open(os.path.join(c.folder, "node.key"), "rb") as file:
            key = file.read().split(b"\n")
        # Also secret, though made by others: the private key, and how the password is stored.
        self.more = [("key", key[1]), ("hash", self.hash.encode())]

    def write(self, name, text):
        path = os.path.join(self.c.folder, name)
        with open(path, "w", encoding="utf-8", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
            file.write(text)
        return path

    def clean(self, text, where):
        found = found_in(text if isinstance(text, bytes) else text.encode(), self.more)
        assert not found, f"{where} shows the secrets {found}"

    # ---- what is done ----

    def refused(self, node, method, path, body, where):
        """The error that it must be; what it says must be clean."""
        try:
            answer = node.call(method, path, body)
        except Unavailable as error:
            self.clean(str(error), where)
            return
        self.clean(json.dumps(answer), where)

    def make_feeds(self, node):
        bodies = [
            {"changefeed_id": "good", "start_ts": 1, "sink_uri": "blackhole://", "source_uri": "gen://?tables=3&rows_per_s=50"},
            # Nobody is there: what the drivers say is in the error of the feed.
            {"changefeed_id": "away", "start_ts": 1, "sink_uri": f"mysql://u:{secret('sink-user')}@127.0.0.1:1/",
             "source_uri": "gen://?tables=2&rows_per_s=50"},
            {"changefeed_id": "nosource", "start_ts": 1, "sink_uri": "blackhole://",
             "source_uri": f"mysql://u:{secret('source-user')}@127.0.0.1:1/"},
            {"changefeed_id": "q1", "sink_uri": f"mysql://127.0.0.1:1/?password={secret('sink-query')}", "source_uri": "gen://"},
            {"changefeed_id": "q2", "sink_uri": "blackhole://", "source_uri":
             f"mysql://127.0.0.1:1/?password={secret('source-query')}"},
        ]
        for body in bodies:
            try:
                node.call("POST", "/api/v2/changefeeds", body)
            except Unavailable as error:
                self.clean(str(error), f"the refusal of {body['changefeed_id']}")

    def make_mistakes(self, node):
        for uri in (f"mysql://u:{secret('bad-uri')}@h:port/", f"nothing://u:{secret('bad-uri')}@h/", f"mysql://u:{secret('bad-uri')}@",
                    f"gen://u:{secret('bad-uri')}@h/?tables=many", f"mysql://u:{secret('bad-uri')}@h:99999/?ssl={secret('bad-uri')}",
                    f"//u:{secret('bad-uri')}@"):
            for member in ("source_uri", "sink_uri"):
                body = {"changefeed_id": "bad", "source_uri": "gen://", "sink_uri": "blackhole://", member: uri}
                for method, path in (("POST", "/api/v2/changefeeds"), ("PUT", "/api/v2/changefeeds/good"),
                                     ("POST", "/api/v2/verify_table"), ("POST", "/api/v1/changefeeds")):
                    self.refused(node, method, path, body, f"{method} {path} with a bad {member}")
        self.refused(node, "POST", "/api/v2/verify_table",
                     {"source_uri": f"mysql://u:{secret('check-uri')}@127.0.0.1:1/", "sink_uri": "blackhole://"}, "verify_table")

    # ---- where is looked ----

    def get(self, node, path, headers):
        connection = http.client.HTTPSConnection("127.0.0.1", node.port, timeout=60, context=self.c.ssl)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        # A stream has no end: its first part.
        is_stream = "event-stream" in (answer.getheader("Content-Type") or "")
        text = answer.read1(65536) if is_stream else answer.read()
        connection.close()
        return answer.status, text

    def look_at_routes(self, drain_id):
        """Every route that can be read, of every node, by its own list. How many answered."""
        answered = 0
        for node in self.c.running():
            for path, methods in node.get("/api/v2/openapi.json")["paths"].items():
                if "get" not in methods:
                    continue
                for feed in ("good", "away", "nosource"):
                    filled = path.format(feed=feed, node=node.name, drain=drain_id, file="app.js")
                    status, text = self.get(node, filled, self.c.headers)
                    self.clean(text, f"GET {filled}")
                    answered += status == 200
                    if "{feed}" not in path:
                        break
            wrong = {"Authorization": "Basic " + base64.b64encode(f"ops:{secret('stranger')}".encode()).decode()}
            self.clean(self.get(node, "/api/v2/nodes", wrong)[1], "the refusal of a stranger")
        return answered

    def sluice(self, *words):
        words = [SLUICE, "--server", f"https://127.0.0.1:{self.c.running()[0].port}", "--ca", self.c.options["ca"],
                 "--user", "ops", "--password-file", self.password_file, *words]
        done = subprocess.run(words, capture_output=True, check=False, timeout=120)
        self.clean(done.stdout + done.stderr, "sluice " + " ".join(words[9:]))
        return done.returncode

    def look_at_commands(self):
        good = 0
        for words in (["feed", "list"], ["feed", "show", "good"], ["feed", "show", "away"], ["feed", "show", "nosource"],
                      ["node", "list"], ["node", "show", "n1"], ["cluster", "status"], ["drain", "list", "--all"]):
            good += self.sluice(*words) in (0, 1)  # 1: something is wrong, as it is with the feeds
            good += self.sluice("--json", *words) in (0, 1)
        assert good == 16, good
        path = self.write("uri", f"mysql://u:{secret('check-uri')}@127.0.0.1:1/?password={secret('check-uri')}\n")
        self.sluice("source", "check", "--source-file", path)
        self.sluice("source", "check", f"nothing://u:{secret('check-uri')}@h/")

    def look_at_processes(self):
        for node in self.c.running():
            for name in ("cmdline", "comm", "environ", "status"):
                with open(f"/proc/{node.process.pid}/{name}", "rb") as file:
                    self.clean(file.read(), f"/proc/{node.name}/{name}")
            shown = subprocess.run(node.command() + ["--print-config"], capture_output=True, check=True)
            self.clean(shown.stdout + shown.stderr, "--print-config")
        self.clean(subprocess.run([SLUICED, "--help"], capture_output=True, check=True).stdout, "--help")

    def look_at_files(self):
        """Files that hold secrets are their owner's alone; the others hold none."""
        may_hold = {"password", "users", "me", "uri", "node.key", "ca.key"}
        hold = set()
        for folder, _, names in os.walk(self.c.folder):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found = found_in(file.read(), self.more)
                if not found or name in may_hold:
                    continue
                hold.add(name)
                assert ".journal" in name or name.startswith("meta.db"), f"{name} holds the secrets {found}"
                assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, f"{name} can be read by others"
        return hold

    def look_at_replays(self):
        for node in self.c.nodes:
            done = subprocess.run([SLUICED, "--replay", node.options["journal"]], capture_output=True, check=False)
            assert done.returncode == 0, done
            self.clean(done.stdout + done.stderr, "a replay")


def test_secrets_show_nowhere():
    c = Cluster(2, meta=None)
    house = House(c)
    with c:
        owner = c.wait_formed()
        house.make_feeds(owner)
        other = next(node for node in c.nodes if node is not owner)
        wait(lambda: len(owner.get("/api/v2/changefeeds")["items"]) >= 1, "a feed")
        for node in (owner, other):
            house.make_mistakes(node)
        drain_id = wait(lambda: owner.post("/api/v2/drains", {
            "node": other.name, "reason": "a test", "actor": "x"})["id"], "a drain")
        wait(lambda: owner.get(f"/api/v2/drains/{drain_id}")["safe_to_stop"], "the drain to be safe", 60)
        assert house.look_at_routes(drain_id) > 20
        house.look_at_commands()
        house.look_at_processes()
        for node in (other, owner):
            node.terminate()
            assert node.wait_exit() == STOPPED, node.stderr()
        hold = house.look_at_files()
        # What must hold them does: the look finds what there is.
        assert any(name.endswith(".journal") for name in hold), hold
        assert c.etcd or any(name.startswith("meta.db") for name in hold), hold
        house.look_at_replays()


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
