#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manual pages hold every command, option and exit code of the tables, and can be made and read.
set -eu
cd "$SL_SOURCE_DIR"
tools/gen_man --check
command -v scdoc >/dev/null || { echo "scdoc is not installed"; exit 0; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for page in docs/man/*.scd; do
    name=$(basename "$page" .scd)
    scdoc <"$page" >"$out/$name"
    grep -q '^\.SH "\?NAME' "$out/$name"
done
sluice=$SL_BUILD_DIR/bin/sluice
# What the program says of itself stands in the page, word by word.
sed 's/[\\]//g' <"$out/sluice.1" >"$out/plain"
for option in $("$sluice" node drain --help | grep -o -- '--[a-z][a-z-]*' | sort -u); do
    grep -q -- "$option" "$out/plain" || { echo "sluice(1) lacks $option"; exit 1; }
done
"$sluice" --help | sed -n 's/^  \([a-z]\+ [a-z-]\+\)\b.*/\1/p' | while read -r path; do
    grep -q "$path" "$out/plain" || { echo "sluice(1) lacks $path"; exit 1; }
done
