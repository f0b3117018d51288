# SPDX-License-Identifier: Apache-2.0
"""A feed moves from a server to its replica (docs/decisions/0009-repoint.md). Triggers at the sink count what comes twice."""

import json
import os
import subprocess
import sys
import threading

import pymysql
import servers
from cluster import BUILD_DIR, LEASE, LONG_LEASE, Cluster, Failure, main, tests_of, wait

LIMIT_S = 90
TABLES = 6


class Trio:
    """Two nodes, a source with a replica that logs what it gets, and a sink whose tables count their inserts."""

    def __init__(self, lease=LONG_LEASE):
        self.cluster = Cluster(2, lease_ttl=lease)
        folder, options = self.cluster.folder, [*servers.SOURCE_OPTIONS, "log_slave_updates=ON", "sync_binlog=0"]
        self.old, self.new = (servers.Server(folder, name, options) for name in ("old", "new"))
        self.sink = servers.Server(folder, "sink", ["sync_binlog=0", "innodb_lock_wait_timeout=300"])

    def __enter__(self):
        try:
            self.cluster.__enter__()
            for server in self.servers():
                server.start()
            servers.grant_source(self.old)
            servers.grant_sink(self.sink, ["d"])
            self.new.sql(f"change master to master_host='127.0.0.1', master_port={self.old.port}, master_user='repl', "
                         "master_password='secret', master_use_gtid=slave_pos, master_connect_retry=1")
            self.new.sql("start slave")
            self.cluster.wait_formed()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def servers(self):
        return self.old, self.new, self.sink

    def __exit__(self, kind, value, trace):
        for server in self.servers():
            if kind is not None:
                print(f"---- {server.name}: {server.log_end()}", file=sys.stderr)
            if server.process is not None:
                server.kill()
        self.cluster.__exit__(kind, value, trace)

    # ---- the feed ----

    def create(self):
        """The feed runs, its tables are at the sink, and a trigger notes every row that is put into one of them."""
        self.old.run_text("create database d; " + "".join(
            f"create table d.t{i} (id int primary key, v varchar(100));" for i in range(TABLES)))
        self.sink.run_text("create database audit; create table audit.rows (t varchar(20), id int, key (t, id));")
        body = {"changefeed_id": "f1", "source_uri": self.old.uri(), "sink_uri": self.sink.uri("apply"),
                "replica_config": {"filter": {"rules": ["d.*"]}, "initial_copy": True}, "start": "snapshot"}
        wait(lambda: self.cluster.nodes[0].post("/api/v2/changefeeds", body), "f1 to be created", LIMIT_S)
        self.wait_equal(self.old)
        self.old.sql("insert into d.t0 values (0, 'a place beyond the start')")
        wait(lambda: self.sink.sql("select gtids from sluice.source"), "the sink to know a place of the source", LIMIT_S)
        self.sink.sql("grant insert on audit.rows to apply@'%'")
        for i in range(TABLES):
            self.sink.sql(f"create trigger d.seen{i} after insert on d.t{i} for each row "
                          f"insert into audit.rows values ('t{i}', new.id)")

    def feed(self):
        return self.cluster.nodes[0].get("/api/v2/changefeeds/f1")

    def sluice(self, *words, fails=False):
        """The answer of the command in JSON, or the text of its refusal."""
        done = subprocess.run([os.path.join(BUILD_DIR, "bin", "sluice"), *words, "--json"], capture_output=True, text=True,
                              check=False, env={**os.environ, "SLUICE_SERVER": ",".join(
                                  "http://" + node.address() for node in self.cluster.running())})
        assert (done.returncode != 0) == fails, (words, done.returncode, done.stdout, done.stderr)
        return done.stderr + done.stdout if fails else json.loads(done.stdout)

    def repoint(self, server, *more, **how):
        return self.sluice("feed", "repoint", "f1", "--source", server if isinstance(server, str) else server.uri(), *more, **how)

    def refused(self, server, *words):
        """A repoint that is refused with these words, and changes nothing."""
        before = self.marks()
        for more in ([], ["--dry-run"]):
            text = self.repoint(server, *more, fails=True)
            assert all(word in text for word in words), text
        assert self.marks() == before

    def marks(self):
        return [self.sink.sql(f"select * from sluice.{name} order by 1, 2") for name in ("progress", "source", "ddl", "copy")]

    # ---- what is equal ----

    def wait_equal(self, source):
        def is_equal():
            feed = self.feed()
            if feed["state"] not in ("normal", "warning"):
                raise Failure(f"the feed is {feed['state']}: {feed.get('error')}")
            return not servers.compare(source, self.sink, self.extra())[1]
        try:
            wait(is_equal, "source and sink to be equal", LIMIT_S)
        except Failure as failure:
            raise Failure(f"{failure}: {servers.compare(source, self.sink, self.extra())[1]}") from None

    def extra(self):
        return [("audit", "rows")]

    def check_once(self):
        """Rows of these tables are inserted and never changed: each came once."""
        twice = self.sink.sql("select t, id, count(*) from audit.rows group by 1, 2 having count(*) > 1 limit 10")
        assert not twice, f"rows came twice: {twice}"
        for i in range(TABLES):
            missing = self.sink.sql(f"select id from d.t{i} where id > 0 and id not in (select id from audit.rows where t = 't{i}') limit 5")
            assert not missing, f"rows of t{i} did not come by a trigger: {missing}"

    def wait_marks_pass(self, gtid):
        """A place of the source that has this transaction is known to the sink."""
        number = int(gtid.rsplit("-", 1)[1])

        def is_there():
            rows = self.sink.sql("select gtids from sluice.source")
            return rows and int(rows[0][0].decode().rsplit("-", 1)[1]) >= number
        wait(is_there, f"the sink to know {gtid}", LIMIT_S)

    # ---- servers ----

    @staticmethod
    def purge(server):
        """Only the last file of the log is left; one that a reader has not let go of stays for a while."""
        file = server.sql("show master status")[0][0]

        def is_purged():
            server.sql(f"purge binary logs to '{file}'")
            return server.sql("show binary logs")[0][0] == file
        wait(is_purged, "the log to be purged", LIMIT_S)

    def wait_replica(self):
        """The replica has all that the old server has now."""
        position = self.old.sql("select @@gtid_binlog_pos")[0][0]
        assert self.new.sql("select master_gtid_wait(%s, 60)", position)[0][0] == 0, "the replica does not come on"
        return position

    def promote(self):
        """The replica has applied all that it got, and goes its own way."""
        def is_applied():
            with self.new.connect(cursorclass=pymysql.cursors.DictCursor) as connection, connection.cursor() as cursor:
                cursor.execute("show slave status")
                status = cursor.fetchone()
                cursor.execute("select @@gtid_slave_pos as p")
                return status["Slave_IO_Running"] != "Yes" and status["Gtid_IO_Pos"] == cursor.fetchone()["p"]
        wait(is_applied, "the replica to apply what it has", LIMIT_S)
        self.new.sql("stop slave")
        self.new.sql("reset slave all")


