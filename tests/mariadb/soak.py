# SPDX-License-Identifier: Apache-2.0
"""
Real rows under random faults, for as long as one likes: `./dev soak MINUTES --seed N`.

Two private MariaDB servers, three nodes, a feed over both. Sysbench, a ledger and tables whose definition changes are the
load; a plan of faults, the same for the same seed, is carried out meanwhile. After each round everything is mended, the
load waits, and as soon as the feed's checkpoint says that all is replicated every table has to be equal.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import time

import pymysql

import servers
from cluster import FENCED, Cluster, Failure, Unavailable, wait
from proxy import Proxy

LEASE_S = 6
SETTLE_S = 180  # until everything is equal after the last fault of a round
SHORT_S = 3  # what is asked of a node meanwhile: it may be asleep, or have to ask one that is
FEED = "/api/v2/changefeeds/soak"
SCRIPTS = {"oltp_read_write": 40, "oltp_insert": 30, "oltp_delete": 15, "oltp_update_index": 60}  # and their rates
CHANGING = 4  # tables whose definition changes
DATABASES = [*SCRIPTS, "ledger", "changing"]

Step = collections.namedtuple("Step", "kind which lasts_s pause_s dice")


# What there is: how often (weight), and how long at most.
KINDS = {
    "move": (4, 0.3),
    "drain": (4, 6),  # then the node is killed if it may, or the drain is taken back
    "kill": (3, 4),  # a node, whatever it is doing
    "sleep": (1, LEASE_S + 3),  # SIGSTOP
    "nap": (2, 1.5),  # SIGSTOP, shorter than the lease
    "sink_killed": (1, 5),
    "source_killed": (1, 5),
    "sink_away": (2, 8),  # silence on the network
    "source_away": (1, 8),
    "sink_slow": (2, 8),
    "sink_locked": (1, 6),
    "change": (8, 0.3),  # of a schema
}


def plan(seed):
    """Steps without end: what happens to which of several, how long, what comes after, and numbers for details."""
    dice = random.Random(seed)
    kinds = [kind for kind, (weight, _) in KINDS.items() for _ in range(weight)]
    while True:
        kind = dice.choice(kinds)
        yield Step(kind, dice.randrange(3), round(dice.uniform(0.2, KINDS[kind][1]), 2), round(dice.uniform(0.05, 2.5), 2),
                   dice.randrange(1 << 30))


class Soak:
    def __init__(self, cluster, seed):
        self.cluster, self.steps, self.counted = cluster, plan(seed), collections.Counter()
        self.folder, self.began = cluster.folder, time.monotonic()
        options, self.params = servers.tls_options(self.folder)
        self.source = servers.Server(self.folder, "source", [*servers.SOURCE_OPTIONS, "sync_binlog=1", *options])
        self.sink = servers.Server(self.folder, "sink", options)
        self.source_proxy, self.sink_proxy = Proxy(), Proxy()
        self.busy, self.ends, self.loads, self.serial = set(), [], [], 0
        self.down = {}  # nodes that sleep or are to be started, by name

    def say(self, text):
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)

    # ---- what it runs on ----

    def open(self):
        self.source.start()
        self.sink.start()
        self.source_proxy.to(self.source.port)
        self.sink_proxy.to(self.sink.port)
        servers.grant_source(self.source)
        servers.grant_sink(self.sink, DATABASES)
        self.cluster.wait_formed()
        body = {"changefeed_id": "soak", "source_uri": self.source.uri("repl", port=port_of(self.source_proxy), **self.params),
                "sink_uri": self.sink.uri("apply", port=port_of(self.sink_proxy), **self.params),
                "replica_config": {"filter": {"rules": [name + ".*" for name in DATABASES]}}}
        wait(lambda: self.any_node().post("/api/v2/changefeeds", body), "the feed to be created", 60)
        self.make_tables()

    def make_tables(self):
        for name in DATABASES:
            self.source.sql("create database " + name)
        for script in SCRIPTS:
            subprocess.run([*servers.sysbench(self.source, script), "prepare"], check=True, capture_output=True)
        self.source.run_text("create table ledger.ledger (id bigint auto_increment primary key, t timestamp(6) default now(6))")
        for number in range(CHANGING):
            self.source.run_text(f"create table changing.t{number} (id int auto_increment primary key, v varchar(40), n int)")
        self.wait_equal()
        self.sink.run_text("""create table ledger.twice (id bigint);
            create trigger ledger.came_again after delete on ledger.ledger for each row insert into ledger.twice values (old.id)""")

    def close(self):
        self.stop_load()
        for server in (self.source, self.sink):
            if server.process is not None:
                server.kill()
        for proxy in (self.source_proxy, self.sink_proxy):
            proxy.close()

    def any_node(self):
        for node in self.cluster.nodes:
            if node.is_running() and node.name not in self.down:
                return node
        raise Unavailable(0, "no node runs")

    def feed(self):
        return self.any_node().get(FEED, timeout=SHORT_S)

    # ---- load ----

    def start_load(self):
        for script, rate in SCRIPTS.items():
            self.loads.append(servers.Repeated(script, [*servers.sysbench(self.source, script, rate=rate), "run"],
                                               os.path.join(self.folder, script + ".out")))
        self.loads.append(servers.Worker("ledger", self.write_ledger, 0.01))
        for number in range(CHANGING):
            self.loads.append(servers.Worker(f"t{number}", lambda n=number: self.write_changing(n), 0.02))

    def stop_load(self):
        for load in self.loads:
            load.stop()
        self.loads = []

    def write_ledger(self):
        self.source.sql("insert into ledger.ledger () values (), (), ()")

    def write_changing(self, number):
        table = f"changing.t{number}"
        try:
            self.source.sql(f"insert into {table} (v, n) values ('a', 1), ('b', 2)")
            self.source.sql(f"update {table} set v = concat(left(v, 20), 'x') order by id desc limit 5")
            self.source.sql(f"delete from {table} order by id limit 1")
        except pymysql.err.ProgrammingError:
            pass  # the table is just being made anew

    # ---- steps ----

    def step(self):
        """Carries out the next step of the plan, and whatever ends before the one after it."""
        step, why = next(self.steps), ""
        try:
            begun = getattr(self, "do_" + step.kind)(step)
        except (Unavailable, pymysql.Error) as error:
            begun, why = False, ": " + " ".join(str(error).split())[:100]
        self.say(f"{step.kind} {step.which} {step.lasts_s:g} s" + ("" if begun else ", not now" + why))
        if begun:
            self.counted[step.kind] += 1
        self.pass_time(step.pause_s)

    def pass_time(self, seconds):
        until = time.monotonic() + seconds
        while True:
            for due in [end for end in self.ends if end[0] <= time.monotonic()]:
                self.ends.remove(due)
                due[1]()
            self.look_at_nodes()
            if time.monotonic() >= until:
                return
            time.sleep(0.05)

    def later(self, what, seconds, action):
        """Marks `what` as taken until the action is done, after so long."""
        def end():
            action()
            self.busy.discard(what)
        self.busy.add(what)
        self.ends.append((time.monotonic() + seconds, end))
        return True

    def free_node(self, step):
        """The node that the step is about, if it runs and nothing else is being done to it."""
        node = self.cluster.nodes[step.which]
        return node if node.name not in self.busy and node.is_running() else None

    def start_node(self, node):
        self.down.pop(node.name, None)
        if not node.is_running():
            node.start()

    def look_at_nodes(self):
        """Nobody ends by itself, except who has lost its lease."""
        for node in self.cluster.nodes:
            if node.is_running() or node.name in self.down:
                continue
            if node.process.returncode != FENCED:
                raise Failure(f"{node.name} ended with {node.process.returncode}: {node.stderr()[-2000:]}")
            self.counted["fenced"] += 1
            node.start()

    def do_move(self, step):
        target = self.free_node(step)
        items = self.any_node().get(FEED + "/tables", timeout=SHORT_S)["items"]
        tables = [table for item in items for table in item["table_ids"] if table != 0]
        if not target or not tables:
            return False
        table = tables[step.dice % len(tables)]
        self.any_node().post(f"{FEED}/move_table?tableID={table}&targetNodeID={target.id()}", timeout=SHORT_S)
        return True

    def do_drain(self, step):
        node = self.free_node(step)
        if not node:
            return False
        drain = self.any_node().post("/api/v2/drains", {"node": node.name, "reason": "soak"}, timeout=SHORT_S)["id"]
        return self.later(node.name, step.lasts_s, lambda: self.end_drain(node, drain, step))

    def end_drain(self, node, drain, step):
        try:
            is_safe = self.any_node().get("/api/v2/drains/" + drain, timeout=SHORT_S)["safe_to_stop"]
            self.counted["drained"] += is_safe
            if not is_safe and step.dice % 3:
                self.any_node().post(f"/api/v2/nodes/{node.name}/undrain", {"reason": "soak"}, timeout=SHORT_S)
                return
        except Unavailable:
            pass
        node.kill()
        self.start_node(node)

    def do_kill(self, step):
        node = self.free_node(step)
        if not node:
            return False
        self.down[node.name] = True
        node.kill()
        return self.later(node.name, step.lasts_s, lambda: self.start_node(node))

    def do_sleep(self, step):
        node = self.free_node(step)
        if not node:
            return False
        self.down[node.name] = True
        node.pause()

        def wake():
            self.down.pop(node.name)
            node.signal(signal.SIGCONT)
        return self.later(node.name, step.lasts_s, wake)

    do_nap = do_sleep

    def restart_later(self, server, step):
        if server.name in self.busy:
            return False
        server.kill()
        return self.later(server.name, step.lasts_s, server.run)

    def do_sink_killed(self, step):
        return self.restart_later(self.sink, step)

    def do_source_killed(self, step):
        return self.restart_later(self.source, step)

    def silence(self, proxy, step):
        if proxy in self.busy:
            return False
        proxy.cut()
        return self.later(proxy, step.lasts_s, proxy.mend)

    def do_sink_away(self, step):
        return self.silence(self.sink_proxy, step)

    def do_source_away(self, step):
        return self.silence(self.source_proxy, step)

    def do_sink_slow(self, step):
        if "delay" in self.busy:
            return False
        self.sink_proxy.delay_s = 0.005 * (1 + step.dice % 20)

        def end():
            self.sink_proxy.delay_s = 0
        return self.later("delay", step.lasts_s, end)

    def do_sink_locked(self, step):
        """Rows are locked: what is written there waits, or fails by the server's limit."""
        if "lock" in self.busy or self.sink.name in self.busy:
            return False
        connection = self.sink.connect(autocommit=False)
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from oltp_update_index.sbtest{1 + step.dice % 2} for update")

        def end():
            try:
                connection.close()
            except pymysql.Error:
                pass
        return self.later("lock", step.lasts_s, end)

    def do_change(self, step):
        if self.source.name in self.busy:
            return False
        self.serial += 1
        name, other = f"changing.t{step.which}", f"changing.t{CHANGING - 1}"
        new = f"c{self.serial}"
        texts = [
            f"alter table {name} add column {new} int default {step.dice % 1000}",
            f"alter table {name} add column {new} varchar(20) not null default 'd' first",
            f"alter table {name} modify v varchar({40 + self.serial % 200})",
            f"alter table {name} add index by_{new} (n)",
            f"truncate table {name}",
            f"create or replace table {name} (id int auto_increment primary key, v varchar(50), n bigint)",
            f"rename table {name} to changing.tmp, {other} to {name}, changing.tmp to {other}",
            f"drop table {name}; create table {name} like {other}",
            f"create table changing.{new} (primary key (id)) select * from {name}",
            f"alter table {name} drop column n, add column n int default 5",
        ]
        for text in texts[step.dice % len(texts)].split("; "):
            self.source.sql(text)
        return True

    # ---- comparison ----

    def mend(self):
        """Everything that was begun ends, every node runs and takes work."""
        while self.ends:
            self.pass_time(0.1)
        trouble = []
        def is_mended():
            trouble[:] = self.cluster_trouble()
            return not trouble
        try:
            wait(is_mended, "all nodes to be alive", SETTLE_S)
        except Failure as failure:
            raise Failure(f"{failure}: {', '.join(trouble)}") from None

    def cluster_trouble(self):
        """Nodes that were drained to the end are started again. What is wrong; empty if nothing is."""
        self.look_at_nodes()
        known = {item["id"]: item for item in self.any_node().get("/api/v2/nodes", timeout=SHORT_S)["items"]}
        trouble = []
        for node in self.cluster.nodes:
            state = known.get(node.id(), {}).get("liveness")
            if state == "stopping":
                node.kill()
                node.start()
            if state != "alive":
                trouble.append(f"{node.name}: {state}")
        return trouble

    def wait_equal(self):
        """The checkpoint comes to the end of the source's log; then, without a moment in between, all is equal."""
        head = self.source.head()
        def is_there():
            self.look_at_nodes()
            feed = self.feed()
            if feed["state"] == "failed":
                raise Failure(f"the feed failed: {feed}")
            return feed["checkpoint_ts"] >= head
        try:
            wait(is_there, f"the checkpoint to come to {head}", SETTLE_S)
        except Failure as failure:
            raise Failure(f"{failure}; the feed: {self.feed()}") from None
        self.compare()

    def compare(self):
        rows, differing = servers.compare(self.source, self.sink, at_sink_only=[("ledger", "twice")])
        if differing:
            raise Failure("source and sink differ: " + "; ".join(differing))
        if ("ledger", "twice") in self.sink.tables():
            twice = self.sink.sql("select count(*), min(id) from ledger.twice")[0]
            if twice[0]:
                raise Failure(f"{twice[0]} rows of the ledger came twice, the first is {twice[1]}")
        self.say(f"equal: {rows} rows of {len(self.source.tables())} tables")

    # ---- all of it ----

    def round(self, seconds):
        until = time.monotonic() + seconds
        self.start_load()
        while time.monotonic() < until:
            self.step()
        self.stop_steps()

    def stop_steps(self):
        while self.ends:
            self.pass_time(0.1)
        self.stop_load()
        self.mend()
        self.wait_equal()


