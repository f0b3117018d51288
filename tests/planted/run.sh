#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh WORK-DIR PATCH...
# Each patch of this folder plants one bug into a copy of the tree. The simulator has to find it, and the first
# violation has to come from an oracle that the patch names, at a seed at which the tree without the bug is clean.
# Lines of a patch: "Oracle: NAMES", "Seeds: N", and "Scenario: NAME" ("# scenario: NAME" is the same; cluster-swarm if
# there is none).
set -eu

source_dir=${SL_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$1
shift
jobs=$(getconf _NPROCESSORS_ONLN)
patch_seconds=300
failed=0

# Brings the copy to the state of the tree. Only what differs is written, so that only that is built again.
copy_tree() {
    mkdir -p "$work/tree"
    (cd "$source_dir" && find CMakeLists.txt cmake proto src sim -type f) | LC_ALL=C sort >"$work/files"
    while read -r file; do
        cmp -s "$source_dir/$file" "$work/tree/$file" && continue
        mkdir -p "$work/tree/$(dirname "$file")"
        cp "$source_dir/$file" "$work/tree/$file"
    done <"$work/files"
    (cd "$work/tree" && find . -type f) | sed 's|^\./||' | LC_ALL=C sort | LC_ALL=C comm -13 "$work/files" - |
        while read -r file; do rm "$work/tree/$file"; done
}

build() {
    cmake -S "$work/tree" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSL_TESTS=OFF -DSL_WERROR=OFF \
        >"$work/build.log" 2>&1 && ninja -C "$work/build" -j "$jobs" sluice-sim >>"$work/build.log" 2>&1 && return
    tail -n 30 "$work/build.log"
    return 1
}

swarm() {
    simulator=$1
    scenario=$2
    shift 2
    timeout "$patch_seconds" "$simulator" --scenario "$scenario" "$@" 2>&1 || true
}

field() {
    sed -n "s/^$1: //p" "$2"
}

scenario_of() {
    named=$(sed -n 's/^\(# s\|S\)cenario: *//p' "$1" | head -n 1)
    echo "${named:-cluster-swarm}"
}

# judge PATCH OUTPUT: prints what went wrong, or nothing.
judge() {
    found=$(grep -m 1 '^VIOLATION ' "$2" || true)
    if [ -z "$found" ]; then
        echo "not found within $(field Seeds "$1") seeds: $(tail -n 1 "$2")"
        return
    fi
    named=$(echo "$found" | sed 's/^VIOLATION oracle=\([A-Z]*\) .*/\1/')
    case " $(field Oracle "$1") " in
        *" $named "*) ;;
        *)
            echo "another oracle than $(field Oracle "$1"): $found"
            return
            ;;
    esac
    swarm "$work/clean" "$(scenario_of "$1")" --seed "$(echo "$found" | sed 's/.* seed=\([0-9]*\) .*/\1/')" >"$work/clean.out"
    grep '^VIOLATION ' "$work/clean.out" | sed 's/^/the tree without it is not clean either: /'
}

# plant PATCH: the bug in, a search, the bug out.
plant() {
    name=$(basename "$1" .patch)
    began=$(date +%s%3N)
    if ! patch -d "$work/tree" -p1 -s --no-backup-if-mismatch <"$1" >"$work/patch.out" 2>&1; then
        cat "$work/patch.out"
        wrong="does not apply: plant the same bug in the code as it is now"
    elif ! build; then
        wrong="does not build"
    else
        swarm "$work/build/bin/sluice-sim" "$(scenario_of "$1")" --seeds "1..$(field Seeds "$1")" --first >"$work/$name.out"
        wrong=$(judge "$1" "$work/$name.out")
    fi
    copy_tree
    took=$(($(date +%s%3N) - began))
    if [ -z "$wrong" ]; then
        grep -m 1 '^VIOLATION ' "$work/$name.out" |
            sed "s/^VIOLATION oracle=\([A-Z]*\) .* seed=\([0-9]*\) .*/$name: \1 at seed \2, $took ms/"
        return
    fi
    echo "$name: NOT CAUGHT: $wrong"
    echo "    repeat with: tests/planted/run.sh ${work#"$source_dir"/} $name"
    failed=1
}

copy_tree
build
cp "$work/build/bin/sluice-sim" "$work/clean"
for name in "$@"; do
    plant "$source_dir/tests/planted/$(basename "$name" .patch).patch"
done
exit "$failed"
