#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sl:long
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/e2e/scenario_metrics.py" a_node_that_is_silent_has_no_figures
