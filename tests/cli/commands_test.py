# SPDX-License-Identifier: Apache-2.0
"""Everything but waiting: lists, names, feeds, the cluster, secrets, errors."""

import base64
import json
import os
import subprocess
import tempfile
import unittest

from cli_case import LIMIT_S, SLUICE, CliCase, Terminal, environment
from fake_server import Cluster, drain, node

HOSTILE = "\x1b[2J\x1b[31mroot\nsluice: all is well\u202e"


def feed(name, **over):
    shown = {"upstream_id": 0, "id": name, "keyspace": "default", "state": "normal",
             "checkpoint_tso": 466000000000000000, "checkpoint_time": "2026-11-23 18:00:00.000", "error": None,
             "node": "n1", "placement": "replicating", "lag_ms": 340}
    shown.update(over)
    return shown


def cluster_with_feeds(*feeds, **options):
    cluster = Cluster(**options)
    cluster.routes["GET", "/api/v2/changefeeds"] = (200, {"total": len(feeds), "items": list(feeds)})
    return cluster


class Lists(CliCase):
    def test_nodes_are_a_table(self):
        nodes = [node("n1", 1, is_owner=True, address="10.0.0.1:8300"),
                 node("n2", 2, liveness="draining", is_draining=True, dispatchers=0),
                 node("n3", 3, liveness="unknown", maintainers=None, dispatchers=None)]
        done = self.run_sluice(["node", "list"], self.serve(Cluster(nodes=nodes)), 0)
        self.assertEqual(
            done.stdout,
            "NAME  STATE     ROLE         FEEDS  DISPATCHERS  ADDRESS        VERSION              ID\n"
            "n1    alive     coordinator      1        3,340  10.0.0.1:8300  v8.5.4-sluice.0.1.0  "
            "00000001-aaaa-4bbb-8ccc-dddddddddddd\n"
            "n2    draining  -                1            0  127.0.0.1:1    v8.5.4-sluice.0.1.0  "
            "00000002-aaaa-4bbb-8ccc-dddddddddddd\n"
            "n3    silent    -                -            -  127.0.0.1:1    v8.5.4-sluice.0.1.0  "
            "00000003-aaaa-4bbb-8ccc-dddddddddddd\n")

    def test_json_is_what_the_api_gives(self):
        server = self.serve(Cluster([drain("evacuating", 5)]))
        for args in (["node", "list"], ["drain", "list"]):
            done = self.run_sluice(args + ["--json"], server, 0)
            self.assertEqual(len(done.stdout.splitlines()), 1)
            self.assertGreater(json.loads(done.stdout)["total"], 0)
        one = json.loads(self.run_sluice(["node", "show", "n2", "--json"], server, 0).stdout)
        self.assertEqual(one["name"], "n2")

    def test_ended_drains_are_shown_when_asked_for(self):
        server = self.serve(Cluster([drain("done")]))
        self.assertNotIn("9af0", self.run_sluice(["drain", "list"], server, 0).stdout)
        self.assertIn("9af0", self.run_sluice(["drain", "list", "--all"], server, 0).stdout)

    def test_large_numbers_survive(self):
        server = self.serve(cluster_with_feeds(feed("f", checkpoint_tso=18446744073709551615)))
        self.assertIn("18446744073709551615", self.run_sluice(["feed", "list"], server, 0).stdout)
        self.assertIn("18446744073709551615", self.run_sluice(["feed", "list", "--json"], server, 0).stdout)

    def test_names_cannot_control_the_terminal(self):
        nodes = [node(HOSTILE, 1, is_owner=True, address=HOSTILE, version=HOSTILE)]
        cluster = cluster_with_feeds(feed("f", error={"message": HOSTILE}, state="failed"), nodes=nodes,
                                     states=[drain("evacuating", 5, reason=HOSTILE, actor=HOSTILE)])
        server = self.serve(cluster)
        for args in (["node", "list"], ["drain", "list"], ["drain", "show", "9af"], ["feed", "list"],
                     ["cluster", "status"], ["top", "--once"], ["node", "show", "000"], ["node", "drain", "x"],
                     ["cluster", "restart-plan"], ["node", "drain", "0000", "--detach"]):
            done = self.run_sluice(args, server)
            for text in (done.stdout, done.stderr):
                self.assertNotIn("\x1b", text, args)
                self.assertNotIn("\u202e", text, args)
                self.assertNotIn("\nsluice: all is well", text, args)


