#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the shrinker relies on: a part of a plan is a run like any other, and whoever does not fail is not reduced.
set -eu
sim="${SL_BUILD_DIR:-build/release}/bin/sluice-sim"
"$sim" --scenario cluster-swarm --seed 3 --keep none --twice
"$sim" --scenario cluster-swarm --seed 3 --variant 2 --mode safety --twice
item=$("$sim" --plan --seed 3 | awk 'NR == 2 { print $1 }')
"$sim" --scenario cluster-swarm --seed 3 --keep "$item" --twice
if "$sim" --shrink --seed 3 --keep none >/dev/null; then
    echo "a run without faults was reduced"
    exit 1
fi
for wrong in "--keep x" "--keep 1," "--mode both" "--minutes 0"; do
    # shellcheck disable=SC2086 # words
    if "$sim" --scenario cluster-swarm $wrong 2>/dev/null; then
        echo "$wrong was accepted"
        exit 1
    fi
done
