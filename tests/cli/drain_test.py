# SPDX-License-Identifier: Apache-2.0
"""Waiting for a drain: exit codes, what is said, lost nodes, Ctrl-C."""

import json
import os
import pwd
import signal
import subprocess
import unittest

from cli_case import CliCase, Terminal
from fake_server import Cluster, drain, node

GOING = [drain("pending", 1000), drain("evacuating", 600), drain("evacuating", 100), drain("stopping")]


class ExitCodes(CliCase):
    def drained(self, states, expect, args=(), **options):
        cluster = Cluster(states, **options)
        server = self.serve(cluster)
        done = self.run_sluice(["node", "drain", "n2", *args], server, expect)
        return done, server

    def test_0_when_the_node_is_proved_safe(self):
        done, server = self.drained(GOING + [drain("safe")], 0)
        self.assertIn("n2 is safe to stop: nothing is left on it", done.stdout)
        self.assertIn("not safe: dispatchers are still on the node (feed orders)", done.stdout)
        self.assertTrue([seen for seen in server.seen if seen[1].endswith("/events")])

    def test_0_without_events_too(self):
        done, _ = self.drained(GOING[2:] + [drain("safe")], 0, streams=False)
        self.assertIn("n2 is safe to stop", done.stdout)

    def test_0_when_it_was_safe_and_has_left_already(self):
        self.drained([drain("evacuating", 5), drain("done")], 0)

    def test_1_when_the_node_leaves_before(self):
        done, _ = self.drained([drain("evacuating", 5), drain("failed", 5)], 1)
        self.assertIn("n2 left before it was safe to stop", done.stderr)

    def test_1_when_other_options_are_in_force(self):
        def start(_):
            return 409, {"error_code": "EXISTS", "error_msg": "a drain of this node runs with other options",
                         "remedy": "use another name", "drain": drain("evacuating", 5)}
        done, _ = self.drained([], 1, start=start)
        self.assertEqual(done.stderr, "sluice: node drain n2: a drain of this node runs with other options; "
                                      "'sluice drain list' shows it; without options you join it\n")

    def test_2_for_a_wrong_line_and_nothing_is_asked(self):
        for args in (["--deadline", "soon"], ["--max-lag", "-1"], ["--cancel-at-deadline"], ["--nonsense"]):
            _, server = self.drained(GOING, 2, args)
            self.assertEqual(server.seen, [])

    def test_3_when_the_deadline_passes(self):
        done, _ = self.drained([drain("evacuating", 5)], 3, ["--deadline", "600ms"])
        self.assertIn("the deadline passed", done.stderr)
        self.assertIn("its drain goes on", done.stderr)

    def test_3_when_the_deadline_cancels_it(self):
        asked = drain("evacuating", 5, cancel_at_deadline=True, deadline_at="2026-11-23T18:00:01.000Z")
        gone = dict(asked, phase="cancelled", cancelled=True)
        states = [asked] * 20 + [gone]
        done, _ = self.drained(states, 3, ["--deadline", "100ms", "--cancel-at-deadline"])
        self.assertIn("the drain of n2 was cancelled", done.stderr)

    def test_4_when_somebody_cancels_it(self):
        done, _ = self.drained([drain("evacuating", 5), drain("cancelled")], 4)
        self.assertIn("was cancelled: it takes work again; do not stop it", done.stderr)

    def test_5_when_nothing_can_take_the_work(self):
        def start(_):
            return 409, {"error_code": "REFUSED", "error_msg": "it is the last node", "remedy": "see the detail"}
        done, _ = self.drained([], 5, start=start)
        self.assertEqual(done.stderr, "sluice: node drain n2: it is the last node\n")

    def test_5_only_if_asked_when_it_does_not_move(self):
        done, _ = self.drained([drain("evacuating", 5)], 5, ["--fail-if-blocked", "600ms"])
        self.assertIn("it makes no progress; dispatchers are still on the node (feed orders)", done.stderr)

    def test_6_when_the_node_cannot_prove_it_itself(self):
        done, _ = self.drained([drain("evacuating", 5), drain("safe", proof="reference")], 6)
        self.assertIn("proof=reference", done.stderr)

    def test_10_when_detached(self):
        done, server = self.drained([drain("pending", 5)], 10, ["--detach"])
        self.assertIn("sluice drain watch 9af0c1d2e3f40516", done.stdout)
        self.assertEqual([seen[0] for seen in server.seen], ["GET", "POST"])

    def test_0_when_detached_from_one_that_is_safe_already(self):
        self.drained([drain("safe")], 0, ["--detach"])

    def test_11_and_5_of_a_dry_run(self):
        def row(name, **over):
            shown = {"node": {"id": name, "name": name}, "is_target": False, "is_eligible": True,
                     "maintainers_before": 1, "maintainers_after": 2, "dispatchers_before": 10,
                     "dispatchers_after": 15}
            shown.update(over)
            return shown
        plan = {"dry_run": True, "possible": True, "blocker": "",
                "plan": [row("n2", is_target=True, is_eligible=False), row("n1")]}
        done, server = self.drained([], 11, ["--dry-run"], start=lambda _: (200, plan))
        self.assertEqual(done.stdout,
                         "NODE  ROLE        FEEDS NOW  AFTER  DISPATCHERS NOW  AFTER\n"
                         "n2    drained             1      2               10     15\n"
                         "n1    takes work          1      2               10     15\n"
                         "the drain of n2 would work; nothing was changed\n")
        self.assertIs(server.seen[-1][2]["dry_run"], True)
        no = dict(plan, possible=False, blocker="no other node can take the work")
        done, _ = self.drained([], 5, ["-n"], start=lambda _: (200, no))
        self.assertIn("would not work: no other node can take the work", done.stdout)


