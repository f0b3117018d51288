#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Waiting for drains, against a fake cluster: tests/cli/drain_test.py.
cd "$SL_SOURCE_DIR/tests/cli" && exec /usr/bin/python3 -B drain_test.py
