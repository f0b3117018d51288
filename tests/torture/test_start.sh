#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/torture/torture.py" \
    test_start_with_each_allocation_failing \
    test_start_with_each_write_of_the_metadata_failing \
    test_start_with_certificates_never_goes_on_without_them