class Request(CliCase):
    def test_options_reach_the_cluster(self):
        server = self.serve(Cluster([drain("safe")]))
        self.run_sluice(["node", "drain", "n2", "--deadline", "10m", "--reason", "kernel", "--max-lag", "5s",
                         "--cancel-at-deadline"], server, 0)
        self.assertEqual(server.seen[-1][2], {
            "node": "00000002-aaaa-4bbb-8ccc-dddddddddddd", "reason": "kernel", "actor": pwd.getpwuid(os.geteuid()).pw_name,
            "deadline_ms": 600000, "lag_budget_ms": 5000, "dry_run": False, "stop": False, "cancel_at_deadline": True})

    def test_the_result_as_json(self):
        server = self.serve(Cluster(GOING + [drain("safe")]))
        shown = json.loads(self.run_sluice(["node", "drain", "n2", "--json"], server, 0).stdout)
        self.assertEqual((shown["result"], shown["exit_code"], shown["drain"]["phase"]), ("safe", 0, "safe"))
        server = self.serve(Cluster(GOING))
        shown = json.loads(self.run_sluice(["node", "drain", "n2", "--json", "--detach"], server, 10).stdout)
        self.assertEqual((shown["result"], shown["exit_code"]), ("detached", 10))

    def test_watch_as_json_has_a_line_for_each_change(self):
        server = self.serve(Cluster(GOING + [drain("safe")]))
        lines = [json.loads(line) for line in
                 self.run_sluice(["drain", "watch", "9af", "--json"], server, 0).stdout.splitlines()]
        self.assertEqual([line.get("phase") for line in lines],
                         ["pending", "evacuating", "evacuating", "stopping", "safe", None])
        self.assertEqual(lines[-1]["result"], "safe")

    def test_with_stop_it_waits_until_the_node_has_left(self):
        cluster = Cluster([drain("evacuating", 5, stop=True)] + [drain("safe", stop=True)] * 5 + [drain("done")])
        done = self.run_sluice(["node", "drain", "n2", "--stop"], self.serve(cluster), 0)
        self.assertIn("n2 was proved safe to stop and has left the cluster", done.stdout)
        self.assertGreaterEqual(cluster.at, 7)

    def test_to_stop_the_node_is_left_to_the_cluster(self):
        cluster = Cluster([drain("evacuating", 5, stop=True)] + [drain("safe", stop=True)] * 5 + [drain("done", stop=True)])
        target = Cluster()
        cluster.nodes[1]["address"] = self.serve(target).address
        server = self.serve(cluster)
        self.run_sluice(["node", "drain", "n2", "--stop"], server, 0)
        self.assertEqual([seen[:2] for seen in server.seen if seen[0] != "GET"], [("POST", "/api/v2/drains")])


