#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# TLS as operators have it, large rows and transactions.
# sl:long
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/mariadb/scenario_databases.py"