class Names(CliCase):
    def test_a_node_is_found_by_name_id_address_and_their_beginnings(self):
        nodes = [node("alpha", 0x10), node("alpine", 0x20, address="10.0.0.2:8300"), node("a", 0x30)]
        server = self.serve(Cluster(nodes=nodes))
        for text, wanted in (("alpi", "alpine"), ("alpha", "alpha"), ("a", "a"), ("00000010", "alpha"),
                             ("10.0.0.2:8300", "alpine"), ("00000020-aaaa-4bbb-8ccc-dddddddddddd", "alpine")):
            done = self.run_sluice(["node", "show", text], server, 0)
            self.assertIn(f"name         {wanted}\n", done.stdout)
        done = self.run_sluice(["node", "show", "al"], server, 1)
        self.assertEqual(done.stderr, "sluice: node show: the names or ids of 2 nodes begin with 'al'; "
                                      "it has a, alpha, alpine\n")
        done = self.run_sluice(["node", "show", "n9"], server, 1)
        self.assertEqual(done.stderr, "sluice: node show: the cluster has no node 'n9'; it has a, alpha, alpine\n")

    def test_a_drain_is_found_by_its_beginning_and_by_its_node(self):
        server = self.serve(Cluster([drain("evacuating", 5)]))
        for text in ("9af0c1d2e3f40516", "9a", "n2", "00000002-aaaa-4bbb-8ccc-dddddddddddd"):
            self.assertIn("9af0c1d2e3f40516", self.run_sluice(["drain", "show", text], server, 0).stdout)
        self.run_sluice(["drain", "show", "n1"], server, 1)

    def test_undrain_names_the_whole_id(self):
        cluster = Cluster([drain("cancelled")])
        path = "/api/v2/nodes/00000002-aaaa-4bbb-8ccc-dddddddddddd/undrain"
        cluster.routes["POST", path] = (200, drain("cancelled"))
        server = self.serve(cluster)
        done = self.run_sluice(["node", "undrain", "n2"], server, 0)
        self.assertEqual(done.stdout, "the drain of n2 is cancelled: it takes work again\n")
        cluster.routes["POST", path] = (409, {"error_code": "REFUSED", "error_msg": "the node is stopping",
                                              "remedy": "restart it"})
        done = self.run_sluice(["node", "undrain", "n2"], server, 1)
        self.assertEqual(done.stderr, "sluice: node undrain n2: the node is stopping; restart it\n")


