#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sl:long
SL_TORTURE=all exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/torture/torture.py"