def port_of(proxy):
    return int(proxy.address.rsplit(":", 1)[1])


def run(args):
    with Cluster(3, lease_ttl=f"{LEASE_S}s", options={"log_level": "info"}) as cluster:
        cluster.print_logs = lambda: None  # they are kept
        soak = Soak(cluster, args.seed)
        try:
            soak.open()
            end = soak.began + args.minutes * 60
            while time.monotonic() < end:
                soak.round(min(args.round, max(end - time.monotonic(), 1)))
            changed = soak.source.sql("select count(*) from ledger.ledger")[0][0]
            soak.say(f"done, seed {args.seed}: " + ", ".join(f"{n} {kind}" for kind, n in sorted(soak.counted.items())))
            soak.say(f"{changed} rows of the ledger, each of them once")
        except BaseException:
            os.environ["SL_KEEP"] = "1"  # the folder
            raise
        finally:
            soak.close()


def main():
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("minutes", type=float, help="how long, without the start and the end")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30), help="of the plan of faults")
    parser.add_argument("--round", type=float, default=60, metavar="SECONDS", help="between two comparisons (60)")
    parser.add_argument("--plan", type=int, metavar="N", help="print the first N steps and do nothing")
    args = parser.parse_args()
    if args.plan:
        for _, step in zip(range(args.plan), plan(args.seed)):
            print(f"{step.kind} {step.which}: {step.lasts_s:g} s, the next {step.pause_s:g} s later")
        return 0
    command = f"./dev soak {args.minutes:g} --seed {args.seed} --round {args.round:g}"
    print(command, flush=True)
    try:
        run(args)
    except (Failure, Unavailable, pymysql.Error) as failure:
        print(f"soak: {failure}\nsoak: repeat with {command}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
