#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Whole nodes over the metadata store: every phase of a drain without its coordinator, then random runs.
set -eu
sim="${SL_BUILD_DIR:-build/release}/bin/sluice-sim"
"$sim" --scenario cluster-basic --seeds 1..2
"$sim" --scenario cluster-swarm --seed 3 --twice
exec "$sim" --scenario cluster-swarm --seeds 1..60
