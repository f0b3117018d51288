#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our codec against protoc's: random messages of every type, written by us, must come back from protoc's text form byte
# for byte, and what protoc writes must be accepted and written again by us byte for byte.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program="$SL_BUILD_DIR/tests/wire/wire_random"
count=300

"$program" proto >"$work/batch.proto"

# One call for all types: starting protoc costs more than its work.
batch() {
    protoc --proto_path="$SL_SOURCE_DIR/proto" --proto_path="$work" "$1=pb.Batch" "$work/batch.proto"
}

for seed in 1 2 3; do
    "$program" write "$seed" "$count" >"$work/ours.bin"
    batch --decode <"$work/ours.bin" >"$work/text"
    if grep -nE '^ *[0-9]+(:| \{)' "$work/text"; then
        echo "seed $seed: protoc does not know the fields above"
        exit 1
    fi
    batch --encode <"$work/text" >"$work/protoc.bin"
    if ! cmp "$work/ours.bin" "$work/protoc.bin"; then
        echo "seed $seed: protoc writes the messages differently"
        exit 1
    fi
    "$program" read <"$work/protoc.bin" >"$work/again.bin"
    if ! cmp "$work/protoc.bin" "$work/again.bin"; then
        echo "seed $seed: what protoc wrote is written differently by us"
        exit 1
    fi
    echo "seed $seed: $(wc -c <"$work/ours.bin") bytes, $(wc -l <"$work/text") lines of text, equal"
done
