# SPDX-License-Identifier: Apache-2.0
"""Two versions side by side: one node neither sends nor sees the extension fields (tests/interop/older.c). Work moves
both ways; what such a node cannot prove is not said to be proved: proof=reference, and the exit code 6."""

import json
import os
import sys

from cluster import BUILD_DIR, STOPPED, Cluster, main, tests_of, wait
from scenario_cli import sluice
from scenario_drain import spread
from scenario_proof import TABLES, Proof, others

OLDER = os.path.join(BUILD_DIR, "tests", "sluiced_older")
SAFE, FOREIGN = 0, 6


def cluster(older):
    """Three nodes, one of them (its index is given) of the older version. The first one leads."""
    c = Cluster(3, options={"interop": True})
    c.nodes[older].program = OLDER
    return c


def proof_of(c, node):
    return json.loads(sluice(c, "drain", "show", node.name, "--json"))["proof"]


def test_a_node_of_the_older_version_is_drained():
    with cluster(older=2) as c:
        c.wait_formed()
        proof = Proof(c)
        target = c.nodes[2]
        wait(lambda: target.id() in (spread(c, tables=TABLES) or {}), "the older node to have tables")
        text = sluice(c, "node", "drain", target.name, expect=FOREIGN)
        assert proof_of(c, target) == "reference", text
        assert target.id() not in spread(c, tables=TABLES)
        target.terminate()
        assert target.wait_exit() == STOPPED
        target.start()
        c.wait_formed(3)
        proof.check()


def test_nodes_are_drained_by_a_coordinator_of_the_older_version():
    with cluster(older=0) as c:
        owner = c.wait_formed()
        proof = Proof(c)
        assert owner is c.nodes[0], "the older one came first"
        target = others(c, owner)[0]
        sluice(c, "node", "drain", target.name, expect=FOREIGN)
        assert proof_of(c, target) == "reference"
        target.terminate()
        assert target.wait_exit() == STOPPED
        target.start()
        c.wait_formed(3)
        proof.check()


def test_all_nodes_are_upgraded_one_by_one():
    with cluster(older=0) as c:
        c.wait_formed()
        proof = Proof(c)
        older = c.nodes[0]
        sluice(c, "node", "drain", older.name, by=c.nodes[1], expect=FOREIGN)
        older.terminate()
        assert older.wait_exit() == STOPPED
        older.program = None
        older.start()
        c.wait_formed(3)
        sluice(c, "node", "drain", c.nodes[1].name, expect=SAFE)
        assert proof_of(c, c.nodes[1]) == "full"
        proof.check()


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
