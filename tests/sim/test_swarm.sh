#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Random runs of the whole cluster: any violation prints the command that repeats it.
set -eu
exec "${SL_BUILD_DIR:-build/release}/bin/sluice-sim" --scenario drain-swarm --seeds 1..200