class Feeds(CliCase):
    def create(self, args, env=None, expect=0):
        cluster = cluster_with_feeds()
        cluster.routes["POST", "/api/v2/changefeeds"] = lambda body: (200, feed(body["changefeed_id"]))
        server = self.serve(cluster)
        done = self.run_sluice(["feed", "create", *args], server, expect, env=env)
        return done, [seen for seen in server.seen if seen[0] == "POST"]

    def test_create_sends_what_the_options_say(self):
        done, posts = self.create(["demo", "--source", "gen://?tables=5", "--sink", "blackhole://", "--filter", "a.*",
                                   "--filter", "!a.b", "--start", "7", "--set", "memory-quota=1"])
        self.assertEqual(done.stdout, "demo: created\n")
        self.assertEqual(posts[0][2], {
            "changefeed_id": "demo", "source_uri": "gen://?tables=5", "sink_uri": "blackhole://", "start_ts": 7,
            "strict": True, "replica_config": {"memory_quota": 1, "filter": {"rules": ["a.*", "!a.b"]}}})

    def test_create_reads_uris_and_configuration_from_files(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = {}
            for name, text in (("source", "mysql://root:CANARY@h/\n"), ("config", '{"case_sensitive": true}')):
                paths[name] = os.path.join(folder, name)
                with open(paths[name], "w", encoding="utf-8") as file:
                    file.write(text)
            _, posts = self.create(["demo", "--source-file", paths["source"], "--config", paths["config"]],
                                   env={"SLUICE_SINK": "blackhole://"})
        self.assertEqual(posts[0][2]["source_uri"], "mysql://root:CANARY@h/")
        self.assertEqual(posts[0][2]["sink_uri"], "blackhole://")
        self.assertEqual(posts[0][2]["replica_config"], {"case_sensitive": True})

    def test_create_refuses_what_it_cannot_send(self):
        good = ["demo", "--source", "gen://", "--sink", "blackhole://"]
        for args in (["demo", "--sink", "blackhole://"], ["demo", "--source", "gen://"], good + ["--start", "soon"],
                     good + ["--config", "/nowhere"], good + ["--config", "/dev/null"], good + ["--set", "x"],
                     ["demo", "--source", "nothing", "--sink", "blackhole://"],
                     good + ["--source-file", "/dev/null"]):
            done, posts = self.create(args, expect=2)
            self.assertEqual(posts, [])
            self.assertRegex(done.stderr, r"^sluice: .+; .+\n$")

    def test_changes_of_a_feed_go_to_its_whole_name(self):
        cluster = cluster_with_feeds(feed("orders"), feed("other"))
        for method, tail in (("POST", "/pause"), ("POST", "/resume"), ("DELETE", ""), ("POST", "/move")):
            cluster.routes[method, "/api/v2/changefeeds/orders" + tail] = (200, {})
        server = self.serve(cluster)
        self.run_sluice(["feed", "pause", "ord"], server, 0)
        self.run_sluice(["feed", "resume", "orders", "--checkpoint", "18446744073709551615"], server, 0)
        self.assertEqual(server.seen[-1][2], {"overwrite_checkpoint_ts": 18446744073709551615})
        self.run_sluice(["feed", "move", "orders", "--to", "n3"], server, 0)
        self.assertEqual(server.seen[-1][2], {"node": "00000003-aaaa-4bbb-8ccc-dddddddddddd"})
        self.run_sluice(["feed", "remove", "orders", "--yes"], server, 0)
        self.run_sluice(["feed", "move", "orders"], server, 2)
        done = self.run_sluice(["feed", "pause", "o"], server, 1)
        self.assertIn("the names of 2 feeds begin with 'o'", done.stderr)
        done = self.run_sluice(["feed", "pause", "x"], server, 1)
        self.assertIn("there is no feed 'x'", done.stderr)

    def test_a_source_is_looked_at_by_a_node(self):
        cluster = cluster_with_feeds()
        table = {"database_name": "shop", "table_name": "orders", "table_id": 7, "is_partition": False}
        cluster.routes["POST", "/api/v2/verify_table"] = (200, {
            "all_tables": [table, {**table, "table_name": "log", "table_id": 8}], "ineligible_tables": [{**table, "table_id": 8}]})
        server = self.serve(cluster)
        done = self.run_sluice(["source", "check", "mysql://root:CANARY@h/"], server, 0)
        self.assertEqual(done.stdout, "DATABASE  TABLE   ID  PRIMARY KEY\nshop      orders   7  yes\n"
                         "shop      log      8  none: refused by databases as sinks\n")
        self.assertEqual(server.seen[-1][2], {"source_uri": "mysql://root:CANARY@h/"})
        self.run_sluice(["source", "check"], server, 0, env={"SLUICE_SOURCE": "gen://"})
        self.assertEqual(server.seen[-1][2], {"source_uri": "gen://"})
        self.run_sluice(["source", "check"], server, 2)
        cluster.routes["POST", "/api/v2/verify_table"] = (400, {
            "error_code": "CDC:ErrAPIInvalidParam", "error_msg": "[CDC:ErrAPIInvalidParam]source: no answer"})
        done = self.run_sluice(["source", "check", "mysql://h/"], server, 1)
        self.assertEqual(done.stderr, "sluice: source check: source: no answer\n")

    def test_removing_asks_first(self):
        server = self.serve(cluster_with_feeds(feed("orders")))
        self.run_sluice(["feed", "remove", "orders"], server, 2)
        self.assertEqual(server.seen, [])
        terminal = Terminal(["--server", server.address, "feed", "remove", "orders"])
        terminal.wait_for("[y/N]")
        terminal.write("n\n")
        self.assertEqual(terminal.end(), 2)
        self.assertEqual(server.seen, [])

    def test_errors_of_the_old_routes_lose_their_brackets(self):
        cluster = cluster_with_feeds()
        cluster.routes["POST", "/api/v2/changefeeds"] = (400, {
            "error_msg": "[CDC:ErrChangeFeedAlreadyExists]changefeed already exists, demo",
            "error_code": "CDC:ErrChangeFeedAlreadyExists"})
        done = self.run_sluice(["feed", "create", "demo", "--source", "gen://", "--sink", "blackhole://"],
                               self.serve(cluster), 1)
        self.assertEqual(done.stderr, "sluice: feed create: changefeed already exists, demo\n")


class Secrets(CliCase):
    def test_a_password_on_the_line_leaves_the_process_list_and_is_never_printed(self):
        cluster = cluster_with_feeds()
        lines = []

        def create(_):
            with open(f"/proc/{process.pid}/cmdline", "rb") as file:
                lines.append(file.read())
            return 400, {"error_code": "", "error_msg": "refused"}
        cluster.routes["POST", "/api/v2/changefeeds"] = create
        process = self.start_sluice(["feed", "create", "demo", "--source", "mysql://root:CANARY1@h/?password=CANARY2",
                                     "--sink=mysql://a:CANARY3@h/"], self.serve(cluster))
        out, err = process.communicate(timeout=LIMIT_S)
        self.assertEqual(process.returncode, 1)
        self.assertNotIn("CANARY", out + err)
        self.assertEqual(len(lines), 1)
        self.assertNotIn(b"CANARY", lines[0])
        self.assertIn(b"mysql://root:xxxxxxx@h/", lines[0])

    def test_shown_uris_are_masked_even_if_the_node_does_not(self):
        cluster = cluster_with_feeds(feed("f"))
        cluster.routes["GET", "/api/v2/changefeeds/f"] = (200, feed(
            "f", source_uri="mysql://root:CANARY@h/", sink_uri="kafka://h/t?sasl-password=CANARY"))
        done = self.run_sluice(["feed", "show", "f"], self.serve(cluster), 0)
        self.assertIn("source      mysql://root:xxxxx@h/\n", done.stdout)
        self.assertNotIn("CANARY", done.stdout)

    def test_the_password_file_becomes_the_header_alone(self):
        server = self.serve(Cluster())
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("CANARY\nsecond line\n")
            file.flush()
            done = self.run_sluice(["node", "list", "--user", "ops", "--password-file", file.name], server, 0)
        wanted = "Basic " + base64.b64encode(b"ops:CANARY").decode()
        self.assertEqual(server.seen[0][3]["Authorization"], wanted)
        self.assertNotIn("CANARY", done.stdout + done.stderr)


class Errors(CliCase):
    def test_nobody_there(self):
        done = self.run_sluice(["node", "list"], "127.0.0.1:1", 1)
        self.assertRegex(done.stderr, r"^sluice: node list: http://127\.0\.0\.1:1: [^;]+; is sluiced running there\? "
                                      r"--server names other nodes\n$")

    def test_the_next_server_is_asked(self):
        server = self.serve(Cluster())
        self.run_sluice(["node", "list"], f"127.0.0.1:1,http://{server.address}/", 0)
        self.run_sluice(["node", "list"], None, 0, env={"SLUICE_SERVER": f"127.0.0.1:1,{server.address}"})

    def test_wrong_settings_are_errors_of_use(self):
        for args in (["--server", "ftp://h"], ["--server", ""], ["--server", "http://u:p@h"], ["--ca", "/nowhere"],
                     ["--password-file", "/nowhere"], ["--timeout", "x"]):
            done = self.run_sluice(["node", "list", *args], None, 2)
            self.assertRegex(done.stderr, r"^sluice: [^\n]+\n$")

    def test_a_coordinator_that_comes_late_is_waited_for(self):
        cluster = Cluster()
        left = [3]

        def nodes(_):
            left[0] -= 1
            if left[0] >= 0:
                return 503, {"error_code": "NOT_OWNER", "error_msg": "no coordinator", "remedy": "wait"}
            return 200, {"total": 3, "items": cluster.nodes}
        cluster.routes["GET", "/api/v2/nodes"] = nodes
        self.run_sluice(["node", "list"], self.serve(cluster), 0)
        left[0] = 10 ** 9
        done = self.run_sluice(["node", "list", "--timeout", "500ms"], self.serve(cluster), 1)
        self.assertEqual(done.stderr, "sluice: node list: no coordinator; wait\n")

    def test_what_is_no_json_is_no_answer(self):
        for body in (b"", b"<html>", b"[1", b"[" * 5000, b'"' + b"x" * 100000):
            cluster = Cluster()
            cluster.routes["GET", "/api/v2/nodes"] = (200, body)
            done = self.run_sluice(["node", "list"], self.serve(cluster), 1)
            self.assertIn("the answer is not what the API says", done.stderr)

    def test_an_answer_cut_off_is_asked_for_at_the_next(self):
        cut = Cluster()
        cut.routes["GET", "/api/v2/nodes"] = lambda _: None
        good = self.serve(Cluster())
        self.run_sluice(["node", "list"], f"{self.serve(cut).address},{good.address}", 0)

    def test_a_change_that_may_have_happened_is_not_repeated(self):
        cut = cluster_with_feeds()
        cut.routes["POST", "/api/v2/changefeeds"] = lambda _: None
        other = self.serve(cluster_with_feeds())
        server = self.serve(cut)
        done = self.run_sluice(["feed", "create", "f", "--source", "gen://", "--sink", "blackhole://"],
                               f"{server.address},{other.address}", 1)
        self.assertIn("it may have been done all the same", done.stderr)
        self.assertEqual(other.seen, [])

    def test_a_full_output_is_said(self):
        server = self.serve(Cluster())
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = self.run_sluice(["node", "list"], server, 1, stdout=full)
        self.assertIn("the output cannot be written", done.stderr)

    def test_a_reader_that_left_is_silent(self):
        server = self.serve(Cluster())
        done = subprocess.run(["sh", "-c", f"{SLUICE} --server {server.address} node list | true"], check=False,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, env=environment())
        self.assertEqual(done.stderr, "")


class Whole(CliCase):
    def test_status_is_good_only_if_everything_is(self):
        good = self.run_sluice(["cluster", "status"], self.serve(cluster_with_feeds(feed("f"))), 0)
        self.assertEqual(good.stdout, "nodes    3, 3 alive, 0 silent\nleader   n1\nfeeds    1, 1 running, 0 with errors\n"
                                      "ok\n")
        bad = cluster_with_feeds(feed("f", state="failed", error={"message": "no room"}),
                                 nodes=[node("n1", 1, is_owner=True), node("n2", 2, liveness="unknown")],
                                 states=[drain("evacuating", 250)])
        done = self.run_sluice(["cluster", "status"], self.serve(bad), 1)
        self.assertEqual(done.stdout, "nodes    2, 1 alive, 1 silent\nleader   n1\nfeeds    1, 0 running, 1 with errors\n"
                                      "  f failed: no room\ndrain    n2 evacuating 75 %\nneeds attention\n")

    def test_the_coordinator_is_restarted_last(self):
        done = self.run_sluice(["cluster", "restart-plan"], self.serve(Cluster()), 0)
        commands = [line for line in done.stdout.splitlines() if line.startswith("sluice node drain")]
        self.assertEqual([line.split()[3] for line in commands], ["n2", "n3", "n1"])
        order = json.loads(self.run_sluice(["cluster", "restart-plan", "--json"], self.serve(Cluster()), 0).stdout)
        self.assertEqual([item["name"] for item in order], ["n2", "n3", "n1"])

    def test_stopping_the_cluster_asks_every_node(self):
        stops = []
        nodes = []
        servers = []
        for number in (1, 2, 3):
            one = Cluster(nodes=nodes)
            one.routes["POST", "/api/v2/cluster/stop"] = (200, {"done": True})
            one.routes["POST", "/api/v2/stop"] = lambda _, number=number: (stops.append(number), (200, {}))[1]
            one.routes["GET", "/status"] = lambda _, number=number: None if number in stops else (200, {})
            servers.append(self.serve(one))
        for number, server in enumerate(servers, 1):
            nodes.append(node(f"n{number}", number, address=server.address, is_owner=number == 2))
        self.run_sluice(["cluster", "stop"], servers[0], 2)
        self.assertEqual(stops, [])
        self.run_sluice(["cluster", "stop", "--yes"], servers[0], 0)
        self.assertEqual(stops, [1, 3, 2])

    def test_top_shows_one_picture_or_lives_until_q(self):
        cluster = cluster_with_feeds(feed("orders"), states=[drain("evacuating", 250)])
        server = self.serve(cluster)
        done = self.run_sluice(["top", "--once"], server, 0)
        self.assertLessEqual(len(done.stdout.splitlines()), 24)
        self.assertIn("orders", done.stdout)
        terminal = Terminal(["--server", server.address, "top", "--interval", "50ms"])
        terminal.wait_for("q quits")
        self.wait_until(lambda: sum(seen[1] == "/api/v2/nodes" for seen in server.seen) > 4)
        terminal.write("q")
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(terminal.text.endswith("\x1b[?25h\x1b[?1049l"), terminal.text[-40:])

    def test_no_color_is_honoured(self):
        server = self.serve(cluster_with_feeds(feed("f")))
        for args, env, coloured in (([], {}, True), ([], {"NO_COLOR": "1"}, False), (["--no-color"], {}, False)):
            terminal = Terminal(["--server", server.address, "cluster", "status", *args], **env)
            terminal.end()
            self.assertEqual("\x1b[32m" in terminal.text, coloured)

    def test_help_stands_at_every_level(self):
        for args in (["--help"], ["help"], ["node", "--help"], ["help", "node"], ["node", "drain", "-h"],
                     ["help", "node", "drain"]):
            self.assertIn("usage: sluice", self.run_sluice(args, None, 0).stdout)
        self.assertIn("usage: sluice node COMMAND", self.run_sluice(["node"], None, 2).stderr)
        self.assertIn("usage: sluice COMMAND", self.run_sluice([], None, 2).stderr)
        self.run_sluice(["help", "nothing"], None, 2)
        self.run_sluice(["completion", "tcsh"], None, 2)
        self.assertRegex(self.run_sluice(["version"], None, 0).stdout, r"^sluice \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
