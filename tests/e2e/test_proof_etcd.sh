#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sl:long
# The same on etcd instead of SQLite.
export SL_E2E_META=etcd
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/e2e/scenario_proof.py"
