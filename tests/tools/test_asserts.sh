#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The asserts of tests/support fail when they should, show both sides, and an unknown test is not a passed one.
set -eu

program=$SL_BUILD_DIR/tests/failing_asserts
failed=0

# expect STATUS TEXT NAME
expect() {
    status=0
    found=$("$program" "$3" 2>&1) || status=$?
    if [ "$status" -ne "$1" ]; then
        echo "$3: exit status $status, not $1"
        failed=1
    fi
    if ! echo "$found" | grep -qF -- "$2"; then
        echo "$3: does not say '$2', but: $found"
        failed=1
    fi
}

expect 1 'x is 18446744073709551615 (0xffffffffffffffff)' u64_shows_both_sides
expect 1 'y is 18446744073709551614' u64_shows_both_sides
expect 1 'x is -1' i64_shows_both_sides
expect 1 'y is -9223372036854775808' i64_shows_both_sides
expect 1 'x is "left"' str_shows_both_sides
expect 1 'y is "right"' str_shows_both_sides
expect 1 'y is NULL' str_differs_from_null
expect 1 'byte 40 of 64 differs' mem_shows_the_place
expect 1 'y [24, 56):' mem_shows_the_place
expect 0 'PASSED' equal_sides_pass
expect 2 "no test is named 'no_such_test'" no_such_test

exit "$failed"