class Loss(CliCase):
    def test_the_node_that_was_asked_dies(self):
        """The other one is known from the list of nodes, not from the command line."""
        second = Cluster([drain("evacuating", 100), drain("stopping"), drain("safe")])
        second_server = self.serve(second)
        first = Cluster(GOING[:2], nodes=[node("n1", 1), node("n2", 2), node("n3", 3, address=second_server.address)])
        first_server = self.serve(first)

        def die():
            yield drain("evacuating", 500)
            first_server.server.socket.close()
        first.events = die
        done = self.run_sluice(["node", "drain", "n2"], first_server, 0)
        self.assertIn("n2 is safe to stop", done.stdout)
        self.assertTrue(second_server.seen)

    def test_no_coordinator_for_a_while(self):
        cluster = Cluster(GOING + [drain("safe")], streams=False)
        missing = {"left": 4}

        def get(_):
            missing["left"] -= 1
            if missing["left"] > 0:
                return 503, {"error_code": "NOT_OWNER", "error_msg": "the cluster has no coordinator at the moment",
                             "remedy": "wait"}
            return 200, drain("safe")
        cluster.routes["GET", "/api/v2/drains/9af0c1d2e3f40516"] = get
        self.run_sluice(["node", "drain", "n2"], self.serve(cluster), 0)
        self.assertLessEqual(missing["left"], 0)

    def test_a_node_that_answers_nothing_is_left(self):
        second_server = self.serve(Cluster([drain("stopping"), drain("safe")]))
        first = Cluster([drain("evacuating", 500)], nodes=[node("n2", 2, address=second_server.address)])

        def hang(*_):
            first.hold.wait(50)
            return None
        first.events = lambda: iter(hang() or ())
        first.routes["GET", "/api/v2/drains/9af0c1d2e3f40516"] = hang
        self.run_sluice(["node", "drain", "n2"], self.serve(first), 0)

    def test_a_drain_that_the_cluster_forgot(self):
        cluster = Cluster([drain("evacuating", 5)], streams=False)
        cluster.routes["GET", "/api/v2/drains/9af0c1d2e3f40516"] = (404, {"error_code": "NOT_FOUND", "error_msg": "no"})
        done = self.run_sluice(["node", "drain", "n2"], self.serve(cluster), 1)
        self.assertIn("the cluster does not know this drain (any more)", done.stderr)


class Interrupt(CliCase):
    def test_ctrl_c_detaches_and_says_how_to_watch_again(self):
        server = self.serve(Cluster(GOING[:2]))
        terminal = Terminal(["--server", server.address, "node", "drain", "n2"])
        terminal.wait_for("40 %")
        terminal.write("\x03")
        terminal.wait_for("detached")
        self.assertEqual(terminal.end(), 10)
        self.assertIn("sluice drain watch 9af0c1d2e3f40516", terminal.text)
        self.assertIn("sluice node undrain n2", terminal.text)
        changes = [(seen[0], seen[1]) for seen in server.seen if seen[0] != "GET"]
        self.assertEqual(changes, [("POST", "/api/v2/drains")])

    def test_ctrl_c_before_the_answer_promises_nothing(self):
        cluster = Cluster(GOING)

        def start(_):
            cluster.hold.wait(30)
            return 202, drain("pending", 5)
        cluster.start = start
        server = self.serve(cluster)
        process = self.start_sluice(["node", "drain", "n2"], server)
        self.wait_until(lambda: any(seen[0] == "POST" for seen in server.seen))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1)
        self.assertIn("interrupted before an answer came; it may have been done all the same", err)

    def test_the_terminal_shows_the_end(self):
        server = self.serve(Cluster(GOING + [drain("safe")]))
        terminal = Terminal(["--server", server.address, "node", "drain", "n2"])
        self.assertEqual(terminal.end(), 0)
        self.assertIn("n2 is safe to stop", terminal.text)
        self.assertIn("\x1b[", terminal.text)


class Output(CliCase):
    def test_a_closed_output_does_not_change_what_the_code_says(self):
        server = self.serve(Cluster(GOING + [drain("safe")]))
        read, write = os.pipe()
        os.close(read)
        self.addCleanup(os.close, write)
        self.run_sluice(["node", "drain", "n2"], server, 0, stdout=write)
        server = self.serve(Cluster(GOING + [drain("cancelled")]))
        self.run_sluice(["node", "drain", "n2"], server, 4, stdout=write)

    def test_without_any_descriptor_it_still_works(self):
        server = self.serve(Cluster(GOING + [drain("safe")]))
        done = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", os.path.join(
            os.environ["SL_BUILD_DIR"], "bin", "sluice"), "--server", server.address, "node", "drain", "n2"],
            timeout=60, check=False)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
