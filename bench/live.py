# SPDX-License-Identifier: Apache-2.0
"""
Real nodes between two private MariaDB servers, with a load of sysbench and rows whose way is timed. What bench/lag and
bench/handover share.
"""

import bisect
import math
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "mariadb"))
import servers  # noqa: E402
from cluster import BUILD_DIR, Cluster, wait  # noqa: E402, F401 pylint: disable=unused-import

FEED = "/api/v2/changefeeds/bench"
BIG = ("innodb_buffer_pool_size=512M", "innodb_log_file_size=512M")
WRITE_S, LOOK_S = 0.005, 0.002


def quantile(values, share):
    """The smallest value that so large a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def spread(values):
    return f"p50 {quantile(values, 0.5):7.1f} ms   p99 {quantile(values, 0.99):7.1f} ms   worst {max(values):7.1f} ms"


class Live:
    """`with Live(nodes) as live`: servers, nodes, and a feed of the given databases."""

    def __init__(self, nodes, databases):
        self.cluster, self.databases = Cluster(nodes, lease_ttl="10s", options={"log_level": "info"}), databases

    def __enter__(self):
        self.cluster.__enter__()
        self.source = servers.Server(self.cluster.folder, "source", [*servers.SOURCE_OPTIONS, *BIG])
        self.sink = servers.Server(self.cluster.folder, "sink", BIG)
        for server in (self.source, self.sink):
            server.start()
            for name in self.databases:
                server.sql("create database " + name)
        servers.grant_source(self.source)
        servers.grant_sink(self.sink, self.databases)
        self.cluster.wait_formed()
        return self

    def __exit__(self, kind, value, trace):
        for server in (self.source, self.sink):
            if server.process is not None:
                server.kill()
        self.cluster.__exit__(kind, value, trace)

    def node(self):
        return self.cluster.running()[0]

    def create_feed(self, databases=None):
        """Of all databases or of these, from now on; returns when all their tables that there are are replicated."""
        databases = databases or self.databases
        body = {"changefeed_id": "bench", "source_uri": self.source.uri("repl"), "sink_uri": self.sink.uri("apply"),
                "replica_config": {"filter": {"rules": [name + ".*" for name in databases]}}}
        count = sum(database in databases for database, _ in self.source.tables())
        wait(lambda: self.node().post("/api/v2/changefeeds", body, timeout=60), "the feed to be created", 60)
        wait(lambda: len(self.places()) >= count, "all tables to have a place", 120)

    def places(self):
        """The id of the node that has a table, by the table's id; without the table trigger."""
        items = self.node().get(FEED + "/tables", timeout=60)["items"]
        return {table: item["node_id"] for item in items for table in item["table_ids"] if table != 0}

    def trigger_place(self):
        """The id of the node that has the maintainer, and so the table trigger, which reads the source too."""
        address = self.node().get(FEED)["maintainer_addr"]
        return next(node.id() for node in self.cluster.running() if node.address() == address)

    def readers(self):
        """How many connections read the source's log."""
        return sum(row[0] == "Binlog Dump" for row in self.source.sql("select command from information_schema.processlist"))

    # ---- load ----

    def prepare_sysbench(self, tables, rows):
        """The same tables, with the same rows, at both ends."""
        self.bench = ["sysbench", "oltp_write_only", "--db-driver=mysql", "--mysql-socket=" + self.source.socket,
                      "--mysql-user=root", "--mysql-db=sbtest", f"--tables={tables}", f"--table-size={rows}",
                      "--rand-type=uniform"]
        subprocess.run([*self.bench, "prepare"], check=True, capture_output=True)
        with subprocess.Popen(["mariadb-dump", "--no-defaults", "-uroot", "--socket=" + self.source.socket, "sbtest"],
                              stdout=subprocess.PIPE) as dump:
            subprocess.run(self.sink.client("sbtest"), stdin=dump.stdout, check=True)

    def load(self, seconds, rate=0):
        return subprocess.Popen([*self.bench, "--threads=4", f"--time={seconds}", f"--rate={rate}", "run"],
                                stdout=subprocess.PIPE, text=True)

    def load_max(self, seconds):
        """Transactions per second that the whole of it keeps up with: the load goes on until the sink has all of it."""
        began = time.monotonic()
        with self.load(seconds) as load:
            done = int(re.search(r"transactions:\s+(\d+)", load.communicate()[0])[1])
        self.wait_there()
        return done / (time.monotonic() - began)

    def wait_there(self):
        head = self.source.head()
        wait(lambda: self.node().get(FEED)["checkpoint_ts"] >= head, "the sink to have all", 120)


class Beats:
    """
    Rows that tell how long their way was: inserted at the source with the time, and looked for at the sink all the time.
    A row's lag is the time from its statement to the first look that found it, so it is up to LOOK_S too large.
    """

    def __init__(self, live, count):
        self.live, self.names, self.helpers = live, [f"beat.b{number}" for number in range(count)], []
        for server in (live.source, live.sink):
            for name in self.names:
                server.sql(f"create table {name} (id bigint auto_increment primary key, t timestamp(6) not null)")

    def start(self):
        self.out = open(os.path.join(self.live.cluster.folder, "looks"), "w+", encoding="ascii")
        writes = "".join(f"insert into {name} (t) values (now(6)); " for name in self.names)
        looks = ", ".join(f"(select max(id) from {name})" for name in self.names)
        self._repeat(self.live.source.client(), f"{writes}do sleep({WRITE_S});", subprocess.DEVNULL)
        self._repeat(self.live.sink.client("--unbuffered"), f"select unix_timestamp(now(6)), {looks}; do sleep({LOOK_S});",
                     self.out)

    def _repeat(self, client, text, out):
        yes = subprocess.Popen(["yes", text], stdout=subprocess.PIPE)
        self.helpers += [subprocess.Popen(client, stdin=yes.stdout, stdout=out), yes]
        yes.stdout.close()

    def stop(self):
        """By table: [(time of the statement, lag in ms)], in the order of time."""
        time.sleep(0.5)
        for helper in self.helpers:
            helper.terminate()
        for helper in self.helpers:
            helper.wait()
        self.out.seek(0)
        looks = [line.split() for line in self.out.read().splitlines(keepends=True) if line.endswith("\n")]
        self.out.close()
        times = [float(look[0]) for look in looks]
        return {name: self._lags(name, times, [0 if look[at] == "NULL" else int(look[at]) for look in looks])
                for at, name in enumerate(self.names, 1)}

    def _lags(self, name, times, newest):
        found = []
        for row, began in self.live.source.sql(f"select id, unix_timestamp(t) from {name} order by id"):
            at = bisect.bisect_left(newest, row)
            if 0 < at < len(times):
                found.append((float(began), 1000 * (times[at] - float(began))))
        return found
