#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sl:long
# The same as test_swarm.sh over more seeds.
set -eu
exec "${SL_BUILD_DIR:-build/release}/bin/sluice-sim" --scenario drain-swarm --seeds 201..2000
