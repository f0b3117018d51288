#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is installed is hardened: looked at in the files themselves, as checksec does. A program that is not must be found out.
set -eu

# weaknesses FILE: one word for each protection that it lacks.
weaknesses() {
    headers=$(readelf -W -h -l -d -s "$1")
    lacks() {
        printf '%s\n' "$headers" | grep -qE "$2" || echo "$1"
    }
    has() {
        if printf '%s\n' "$headers" | grep -qE "$2"; then echo "$1"; fi
    }
    lacks position-independent '^ *Type: +DYN .*Position-Independent Executable'
    lacks read-only-relocations '^ *GNU_RELRO '
    lacks bound-at-start '\(FLAGS_1\).*NOW'
    lacks stack-not-executable '^ *GNU_STACK .* RW  *0x'
    lacks stack-protector '__stack_chk_fail'
    lacks fortified '__(read|memcpy|snprintf|vsnprintf|fprintf|printf|memmove|memset|fread|recv|realpath|poll)_chk'
    has writable-code '^ *LOAD .* RWE '
    has search-path '\((RPATH|RUNPATH|TEXTREL)\)'
    if [ "$(uname -m)" = x86_64 ]; then
        # What indirect calls may reach begins with a mark; a program has thousands.
        marks=$(objdump -d --no-show-raw-insn "$1" | grep -c endbr64) || true
        [ "$marks" -ge 200 ] || echo "control-flow-marks"
    fi
}

if readelf -d "$SL_BUILD_DIR/bin/sluiced" | grep -qE 'lib[at]san'; then
    echo "a build with sanitizers is no release"
    exit 0
fi

failed=0
for program in sluiced sluice sluice-sim; do
    found=$(weaknesses "$SL_BUILD_DIR/bin/$program")
    if [ -n "$found" ]; then
        echo "$program lacks:" "$found"
        failed=1
    fi
done

# The look itself: everything is found out of a program that has nothing.
weak=$(mktemp -d)
trap 'rm -rf "$weak"' EXIT
cat >"$weak/weak.c" <<'C'
#include <stdio.h>
int main(int argc, char **argv)
{
    char text[64];
    (void)argc;
    snprintf(text, sizeof text, "%s", argv[0]);
    return text[0] == 'x';
}
C
cc -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 -fno-stack-protector -fcf-protection=none -no-pie -z norelro -z lazy \
    -z execstack -Wl,-rpath,/nowhere -o "$weak/weak" "$weak/weak.c" 2>/dev/null
found=$(weaknesses "$weak/weak")
expected="position-independent read-only-relocations bound-at-start stack-not-executable stack-protector fortified search-path"
[ "$(uname -m)" != x86_64 ] || expected="$expected control-flow-marks"
for word in $expected; do
    if ! echo "$found" | grep -qx "$word"; then
        echo "a program that lacks '$word' is not found out"
        failed=1
    fi
done
exit "$failed"
