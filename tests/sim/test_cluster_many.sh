#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sl:long
# The same as test_cluster.sh over more seeds.
set -eu
sim="${SL_BUILD_DIR:-build/release}/bin/sluice-sim"
"$sim" --scenario cluster-basic --seeds 3..20
exec "$sim" --scenario cluster-swarm --seeds 61..1000