class Load(threading.Thread):
    """Rows for all tables, a transaction each, until the server is gone."""

    def __init__(self, server, first):
        super().__init__()
        self.server, self.next, self.failed = server, first, None

    def run(self):
        try:
            while True:
                self.next += 1
                with self.server.connect() as connection, connection.cursor() as cursor:
                    for i in range(50):
                        self.next += 1
                        cursor.execute("insert into d.t%d values (%d, uuid())" % (i % TABLES, self.next))
        except pymysql.Error as error:
            self.failed = error


# ---- tests ----


def test_a_feed_goes_on_at_the_replica_when_its_source_has_died_under_load():
    with Trio(LEASE) as trio:
        trio.create()
        load = Load(trio.old, 1000)
        load.start()
        trio.old.run_text("alter table d.t1 add column w int not null default 7; create table d.more (id int primary key);"
                          "insert into d.more values (1); create table d.chosen (primary key (id)) select id from d.more;"
                          "rename table d.more to d.other")
        wait(lambda: trio.sink.sql("select count(*) from information_schema.tables where table_name = 'other'")[0][0],
             "schema changes to be performed", LIMIT_S)
        # One table is held at the sink, so the others go ahead of the checkpoint; then all nodes die.
        with trio.sink.connect(autocommit=False) as holder, holder.cursor() as cursor:
            cursor.execute("select * from sluice.progress where table_id = (select table_id from sluice.copy "
                           "where table_name = 't0') for update")
            ahead = "select count(*) from sluice.progress where ts > %s"
            wait(lambda: trio.sink.sql(ahead, trio.feed()["checkpoint_ts"])[0][0] >= 2, "tables to go ahead", LIMIT_S)
            trio.old.sql("create table d.late (id int primary key)")
            for node in trio.cluster.nodes:
                node.kill()
        trio.wait_replica()
        trio.old.kill()
        load.join()
        trio.promote()
        for node in trio.cluster.nodes:
            node.start()
        trio.cluster.wait_formed()
        assert "pause" in trio.repoint(trio.new, fails=True)
        wait(lambda: trio.cluster.nodes[0].post("/api/v2/changefeeds/f1/pause") is not None, "the feed to stop", LIMIT_S)
        planned = trio.repoint(trio.new, "--dry-run")
        done = trio.repoint(trio.new)
        assert done["done"] and not planned["done"] and {**planned, "done": True} == done, (planned, done)
        assert done["tables_ahead"] >= 2 and done["tables_copied_again"] == 0, done
        print("   ", done)
        trio.new.run_text("insert into d.t1 (id, v) values (1, 'after'); create table d.newest (id int primary key); "
                          "insert into d.newest values (5); alter table d.t2 add column x int")
        trio.sluice("feed", "resume", "f1")
        trio.wait_equal(trio.new)
        trio.check_once()


