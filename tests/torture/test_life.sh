#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/torture/torture.py" \
    test_life_with_allocations_failing \
    test_life_with_socket_operations_failing \
    test_life_with_writes_of_the_metadata_failing \
    test_life_with_writes_of_the_sink_failing
