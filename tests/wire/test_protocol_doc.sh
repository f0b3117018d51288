#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tables of docs/protocol.md are those of src/wire.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$SL_BUILD_DIR/tests/wire/wire_random" doc >"$work/wanted"
sed -n '/^| # |/,/^$/p;/^| reason |/,/^$/p' "$SL_SOURCE_DIR/docs/protocol.md" | sed '/^$/d' >"$work/found"
if ! diff -u "$work/found" "$work/wanted"; then
    echo "docs/protocol.md: put in the lines marked +, take out those marked -"
    exit 1
fi