def test_a_server_that_lacks_transactions_or_has_others_or_keeps_no_log_is_refused():
    with Trio() as trio:
        trio.create()
        trio.old.sql("insert into d.t0 values (1, 'first')")
        trio.wait_replica()
        trio.new.sql("stop slave")
        trio.old.run_text("insert into d.t0 values (2, 'second'); insert into d.t1 values (2, 'second')")
        trio.wait_equal(trio.old)
        wait(lambda: trio.cluster.nodes[0].post("/api/v2/changefeeds/f1/pause") is not None, "the feed to stop", LIMIT_S)
        trio.refused(trio.new, "the sink holds 0-", "the log of this server ends with")
        trio.refused(trio.sink.uri("root", ""), "log_bin")

        # The old one lives: the feed goes on there, and then moves when the replica has caught up.
        trio.sluice("feed", "resume", "f1")
        trio.new.sql("start slave")
        trio.old.sql("insert into d.t2 values (3, 'third')")
        trio.wait_equal(trio.old)
        trio.wait_marks_pass(trio.wait_replica())
        trio.sluice("feed", "pause", "f1")
        before = trio.feed()
        assert trio.repoint(trio.new)["done"]

        # Whoever gives it the old source again, with a sink that is the new one's, is stopped before a row is lost.
        trio.cluster.nodes[0].put("/api/v2/changefeeds/f1", {"source_uri": trio.old.uri()})
        trio.sluice("feed", "resume", "f1", "--checkpoint", str(before["checkpoint_ts"]))
        wait(lambda: "feed repoint, once more" in str(trio.feed().get("error")), "the sink to refuse the old source", LIMIT_S)
        trio.sluice("feed", "pause", "f1")

        # And back to the first one, whose data is the same.
        assert trio.repoint(trio.old)["done"]
        trio.sluice("feed", "resume", "f1")
        trio.old.sql("insert into d.t3 values (4, 'fourth')")
        trio.wait_equal(trio.old)
        trio.wait_marks_pass(trio.wait_replica())
        trio.sluice("feed", "pause", "f1")

        # Both write: the replica has other transactions under the same numbers.
        trio.new.run_text("stop slave; reset slave all; insert into d.t4 values (5, 'of the replica');"
                          "insert into d.t4 values (6, 'of the replica')")
        trio.sluice("feed", "resume", "f1")
        trio.old.sql("insert into d.t4 values (5, 'of the source')")
        trio.wait_equal(trio.old)
        trio.sluice("feed", "pause", "f1")
        trio.refused(trio.new, "in place of which this server has other transactions")

        # Its log begins behind what the sink has.
        trio.old.run_text("flush binary logs; insert into d.t5 values (1, 'later'); flush binary logs")
        trio.purge(trio.old)
        trio.refused(trio.old, "does not go back to 0-")
        trio.check_once()


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
