#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sl:long
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/e2e/scenario_bad_input.py" connections_that_are_left_are_closed
