#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Whole clusters: every phase of a drain without its coordinator, then random runs. A fixed range: what failed once can
# be run again. With sanitizers, which are up to twenty times slower, fewer.
# sl:builds (takes as long as the machine is busy)
set -eu
build=${SL_BUILD_DIR:-build/release}
sim=$build/bin/sluice-sim
last=2000
grep -q '^SL_SANITIZE:.*=.' "$build/CMakeCache.txt" && last=150
"$sim" --scenario cluster-basic --seeds 1..2
"$sim" --scenario cluster-swarm --seed 3 --twice
exec "$sim" --swarm --seeds "1..$last"
