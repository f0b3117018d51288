# SPDX-License-Identifier: Apache-2.0
"""The page of metrics of real nodes: every family is filled by somebody, and what is not known is not there."""

import os
import re
import sys
import urllib.request

from cluster import PATIENCE, SOURCE_DIR, Cluster, main, tests_of, wait

# They need an occasion: an error, a refusal, a drain that is late or blocked, a page that is too long.
RARE = {"ticdc_owner_changefeed_error_info", "sluice_drain_lag_seconds", "sluice_drain_seconds_since_progress",
        "sluice_drain_deadline_seconds", "sluice_drain_blocker", "sluice_refused_inputs_total", "sluice_metrics_dropped_samples"}

# Positions of generated rows are counts: how late they are nobody can say.
NO_TIMES = {"ticdc_owner_checkpoint_ts", "ticdc_owner_checkpoint_ts_lag", "ticdc_maintainer_checkpoint_ts",
            "ticdc_maintainer_checkpoint_ts_lag"}


def page(node):
    with urllib.request.urlopen(f"http://{node.address()}/metrics", timeout=10 * PATIENCE) as answer:
        return answer.read().decode()


def samples(node, name):
    """{labels: value} of a metric."""
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", page(node), re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def families():
    with open(os.path.join(SOURCE_DIR, "src/edge/http/metrics.def"), encoding="utf-8") as file:
        return set(re.findall(r'SL_METRIC\(\w+, "(\w+)"', file.read()))


def test_every_family_is_filled_by_a_cluster_with_a_feed_and_a_drain():
    with Cluster(3) as c:
        owner = c.wait_formed()
        # Nothing is known of feeds that are not there.
        assert not samples(owner, "ticdc_changefeed_maintainer_counter")
        owner.post("/api/v2/changefeeds", {"changefeed_id": "f", "sink_uri": "blackhole://", "start_ts": 1,
                                           "source_uri": "gen://?tables=30&rows_per_s=100"})
        count = "ticdc_dispatchermanager_table_dispatcher_count"
        wait(lambda: sum(sum(samples(node, count).values()) for node in c.nodes) == 30, "30 dispatchers, counted by their nodes")
        maintainers = [node for node in c.nodes if samples(node, "ticdc_changefeed_maintainer_counter")]
        assert len(maintainers) == 1
        wait(lambda: sum(samples(maintainers[0], "ticdc_scheduler_span_count").values()) == 30, "the spans of the maintainer")
        assert not any(samples(node, "ticdc_scheduler_span_count") for node in c.nodes if node is not maintainers[0])
        target = next(node for node in c.nodes if node is not owner)
        wait(lambda: sum(samples(owner, "sluice_node_dispatchers").values()) >= 30, "the coordinator to know of them")
        owner.post("/api/v2/drains", {"node": target.name, "max_lag": "10s"})
        wait(lambda: 1 in samples(owner, "sluice_drain_safe_to_stop").values(), "the drain to be safe")
        text = "".join(page(node) for node in c.nodes)
        missing = {name for name in families() - RARE - NO_TIMES if f"# TYPE {name} " not in text}
        assert not missing, missing
        assert not any(f"# TYPE {name} " in text for name in NO_TIMES), "a position that is no time was shown as one"


def a_node_that_is_silent_has_no_figures():
    """Not in the default run: a node is called silent after half a minute."""
    with Cluster(3, lease_ttl="60s") as c:
        owner = c.wait_formed()
        sleeper = next(node for node in c.nodes if node is not owner)
        mine = f'name="{sleeper.name}"'
        wait(lambda: any(mine in labels for labels in samples(owner, "sluice_node_dispatchers")), "a report of the node")
        sleeper.pause()
        for name in ("sluice_node_liveness", "sluice_node_dispatchers", "sluice_node_maintainers"):
            wait(lambda name=name: not any(mine in labels for labels in samples(owner, name)), f"{name} to go", limit=60)
        assert samples(owner, "sluice_nodes") == {"": 3.0}
        sleeper.resume()
        wait(lambda: any(mine in labels for labels in samples(owner, "sluice_node_liveness")), "the node to be back")


WHEN_NAMED = {"a_node_that_is_silent_has_no_figures": a_node_that_is_silent_has_no_figures}

if __name__ == "__main__":
    sys.exit(main({**tests_of(globals()), **WHEN_NAMED} if sys.argv[1:] else tests_of(globals())))
