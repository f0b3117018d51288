#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same seed gives the same run, in other processes too and whatever else they ran before.
set -eu
sim="${SL_BUILD_DIR:-build/release}/bin/sluice-sim"
for seed in 3 14 15; do
    alone=$("$sim" --scenario cluster-swarm --seed "$seed" --json --twice | grep -o '"digest":"[0-9a-f]*"')
    after=$("$sim" --scenario cluster-swarm --seeds "1..$seed" --workers 1 --json | tail -n 1 | grep -o '"digest":"[0-9a-f]*"')
    if [ "$alone" != "$after" ]; then
        echo "seed $seed: $alone alone, $after after others"
        exit 1
    fi
done
"$sim" --scenario drain-scale --nodes 5 --dispatchers 2000 --twice
