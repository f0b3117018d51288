# SPDX-License-Identifier: Apache-2.0
"""A feed between two MariaDB servers as operators have them: TLS, the documented grants and no others, large rows and
transactions."""

import sys

import servers
from cluster import Cluster, Failure, main, tests_of, wait
from proxy import Proxy

LEASE = "20s"  # nobody is killed here, and the machine may stand still
LIMIT_S = 90


class Pair:
    """A cluster, a source and a sink; users repl and apply have the documented grants."""

    def __init__(self, count=2, databases=("d",), more=(), secure=False):
        self.cluster, self.databases, self.secure = Cluster(count, lease_ttl=LEASE), databases, secure
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

    def wait_equal(self, limit=LIMIT_S):
        """The checkpoint comes to where the source is now; then all is equal, at once."""
        head = self.source.head()

        def is_there():
            feed = self.feed()
            if feed["state"] not in ("normal", "warning"):
                raise Failure(f"the feed is {feed['state']}: {feed.get('error')}")
            return feed["checkpoint_ts"] >= head
        wait(is_there, f"the checkpoint to come to {head}", limit)
        rows, differing = servers.compare(self.source, self.sink)
        assert not differing, differing
        return rows


def wait_stopped(pair, name, *words):
    """The feed's error, which says all of these."""
    def error():
        feed = pair.feed(name)
        return feed["state"] in ("failed", "warning") and feed["error"]
    found = wait(error, f"{name} to stop", LIMIT_S)
    text = str(found).lower()
    assert all(word.lower() in text for word in words), found
    return found


def wait_noted(pair, word, count):
    """A node has said as often that a feed that goes on has this trouble."""
    node = pair.cluster.nodes[0]
    wait(lambda: sum(word in event["detail"] for event in node.events("FEED_NOTE")) >= count, f"'{word}' to be noted", LIMIT_S)


# ---- tests ----


def test_without_tls_a_user_who_has_to_use_it_is_refused_and_the_feed_says_so():
    with Pair(count=1, secure=True) as pair:
        pair.source.run_text("create database d; create table d.a (id int primary key)")
        try:
            pair.create("plain", source=pair.source.uri("repl"))
        except Failure as failure:
            assert "Access denied" in str(failure), failure
            return
        wait_stopped(pair, "plain", "access denied")


def test_a_connection_that_ends_in_the_handshake_of_tls_is_tried_again():
    with Pair(count=1, secure=True) as pair:
        proxies = [Proxy(), Proxy()]
        ports = [int(proxy.address.rsplit(":", 1)[1]) for proxy in proxies]
        for proxy, server in zip(proxies, (pair.source, pair.sink)):
            proxy.to(server.port)
        pair.create(source=pair.source.uri("repl", port=ports[0], **pair.params),
                    sink=pair.sink.uri("apply", port=ports[1], **pair.params))
        pair.source.run_text("create database d; create table d.a (id int primary key); insert into d.a values (1)")
        pair.wait_equal()
        for number, proxy in enumerate(proxies):
            proxy.client_bytes_max = 100  # the wish for TLS passes, the client's hello does not
            proxy.mend()
            pair.source.run_text(f"insert into d.a values ({number + 2})")
            wait_noted(pair, "SSL", number + 1)
            proxy.client_bytes_max = None
            pair.wait_equal()
        for proxy in proxies:
            proxy.close()


def test_large_rows_and_transactions_arrive():
    with Pair(more=["max_allowed_packet=64M", "innodb_log_file_size=256M"]) as pair:
        pair.create()
        pair.source.run_text("""create database d; create table d.a (id int primary key, v varchar(200));
            create table d.b (id int primary key, data longblob);
            use d; begin; insert into d.a select seq, repeat('x', seq % 200) from seq_1_to_200000;
            update d.a set v = concat(v, 'y') where id % 2 = 0 and length(v) < 200; delete from d.a where id % 5 = 0; commit;
            insert into d.b values (1, repeat('b', 20 << 20)), (2, ''), (3, null);
            insert into d.b values (4, repeat(unhex('00ff'), 5 << 20));
            update d.b set data = concat(data, 'end') where id in (1, 2)""")
        assert pair.wait_equal() == 160004


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
