#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/e2e/scenario_metrics.py"
