#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A short one of what ./dev soak does for as long as one likes.
# sl:long
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/mariadb/soak.py" 0.4 --seed 5 --round 24
