#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a feed does with large transactions, rotations and purged logs of its source.
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/mariadb/scenario_source.py"
