# SPDX-License-Identifier: Apache-2.0
"""A cluster between two MariaDB servers, for tests of one feed or a few."""

import sys

import servers
from cluster import Cluster, Failure, wait

LEASE = "20s"  # nobody is killed here, and the machine may stand still
LIMIT_S = 90
MIB = 1 << 20


class Pair:
    """A cluster, a source and a sink; users repl and apply have the documented grants."""

    def __init__(self, count=2, databases=("d",), more=(), secure=False, lease_ttl=LEASE, options=None):
        self.cluster, self.databases, self.secure = Cluster(count, lease_ttl=lease_ttl, options=options), databases, secure
        folder, options, self.params = self.cluster.folder, list(more), {}
        if secure:
            tls, self.params = servers.tls_options(folder)
            options += tls
        self.source = servers.Server(folder, "source", [*servers.SOURCE_OPTIONS, *options])
        self.sink = servers.Server(folder, "sink", options)

    def __enter__(self):
        self.cluster.__enter__()
        try:
            self.source.start()
            self.sink.start()
            servers.grant_source(self.source)
            servers.grant_sink(self.sink, self.databases)
            if self.secure:
                self.source.sql("alter user repl@'%' require ssl")
                self.sink.sql("alter user apply@'%' require ssl")
            self.cluster.wait_formed()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        for server in (self.source, self.sink):
            if kind is not None:
                print(f"---- {server.name}: {server.log_end()}", file=sys.stderr)
            if server.process is not None:
                server.kill()
        self.cluster.__exit__(kind, value, trace)

    def uris(self):
        return self.source.uri("repl", **self.params), self.sink.uri("apply", **self.params)

    def create(self, name="f1", databases=None, source=None, sink=None):
        uris = self.uris()
        body = {"changefeed_id": name, "source_uri": source or uris[0], "sink_uri": sink or uris[1],
                "replica_config": {"filter": {"rules": [database + ".*" for database in databases or self.databases]}}}
        wait(lambda: self.cluster.nodes[0].post("/api/v2/changefeeds", body), f"{name} to be created", LIMIT_S)

    def feed(self, name="f1"):
        return self.cluster.nodes[0].get("/api/v2/changefeeds/" + name)

    def wait_behind(self, name="f1", limit=LIMIT_S):
        """The checkpoint comes to where the source is now."""
        head = self.source.head()

        def is_there():
            feed = self.feed(name)
            if feed["state"] not in ("normal", "warning"):
                raise Failure(f"{name} is {feed['state']}: {feed.get('error')}")
            return feed["checkpoint_ts"] >= head
        wait(is_there, f"the checkpoint of {name} to come to {head}", limit)

    def wait_equal(self, limit=LIMIT_S):
        """The checkpoint comes to where the source is now; then all is equal, at once."""
        self.wait_behind(limit=limit)
        rows, differing = servers.compare(self.source, self.sink)
        assert not differing, differing
        return rows


def wait_stopped(pair, name, *words):
    """The feed's error, which says all of these."""
    def error():
        feed = pair.feed(name)
        text = str(feed.get("error")).lower()
        return feed["state"] in ("failed", "warning") and all(word.lower() in text for word in words) and feed["error"]
    return wait(error, f"{name} to stop and say {words}", LIMIT_S)


def wait_noted(pair, word, count):
    """A node has said as often that a feed that goes on has this trouble."""
    node = pair.cluster.nodes[0]
    wait(lambda: sum(word in event["detail"] for event in node.events("FEED_NOTE")) >= count, f"'{word}' to be noted", LIMIT_S)


# ---- large transactions ----

def memory_used(node):
    """The most that the process has had at once, in bytes."""
    with open(f"/proc/{node.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))


def write_large(pair, rows):
    """One transaction of so many rows of 1000 bytes, and a little behind it."""
    pair.source.run_text(f"""use d; begin; insert into a select seq, repeat('x', 996), 1 from seq_1_to_{rows};
        update a set n = 2 where id % 1000 = 0; delete from a where id % 1000 = 1; commit; insert into a values (0, '', 0)""")
