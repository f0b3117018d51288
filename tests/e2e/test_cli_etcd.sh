#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same on etcd instead of SQLite.
# sl:long
export SL_E2E_META=etcd
/usr/bin/python3 -B "$SL_SOURCE_DIR/tests/e2e/scenario_cli.py" &&
    exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/e2e/scenario_cli_cluster.py"
