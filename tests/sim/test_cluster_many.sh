#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sl:long
# The same as test_cluster.sh over more seeds.
set -eu
build=${SL_BUILD_DIR:-build/release}
sim=$build/bin/sluice-sim
last=12000
grep -q '^SL_SANITIZE:.*=.' "$build/CMakeCache.txt" && last=2500
"$sim" --scenario cluster-basic --seeds 3..20
exec "$sim" --swarm --seeds "2001..$last"
