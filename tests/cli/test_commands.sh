#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every command but waiting for drains, against a fake cluster: tests/cli/commands_test.py.
cd "$SL_SOURCE_DIR/tests/cli" && exec /usr/bin/python3 -B commands_test.py
